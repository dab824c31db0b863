"""Measurement of a pair in alternation, so that the machine's load affects both sides alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.runs import RunFolder

Timed = Callable[[], float]
"""Does some work and tells its speed."""


@dataclass(frozen=True)
class Pair:
    """What is compared: two callables that do the same, or the same amount, and tell how many a second."""

    name: str
    ours: Timed
    peer: Timed
    unit: str


def measured(pair: Pair, rounds: int) -> dict[str, Any]:
    pair.ours(), pair.peer()  # compiled, cached, loaded: once, untimed
    speeds = []
    for number in range(rounds):
        # Each goes first every other time.
        if number % 2:
            peer, ours = pair.peer(), pair.ours()
        else:
            ours, peer = pair.ours(), pair.peer()
        speeds.append((ours, peer))
    return {
        "name": pair.name,
        "ours": statistics.median(ours for ours, _ in speeds),
        "peer": statistics.median(peer for _, peer in speeds),
        "ratio": statistics.median(ours / peer for ours, peer in speeds),
        "unit": pair.unit,
    }


def speed(work: Callable[[], Any], amount: int) -> float:
    start = time.perf_counter()
    work()
    return amount / (time.perf_counter() - start)


def trained(settings: dict[str, Any], folder: Path) -> RunFolder:
    """A run with these settings, trained once for all pairs below this folder that want one."""
    from capbench.train import experiment

    run = RunFolder(folder / "trained")
    if not run.result.exists():
        with silence():
            experiment.run(settings | {"cache": None}, run, resumed=False)
    return run


@contextmanager
def silence() -> Iterator[None]:
    """What is said while it works goes nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
