"""The statistics of a comparison: spread over seeds, a paired test, and what more labelled images would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation that the sample tells of; None of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def mcnemar(first_only: int, second_only: int) -> float:
    """How likely two equally good readers differ at least so much: McNemar's exact test, two-sided."""
    count, least = first_only + second_only, min(first_only, second_only)
    ways, tail = 1, 1
    for chosen in range(least):
        ways = ways * (count - chosen) // (chosen + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << count))


def log_odds(accuracies: Sequence[float], tested: Sequence[int]) -> np.ndarray:
    """Of reading a text; finite where all or none of those tested are read."""
    count = np.asarray(tested, dtype=float)
    right = np.asarray(accuracies, dtype=float) * count
    return np.log((right + 0.5) / (count - right + 0.5))


def _student(freedom: int) -> float:
    """Half the width of a 95 % interval, in standard deviations."""
    from scipy.special import stdtrit  # takes a while to import, and few comparisons hold a learning curve

    return float(stdtrit(freedom, 0.975))


MOST = 1e9  # images; a forecast of more is none
AMOUNTS = np.geomspace(1, MOST, 4000)


class Needed(NamedTuple):
    """Images that an accuracy needs, and between which numbers one more run would reach it, with 95 % confidence.

    None: not within a thousand million, or more images are not seen to help.
    """

    images: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class Growth:
    """Accuracy against labelled images: the log-odds of reading a text as a line over the log of their number.

    Odds that grow as a power of the images give an S near the start and a power law of mistakes at the end.
    """

    slope: float
    offset: float
    scatter: float
    """standard deviation of a run's log-odds around the line"""
    runs: int
    centre: float
    width: float
    """sum of squares of the log numbers around their mean, the centre"""

    @classmethod
    def of(cls, images: Sequence[float], accuracies: Sequence[float], tested: Sequence[int]) -> Growth | None:
        """None where fewer than three different numbers of images leave nothing to judge the line by."""
        if len(set(images)) < 3:
            return None
        x = np.log(np.asarray(images, dtype=float))
        y = log_odds(accuracies, tested)
        centre, width = float(x.mean()), float(((x - x.mean()) ** 2).sum())
        slope = float(((x - centre) * y).sum() / width)
        offset = float(y.mean()) - slope * centre
        rest = y - (offset + slope * x)
        return cls(slope, offset, math.sqrt(float((rest**2).sum()) / (len(x) - 2)), len(x), centre, width)

    @cached_property
    def _reach(self) -> float:
        """Of the 95 % interval, in standard deviations."""
        return _student(self.runs - 2)

    def at(self, images: float) -> tuple[float, float, float]:
        """The accuracy to expect, and the 95 % interval of one more run's."""
        middle, low, high = self.along(np.array([images]))[:, 0].tolist()
        return middle, low, high

    def along(self, images: np.ndarray) -> np.ndarray:
        """The same for many numbers of images: float [3, images]."""
        x = np.log(images)
        middle = self.offset + self.slope * x
        reach = self._reach * self.scatter * np.sqrt(1 + 1 / self.runs + (x - self.centre) ** 2 / self.width)
        return 0.5 * (1 + np.tanh(np.stack([middle, middle - reach, middle + reach]) / 2))

    @cached_property
    def _lines(self) -> np.ndarray:
        return self.along(AMOUNTS)

    def needed(self, accuracy: float) -> Needed:
        """Labelled images from which on this accuracy is to be expected."""
        middle, low, high = self._lines
        reached = [np.flatnonzero(line >= accuracy) for line in (middle, high, low)]
        # Where more images are not seen to help, what is reached is reached with few.
        return Needed(*(float(AMOUNTS[there[0]]) if len(there) and self.slope > 0 else None for there in reached))


def crossing(images: Sequence[float], odds: Sequence[float], wanted: float) -> float | None:
    """Where log-odds, joined by straight lines over the log of rising numbers of images, first reach what is wanted.

    The first number where already that has them; None where none does.
    """
    there = next((place for place, value in enumerate(odds) if value >= wanted), None)
    if not there:
        return None if there is None else images[0]
    left, right = math.log(images[there - 1]), math.log(images[there])
    below, above = odds[there - 1], odds[there]
    return math.exp(left + (right - left) * (wanted - below) / (above - below))


def common_slope(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float | None:
    """Of the log-odds over the log of the number of images, in groups whose lines run side by side."""
    together, width = 0.0, 0.0
    for images, odds in groups:
        x = np.log(np.asarray(images, dtype=float))
        together += float(((x - x.mean()) * np.asarray(odds)).sum())
        width += float(((x - x.mean()) ** 2).sum())
    return together / width if width else None


class Factor(NamedTuple):
    """What multiplies the labelled images that are needed, with its 95 % interval."""

    value: float
    at_least: float
    at_most: float


def factor(gains: Sequence[float], slope: float) -> Factor | None:
    """What gains in log-odds, of runs paired with others, are worth in images; None where that cannot be told."""
    if len(gains) < 2 or slope <= 0:
        return None
    mean = float(np.mean(gains))
    reach = _student(len(gains) - 1) * float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    furthest = math.log(MOST)
    ends = (max(-furthest, min(furthest, gain / slope)) for gain in (mean, mean - reach, mean + reach))
    return Factor(*map(math.exp, ends))
