"""Measurement of pairs in alternation, so that the machine's load affects both sides alike."""

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
"""Function that does some work and returns its speed."""


@dataclass(frozen=True)
class Pair:
    """Two functions that do the same work, or equal amounts of it, and return their speeds in `unit`."""

    name: str
    ours: Timed
    peer: Timed
    unit: str


def measured(pair: Pair, rounds: int) -> dict[str, Any]:
    """Return the median speeds of both sides and the median ratio, after one untimed call of each."""
    pair.ours(), pair.peer()  # untimed, for compilation, caches and imports
    speeds = []
    for number in range(rounds):
        # The sides alternate in going first, since the second one may find warm caches.
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
    """Return the speed of `work` in units of `amount` per second."""
    start = time.perf_counter()
    work()
    return amount / (time.perf_counter() - start)


def trained(settings: dict[str, Any], folder: Path) -> RunFolder:
    """Return a run with these settings, trained once for all pairs that share `folder`."""
    from capbench.train import experiment

    run = RunFolder(folder / "trained")
    if not run.result.exists():
        with silence():
            experiment.run(settings | {"cache": None}, run, resumed=False)
    return run


@contextmanager
def silence() -> Iterator[None]:
    """Discard standard output and standard error within the block."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
