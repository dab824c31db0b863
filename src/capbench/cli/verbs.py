"""Calls of the verbs: each is the function `run` of one module."""

from __future__ import annotations

import importlib
from functools import partial

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain
from capbench.utils.portable import keep_freed_memory

ROOMS = {
    "bench": "capbench.bench",
    "compare": "capbench.compare.compare",
    "export": "capbench.export.export",
    "label": "capbench.label.label",
    "predict": "capbench.inference.predict",
    "render": "capbench.data.write",
    "serve": "capbench.serve",
}


def main(verb: str, arguments: list[str]) -> None:
    """Run a verb; train and evaluate, which need more than their settings, have modules of their own in this package."""
    if verb != "serve":  # which shares a machine with others for days
        keep_freed_memory()
    if verb in ROOMS:
        compose.run(verb, partial(job, verb), arguments)
    else:
        importlib.import_module(f"capbench.cli.{verb}").main(arguments)


def job(verb: str, config: DictConfig) -> None:
    """Call the verb's `run` function and print what it returns; the module is imported late, since torch takes seconds to import."""
    settings = plain(config)
    said = importlib.import_module(ROOMS[verb]).run(settings)
    if said is not None:
        print(said)
