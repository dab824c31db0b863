"""Pairs: a training on new images beside one on stored images, and the latter beside a bare training loop."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from capbench.bench.pairs import Pair, Timed, silence
from capbench.runs import RunFolder
from capbench.train import experiment


def pairs(settings: dict[str, Any], folder: Path) -> list[Pair]:
    """Return the pairs; `folder` is for temporary files."""
    cache = {"cache": str(folder / "cache")}
    stored = settings | {"data": settings["data"] | {"fresh": False}} | cache
    fresh = settings | {"data": settings["data"] | {"fresh": True}} | cache

    def trained(chosen: dict[str, Any]) -> Timed:
        def run() -> float:
            with tempfile.TemporaryDirectory(dir=folder) as where, silence():
                run_folder = RunFolder(Path(where) / "run")
                experiment.run(chosen, run_folder, resumed=False)
                return float(run_folder.read_result()["train/images_per_second"])

        return run

    return [
        Pair("train/fresh", trained(fresh), trained(stored), "images/s; peer: the same images ready in memory"),
        Pair(
            "train/loop", trained(stored), lambda: bare_loop(stored), "images/s; peer: a bare loop of PyTorch's calls"
        ),
    ]


def bare_loop(settings: dict[str, Any]) -> float:
    """Return the images per second of one epoch in a bare loop with the same network, images and optimiser."""
    made = experiment.prepare(settings)
    part, model, optim = made.material.parts["train"], made.recognizer.model.train(), made.optim
    views = torch.from_numpy(np.moveaxis(np.array(part.views[part.places]), -1, -3))
    targets = torch.from_numpy(made.codec.encode(part.texts))
    batches = torch.randperm(len(views))[: len(views) // optim.batch_size * optim.batch_size].split(optim.batch_size)
    optimizer = optim.optimizer(model)
    scheduler = optim.scheduler(optimizer, len(batches))
    start = time.perf_counter()
    for chosen in batches:
        images = (views[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(model(images).flatten(0, 1), targets[chosen].flatten())
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), optim.clip)
        optimizer.step()
        scheduler.step()
    return sum(map(len, batches)) / (time.perf_counter() - start)
