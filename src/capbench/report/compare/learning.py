"""Learning curves: accuracy against labelled images, for runs that differ in nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from capbench.report.compare.folders import Run, shown
from capbench.report.compare.statistics import Growth

AMOUNT = ("data.train_size", "data.split.train")
FURTHER = 4  # times the most images that any of its runs had: as far as the forecast goes
TARGETS = (0.5, 0.9, 0.99)


class LearningCurve(NamedTuple):
    values: tuple[str, ...]
    """of the settings that tell the curves apart"""
    runs: list[Run]
    growth: Growth

    @property
    def most(self) -> float:
        return max(map(labelled, self.runs))


def keys_of(keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key not in AMOUNT]


def curves(runs: Sequence[Run], keys: Sequence[str]) -> list[LearningCurve]:
    """Those with at least three different numbers of images."""
    gathered: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if labelled(run) > 0:
            gathered[tuple(shown(run.value(key)) for key in keys_of(keys))].append(run)
    found = []
    for values, members in gathered.items():
        exact = [run.result["test/exact"] for run in members]
        growth = Growth.of([labelled(run) for run in members], exact, [run.result["test/images"] for run in members])
        if growth is not None:
            found.append(LearningCurve(values, members, growth))
    return found


def labelled(run: Run) -> float:
    """How many images with their texts the tested recogniser learned from, of several the one with the fewest.

    Freshly drawn ones count each time, as none comes twice.
    """
    if run.settings.get("data.fresh") and run.settings.get("data.train_size") is None and run.number("train/images"):
        return run.number("train/images") or 0
    return run.number("data/fold_train") or run.number("data/train") or 0
