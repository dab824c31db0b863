"""Statistics of a comparison: spread over seeds, significance of differences, forecast of accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from capbench.metrics import wilson

Z = 1.959964  # half the width of a 95 % interval where the standard deviation is known


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


@dataclass(frozen=True)
class Readers:
    """The trainings of one setting, and what they read of some images."""

    accuracies: np.ndarray
    """float [training]: the share of the images that each reads"""
    shares: np.ndarray
    """float [image]: the share of the trainings that read it"""
    tries: np.ndarray
    """int [image]: how many trainings were shown it"""


class Difference(NamedTuple):
    """How much more of all images one setting reads than another, whatever the seed, with its 95 % interval."""

    value: float
    at_least: float
    at_most: float

    @property
    def is_sure(self) -> bool:
        return self.at_least > 0 or self.at_most < 0


def difference(first: Readers, second: Readers) -> Difference:
    """Compare two settings with at least two trainings each on the same images, by both kinds of chance.

    Other seeds would give other accuracies, and so would other test images. Each has its 95 % interval, and the squares of
    the two half widths add up (Howe's approximation):

    - Seeds: the variance of each side's accuracies over its trainings, with Student's t as in Welch's test, but never with
      more degrees of freedom than if both sides were as short as the shorter: two seeds that happen to agree say
      little of their scatter.
    - Images: the mean square of the paired gaps between the sides, as in McNemar's test. What the trainings of one side
      disagree on is part of these gaps and of the seeds' variance, so it is taken out here. Two disputed images are added:
      where few are disputed, that is as careful as the exact test.

    How often this tells equal settings apart is simulated in experiments/verdict.
    """
    gaps = first.shares - second.shares
    seeds = [float(np.var(side.accuracies, ddof=1)) / len(side.accuracies) for side in (first, second)]
    freedoms = [len(side.accuracies) - 1 for side in (first, second)]
    by_freedom = sum(variance**2 / freedom for variance, freedom in zip(seeds, freedoms, strict=True))
    welch = sum(seeds) ** 2 / by_freedom if by_freedom else math.inf
    counted_twice = sum(_disagreement(side) for side in (first, second))
    images = max(0.0, float(np.mean(gaps**2)) / len(gaps) - counted_twice) + 2 / len(gaps) ** 2
    reach = math.sqrt(_student(min(welch, 2 * min(freedoms))) ** 2 * sum(seeds) + Z**2 * images)
    value = float(np.mean(gaps))
    return Difference(value, value - reach, value + reach)


def _disagreement(side: Readers) -> float:
    """The variance of a setting's accuracy that comes from its trainings reading the same image differently."""
    within = side.shares * (1 - side.shares) / np.maximum(side.tries - 1, 1)
    return float(np.mean(within)) / len(within)


def log_odds(accuracies: Sequence[float], tested: Sequence[int]) -> np.ndarray:
    """Of reading a text; finite where all or none of those tested are read."""
    count = np.asarray(tested, dtype=float)
    right = np.asarray(accuracies, dtype=float) * count
    return np.log((right + 0.5) / (count - right + 0.5))


def _student(freedom: float) -> float:
    """Half the width of a 95 % interval, in standard deviations."""
    from scipy.special import stdtrit  # takes a while to import, and comparisons of single runs need none

    return float(stdtrit(freedom, 0.975))


MOST = 1e9  # times as many images, up or down: a factor beyond is not told
FURTHER = 4  # times the most images that were measured: as far as a forecast goes
STEPS = 4000  # between one image and the furthest


class Needed(NamedTuple):
    """Images that an accuracy needs, and between which numbers the band reaches it.

    None: not within FURTHER times the most images measured, or more images are not seen to help.
    """

    images: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class Growth:
    """Accuracy against labelled images: the log-odds of reading a text as a line over the log of their number.

    Odds that grow as a power of the images give an S near the start and a power law of mistakes at the end. Real curves
    bend away from that line, upwards where a network finds its first characters and downwards near its end, so the band
    is Student's 95 % interval of one more run, and reaches down to what the most images brought: more may bring no more.
    How often it holds is measured in experiments/forecast.
    """

    slope: float
    offset: float
    scatter: float
    """standard deviation of a run's log-odds around the line"""
    runs: int
    centre: float
    width: float
    """sum of squares of the log numbers around their mean, the centre"""
    most: float
    """images that any of the runs had"""
    plateau: float
    """log-odds that the runs with the most images have at least, by Wilson's interval of each"""

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
        scatter = math.sqrt(float((rest**2).sum()) / (len(x) - 2))
        most = max(images)
        lows = [wilson(a * n, n)[0] for a, n, have in zip(accuracies, tested, images, strict=True) if have == most]
        low = min(lows)
        return cls(slope, offset, scatter, len(x), centre, width, most, math.log(low / (1 - low)) if low else -math.inf)

    @property
    def furthest(self) -> float:
        """Images up to which something is said."""
        return FURTHER * self.most

    @cached_property
    def _reach(self) -> float:
        """Of the 95 % interval, in standard deviations."""
        return _student(self.runs - 2)

    def at(self, images: float) -> tuple[float, float, float]:
        """The accuracy to expect, and the band of one more run's."""
        middle, low, high = self.along(np.array([images]))[:, 0].tolist()
        return middle, low, high

    def along(self, images: np.ndarray) -> np.ndarray:
        """The same for many numbers of images: float [3, images]."""
        middle, low, high = self._odds(np.log(images))
        return 0.5 * (1 + np.tanh(np.stack([middle, np.minimum(low, self.plateau), high]) / 2))

    def _odds(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The line over log numbers, and Student's 95 % interval of one more run."""
        middle = self.offset + self.slope * x
        reach = self._reach * self.scatter * np.sqrt(1 + 1 / self.runs + (x - self.centre) ** 2 / self.width)
        return middle, middle - reach, middle + reach

    @cached_property
    def _lines(self) -> tuple[np.ndarray, np.ndarray]:
        amounts = np.geomspace(1, self.furthest, STEPS)
        return amounts, self.along(amounts)

    def needed(self, accuracy: float) -> Needed:
        """Labelled images from which on this accuracy is to be expected."""
        amounts, (middle, low, high) = self._lines
        reached = [np.flatnonzero(line >= accuracy) for line in (middle, high, low)]
        # Where more images are not seen to help, what is reached is reached with few.
        return Needed(*(float(amounts[there[0]]) if len(there) and self.slope > 0 else None for there in reached))


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
