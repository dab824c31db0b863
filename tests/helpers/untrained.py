"""Runs without a training, whose folders hold everything that export reads."""

from __future__ import annotations

from pathlib import Path

import torch

from capbench.runs import RunFolder
from capbench.train import experiment
from tests.helpers.settings import FAST, composed


def untrained(folder: Path, *overrides: str) -> RunFolder:
    """Write the folder of an untrained run with these settings."""
    settings = composed(*FAST, *overrides)
    made = experiment.prepare(settings)
    model, codec, shape = made.recognizer.model, made.codec, made.material.shape
    if model.gradient_free:
        torch.manual_seed(1)
        characters = codec.longest
        model.learn(torch.rand(50, characters, *shape), torch.randint(0, codec.classes, (50, characters)))
    run = RunFolder(folder)
    run.begin(settings)
    run.write_weights(model.state_dict())
    length = [codec.shortest, codec.longest]
    run.write_result(
        {"name": settings["name"], "alphabet": codec.alphabet.symbols, "length": length, "view/shape": list(shape)}
    )
    return run
