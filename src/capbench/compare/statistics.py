"""Statistics of a comparison: spread over seeds, significance of differences, worth in labelled images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

Z = 1.959964  # half the width of a 95 % interval, in standard deviations of a normal distribution
BISECTIONS = 60  # of the range of p-values, 0 to 1


def spread(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation; None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    It is the probability that two equally good readers differ at least as much.
    """
    count, least = first_only + second_only, min(first_only, second_only)
    ways, tail = 1, 1
    for chosen in range(least):
        ways = ways * (count - chosen) // (chosen + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << count))


@dataclass(frozen=True)
class Readers:
    """Accuracies of several trainings of one setting, and the share of right readings of each image."""

    accuracies: np.ndarray
    """float [training]: share of the images that each training reads."""
    shares: np.ndarray
    """float [image]: share of the trainings that read the image."""
    tries: np.ndarray
    """int [image]: number of trainings that were tested on the image."""


def holm(values: Sequence[float], tests: int) -> list[float]:
    """Return p-values, each corrected by Holm's method for the number of tests that they were chosen from.

    The chance that any test without a true difference has a corrected value below 0.05 is at most 0.05. With more `tests`
    than values, those without a value count as the least significant ones.
    """
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (tests - rank) * values[place]))
        corrected[place] = largest
    return corrected


@dataclass(frozen=True)
class Difference:
    """Difference in accuracy between two settings over all seeds and images."""

    value: float
    by_seeds: float
    """Variance of the difference by the seeds."""
    by_images: float
    """Variance of the difference by the test images."""
    freedom: float
    """Degrees of freedom of the variance by the seeds."""

    @property
    def at_least(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - self._reach(0.05)

    @property
    def at_most(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + self._reach(0.05)

    @property
    def is_sure(self) -> bool:
        """True if the 95 % interval excludes 0."""
        return self._reach(0.05) < abs(self.value)

    @cached_property
    def p(self) -> float:
        """p-value: one minus the confidence of the interval that just touches 0."""
        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._reach(middle) < abs(self.value) else (middle, high)
        return high

    def _reach(self, error: float) -> float:
        """Return half the width of the interval with this probability of error."""
        from scipy.special import ndtri, stdtrit  # slow to import, and not needed to compare single runs

        seeds, images = (float(of) ** 2 for of in (stdtrit(self.freedom, error / 2), ndtri(error / 2)))
        return math.sqrt(seeds * self.by_seeds + images * self.by_images)


def difference(first: Readers, second: Readers) -> Difference:
    """Return the difference between two settings on the same images; each setting needs at least two trainings.

    Two sources of chance are combined, seeds and test images. Each has its interval, and the squares of the two half
    widths add up (Howe's approximation):

    - Seeds: the variance of each side's accuracies over its trainings, with Student's t as in Welch's test, but with at
      most the degrees of freedom of two sides that both have as few trainings as the smaller one: two seeds that happen
      to agree say little of the spread.
    - Images: the mean square of the paired gaps between the sides, as in McNemar's test. Disagreement between trainings
      of one side is part of these gaps and of the variance over seeds, so it is subtracted here. Two disputed images
      are added, which makes the test as careful as the exact one where few images are disputed.

    The rate at which equal settings are declared different is simulated in experiments/verdict.
    """
    gaps = first.shares - second.shares
    seeds = [float(np.var(side.accuracies, ddof=1)) / len(side.accuracies) for side in (first, second)]
    freedoms = [len(side.accuracies) - 1 for side in (first, second)]
    by_freedom = sum(variance**2 / freedom for variance, freedom in zip(seeds, freedoms, strict=True))
    welch = sum(seeds) ** 2 / by_freedom if by_freedom else math.inf
    counted_twice = sum(_disagreement(side) for side in (first, second))
    images = max(0.0, float(np.mean(gaps**2)) / len(gaps) - counted_twice) + 2 / len(gaps) ** 2
    return Difference(float(np.mean(gaps)), sum(seeds), images, min(welch, 2 * min(freedoms)))


def _disagreement(side: Readers) -> float:
    """Return the variance of a setting's accuracy that comes from its trainings reading the same image differently."""
    within = side.shares * (1 - side.shares) / np.maximum(side.tries - 1, 1)
    return float(np.mean(within)) / len(within)


def log_odds(accuracies: Sequence[float], tested: Sequence[int]) -> np.ndarray:
    """Return the log-odds of reading a text, float [run], kept finite for shares of 0 and 1 by adding half a count."""
    count = np.asarray(tested, dtype=float)
    right = np.asarray(accuracies, dtype=float) * count
    return np.log((right + 0.5) / (count - right + 0.5))


def _student(freedom: float) -> float:
    """Return half the width of a 95 % interval, in standard deviations, by Student's t."""
    from scipy.special import stdtrit  # slow to import, and not needed to compare single runs

    return float(stdtrit(freedom, 0.975))


MOST = 1e9  # bound of a factor of images, and its inverse


def crossing(images: Sequence[float], odds: Sequence[float], wanted: float) -> float | None:
    """Return the number of images at which log-odds first reach `wanted`; None if they do not.

    The log-odds are interpolated linearly over the log of the rising numbers of images. If the first number already
    reaches it, that number is returned.
    """
    there = next((place for place, value in enumerate(odds) if value >= wanted), None)
    if not there:
        return None if there is None else images[0]
    left, right = math.log(images[there - 1]), math.log(images[there])
    below, above = odds[there - 1], odds[there]
    return math.exp(left + (right - left) * (wanted - below) / (above - below))


def common_slope(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float | None:
    """Return the slope of log-odds over the log number of images, common to all groups; each group has its own offset.

    None if no group has different numbers of images.
    """
    together, width = 0.0, 0.0
    for images, odds in groups:
        x = np.log(np.asarray(images, dtype=float))
        together += float(((x - x.mean()) * np.asarray(odds)).sum())
        width += float(((x - x.mean()) ** 2).sum())
    return together / width if width else None


MOST = 1e9  # bound of a factor of images, and its inverse


class Factor(NamedTuple):
    """Factor by which the needed labelled images multiply, with its 95 % interval."""

    value: float
    at_least: float
    at_most: float


def factor(gains: Sequence[float], slope: float) -> Factor | None:
    """Return the factor of images worth the mean gain in log-odds of paired runs; None if it cannot be estimated."""
    if len(gains) < 2 or slope <= 0:
        return None
    mean = float(np.mean(gains))
    reach = _student(len(gains) - 1) * float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    furthest = math.log(MOST)
    ends = (max(-furthest, min(furthest, gain / slope)) for gain in (mean, mean - reach, mean + reach))
    return Factor(*map(math.exp, ends))
