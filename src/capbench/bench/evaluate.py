"""Pair: evaluating a run on many images beside a bare loop that only reads them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from capbench.bench.pairs import Pair, silence, speed, trained
from capbench.inference import evaluate
from capbench.inference.reader import BATCH, Reader
from capbench.runs import RunFolder


def pairs(settings: dict[str, Any], folder: Path, images: int) -> list[Pair]:
    """Return the pair for this many test images; `folder` is for temporary files."""

    @cache
    def wanted() -> dict[str, Any]:
        """Return the settings of an evaluation of a trained run; a cache keeps its images prepared."""
        run = trained(settings, folder)
        data = settings["data"] | {"split": settings["data"]["split"] | {"test": images}}
        kept = {"drawn": settings["alphabet"], "style": settings["style"], "cache": str(folder / "cache")}
        return {"run": str(run.path), "part": "test", "length": None, "data": data, **kept}

    def evaluated() -> float:
        given = wanted()
        with tempfile.TemporaryDirectory(dir=folder) as out, silence():
            return speed(lambda: evaluate.run(given | {"out": out}), images)

    def bare_loop() -> float:
        given = wanted()
        reader = Reader.of(RunFolder(Path(given["run"])))
        tested = evaluate.material(given, reader)
        samples, views = tested.samples, tested.views
        symbols = reader.codec.alphabet.symbols

        def read() -> int:
            answers: list[str] = []
            with torch.inference_mode():
                for start in range(0, len(views), BATCH):
                    batch = torch.from_numpy(np.moveaxis(np.array(views[start : start + BATCH]), -1, -3))
                    best = reader.model(batch.float() / 255).argmax(-1)
                    answers += ["".join(symbols[number] for number in row) for row in best.tolist()]
            return sum(sample.text == answer for sample, answer in zip(samples, answers, strict=True))

        return speed(read, images)

    return [Pair("evaluate/loop", evaluated, bare_loop, "images/s; peer: a bare loop of PyTorch's calls")]
