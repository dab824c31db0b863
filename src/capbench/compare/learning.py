"""Learning curves: accuracy against the number of labelled images, for runs that differ in nothing else."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal, NamedTuple

from capbench.compare.folders import Run, shown
from capbench.compare.ranking import AMOUNT
from capbench.compare.statistics import Growth, crossing, log_odds
from capbench.metrics import wilson

TARGETS = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Reached:
    """What it takes until a share of all texts is read."""

    how: Literal["measured", "at most", "forecast", "not within"]
    amount: float
    """of images or seconds; of the most that was tried or forecast where it is not reached"""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def there(self) -> bool:
        return self.how != "not within"

    def __str__(self) -> str:
        if self.how in ("not within", "at most"):
            return f"{self.how} {_round(self.amount)}"
        told = f"{_round(self.amount)} ({_end(self.at_least)} to {_end(self.at_most)})"
        return told + (", forecast" if self.how == "forecast" else "")


def _round(amount: float) -> str:
    """Two digits, which is more than is known."""
    rounded = float(f"{amount:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _end(amount: float | None) -> str:
    return "…" if amount is None else _round(amount)


class Point(NamedTuple):
    """The runs with one number of labelled images."""

    images: float
    exact: float
    low: float
    high: float
    tested: int


@dataclass(frozen=True)
class Learned:
    """Runs that differ in their number of labelled images and their seeds."""

    runs: list[Run]

    @cached_property
    def points(self) -> list[Point]:
        """By number of images: the mean, and an interval that holds each run and its own uncertainty."""
        gathered: dict[float, list[Run]] = defaultdict(list)
        for run in self.runs:
            gathered[labelled(run)].append(run)
        return [_point(images, gathered[images]) for images in sorted(gathered)]

    @cached_property
    def growth(self) -> Growth | None:
        return Growth.of([labelled(run) for run in self.runs], *tests(self.runs))

    @property
    def most(self) -> float:
        return self.points[-1].images

    @property
    def best(self) -> float:
        return max(point.exact for point in self.points)

    def images(self, target: float) -> Reached:
        """Labelled images until this share is read: measured between two amounts that were tried, or else forecast."""
        points = self.points
        tried, tested = [point.images for point in points], [point.tested for point in points]
        wanted = math.log(target / (1 - target))
        at, early, late = (
            crossing(tried, log_odds(values, tested).tolist(), wanted)
            for values in ([p.exact for p in points], [p.high for p in points], [p.low for p in points])
        )
        if at is not None:
            return Reached("at most", at) if at == tried[0] else Reached("measured", at, early, late)
        if self.growth is None or self.growth.slope <= 0:
            return Reached("not within", self.most)
        images, least, _ = self.growth.needed(target)
        if images is None:
            return Reached("not within", self.growth.furthest)
        if images <= self.most:  # the line says what the measurement has refuted
            return Reached("not within", self.most)
        # Open upwards: more images may bring no more than the most that were tried, which do not reach it.
        return Reached("forecast", images, max(least or self.most, self.most))


def _point(images: float, runs: Sequence[Run]) -> Point:
    shares, tested = tests(runs)
    ends = [wilson(share * count, count) for share, count in zip(shares, tested, strict=True)]
    return Point(images, fmean(shares), min(low for low, _ in ends), max(high for _, high in ends), min(tested))


def tests(runs: Sequence[Run]) -> tuple[list[float], list[int]]:
    """The share that each run reads, and of how many images."""
    return [run.result["test/exact"] for run in runs], [run.result["test/images"] for run in runs]


@dataclass(frozen=True)
class LearningCurve(Learned):
    """Enough of them for a forecast: at least three different numbers of images."""

    values: tuple[str, ...]
    """of the settings that tell the curves apart"""

    def __str__(self) -> str:
        told = "; ".join(f"{target}: {self._told(self.images(target))}" for target in TARGETS)
        return f"{', '.join((*self.values, 'labelled images for'))} {told}"

    def _told(self, reached: Reached) -> str:
        beyond = not reached.there and reached.amount > self.most
        return f"{reached}{', the furthest that can be told' if beyond else ''}"


def keys_of(keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key not in AMOUNT]


def curves(runs: Sequence[Run], keys: Sequence[str]) -> list[LearningCurve]:
    """Those with at least three different numbers of images; a run that was given up early is no point of any."""
    gathered: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if labelled(run) > 0 and not run.given_up:
            gathered[tuple(shown(run.value(key)) for key in keys_of(keys))].append(run)
    found = []
    for values, members in gathered.items():
        curve = LearningCurve(members, values)
        if curve.growth is not None:
            found.append(curve)
    return found


def labelled(run: Run) -> float:
    """How many images with their texts the tested recogniser learned from, of several the one with the fewest.

    Freshly drawn ones count each time, as none comes twice.
    """
    if run.settings.get("data.fresh") and run.settings.get("data.train_size") is None and run.number("train/images"):
        return run.number("train/images") or 0
    return run.number("data/fold_train") or run.number("data/train") or 0
