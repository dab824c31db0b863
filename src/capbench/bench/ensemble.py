"""Pairs: training an ensemble in one run beside one training per member, and heads on one trunk beside an ensemble."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from capbench.bench.pairs import Pair, silence
from capbench.models import Model
from capbench.models.ensemble import Ensemble
from capbench.runs import RunFolder
from capbench.settings import check
from capbench.train import console, experiment
from capbench.train.callbacks import Curves, callback
from capbench.types import Count, Pixels


def schema(*, model: Ensemble, trunk: Model, positions: Count, size: list[Pixels], steps: Count) -> None:
    """Declare the ensemble, the model with one trunk, and the size of the training."""


def pairs(settings: dict[str, Any], own: dict[str, Any], folder: Path) -> list[Pair]:
    """Return the pairs; `own` are the settings that `schema` declares, and `folder` is for temporary files."""
    check(own, schema, "ensemble")
    images = own["steps"] * settings["optim"]["batch_size"]
    member = {key: value for key, value in own["model"]["member"].items() if key != "_partial_"}

    def seconds(model: dict[str, Any], positions: int, seed: int = 1) -> float:
        """Return the seconds of one training's steps, without start-up and evaluation."""
        split = settings["data"]["split"] | {"train": images}
        chosen = settings | {
            "model": model,
            "seed": seed,
            "data": settings["data"] | {"fresh": False, "length": positions, "split": split},
            "view": settings["view"] | {"size": own["size"]},
            "cache": str(folder / "cache"),
        }
        with tempfile.TemporaryDirectory(dir=folder) as where, silence():
            console.quieten()
            made = experiment.prepare(chosen)
            trainer = made.trainer(RunFolder(Path(where)), [])
            trainer.fit(made.recognizer, datamodule=made.data)
        return callback(trainer, Curves).training_seconds

    def together() -> float:
        return images / seconds(own["model"], own["positions"])

    def in_turn() -> float:
        # Each member reads one character, so its captchas have one, but the full size.
        return images / sum(seconds(member, 1, seed) for seed in range(own["positions"]))

    def trunk() -> float:
        return images / seconds(own["trunk"], own["positions"])

    return [
        Pair("ensemble/together", together, in_turn, "images/s; peer: as many trainings, one after another"),
        Pair("ensemble/trunk", trunk, together, "images/s with all heads on one trunk; peer: a member for each head"),
    ]
