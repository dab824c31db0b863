"""Forecast of the accuracy that more labelled images than any that were measured would bring."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

import numpy as np

from capbench.compare.statistics import Z, log_odds, spread

FEWEST = 3  # different numbers of images
FURTHER = 4  # times the most images measured: the range of a forecast
STEP = 2  # times as many images: the least distance over which a rise is measured, if there are amounts so far apart
BEGUN = 0.1  # accuracy below which a rise may yet begin at any number of images
WIDEST = 0.3  # of accuracy; a wider band says nothing of use
SEEDS = 0.15  # standard deviation of log-odds between seeds, where the runs do not show a larger one
SMOOTH = 40  # points of a drawn line
STEPS = 400  # numbers of images from the most measured to the furthest


class Measured(NamedTuple):
    """Log-odds of the mean accuracy with one number of images, and their variance by the chance of images and seeds."""

    images: float
    odds: float
    variance: float


class Needed(NamedTuple):
    """Images needed for an accuracy by the middle of a forecast, and the fewest that its band allows.

    A value is None if it is above FURTHER times the most images measured.
    """

    images: float | None
    at_least: float | None


@dataclass(frozen=True)
class Forecast:
    """Log-odds of reading a text, over the log of the number of images, from the last measured point on.

    Curves flatten after their steep start. The middle therefore rises half as steeply as the last measured rise; the
    band reaches from no rise at all to a rise that goes on as steeply. Both ends are moved outwards by the chance of
    test images and seeds, in what was measured and in a new run (95 %). Below an accuracy of BEGUN a network may find
    its first characters at any number of images, so the band has no upper end there. Its coverage is measured in
    experiments/forecast.
    """

    last: Measured
    rise: float
    """Rise of the log-odds for each unit of the log of images, at least 0."""
    rise_variance: float
    seeds: float
    """Standard deviation of log-odds between seeds."""
    tested: int
    """Number of test images of a new run."""

    @classmethod
    def of(cls, images: Sequence[float], accuracies: Sequence[float], tested: Sequence[int]) -> Forecast | None:
        """Return the forecast from runs, given by three lists; None with fewer than three different numbers of images."""
        if len(set(images)) < FEWEST:
            return None
        runs: dict[float, list[tuple[float, int]]] = defaultdict(list)
        for amount, accuracy, count in zip(images, accuracies, tested, strict=True):
            runs[amount].append((accuracy, count))
        measured = [_measured(amount, runs[amount]) for amount in sorted(runs)]
        last = measured[-1]
        before = [one for one in measured[:-1] if one.images <= last.images / STEP]
        first = before[-1] if before else measured[0]
        distance = math.log(last.images / first.images)
        rise, variance = (last.odds - first.odds) / distance, (last.variance + first.variance) / distance**2
        latest = runs[last.images]
        return cls(last, max(0.0, rise), variance, _seeds(latest), min(count for _, count in latest))

    @property
    def most(self) -> float:
        """Largest number of images measured."""
        return self.last.images

    @property
    def furthest(self) -> float:
        """Largest number of images of a forecast."""
        return FURTHER * self.most

    @cached_property
    def told_to(self) -> float:
        """Largest number of images for which the band is narrow enough to tell something; the most measured if none."""
        amounts, (_, low, high) = self._lines
        told = amounts[high - low <= WIDEST]  # the band widens with the number of images
        return float(told[-1]) if len(told) else self.most

    def at(self, images: float) -> tuple[float, float, float]:
        """Return the expected accuracy, and the ends of the band, at a number of images from the most measured on."""
        middle, low, high = self.along(np.array([images]))[:, 0].tolist()
        return middle, low, high

    def along(self, images: np.ndarray) -> np.ndarray:
        """Return the expected accuracy and the ends of the band for numbers of images [image]: float [3, image]."""
        further = np.log(images / self.most)
        middle, steep = self.last.odds + self.rise * further / 2, self.last.odds + self.rise * further
        low = np.full_like(further, self.last.odds - Z * math.sqrt(self.last.variance + self._chance(self.last.odds)))
        begun = self.last.odds >= math.log(BEGUN / (1 - BEGUN))
        chance = self.last.variance + self._chance(steep) + self.rise_variance * further**2
        high = steep + Z * np.sqrt(chance) if begun else np.full_like(further, np.inf)
        return 0.5 * (1 + np.tanh(np.stack([middle, low, high]) / 2))

    def _chance(self, odds: np.ndarray | float) -> np.ndarray:
        """Return the variance of the log-odds of a new run that are expected to be `odds`."""
        return self.seeds**2 + _of_images(odds, self.tested)

    @cached_property
    def _lines(self) -> tuple[np.ndarray, np.ndarray]:
        amounts = np.geomspace(self.most, self.furthest, STEPS)
        return amounts, self.along(amounts)

    def drawn(self) -> list[list[float]]:
        """Return the points of the forecast as far as it tells something: images, expected accuracy, ends of the band."""
        if self.told_to <= self.most:
            return []
        amounts = np.geomspace(self.most, self.told_to, SMOOTH)
        return np.vstack([amounts, self.along(amounts)]).T.tolist()

    def needed(self, accuracy: float) -> Needed:
        """Return the labelled images from which on this accuracy is expected."""
        amounts, (middle, _, high) = self._lines
        reached = [np.flatnonzero(line >= accuracy) for line in (middle, high)]
        return Needed(*(float(amounts[there[0]]) if len(there) else None for there in reached))


def _measured(images: float, runs: Sequence[tuple[float, int]]) -> Measured:
    """Return the mean of runs, each given by its accuracy and its number of test images; all test on the same images."""
    tested = min(count for _, count in runs)
    odds = float(log_odds([fmean(accuracy for accuracy, _ in runs)], [tested])[0])
    return Measured(images, odds, _seeds(runs) ** 2 / len(runs) + float(_of_images(odds, tested)))


def _of_images(odds: np.ndarray | float, tested: int) -> np.ndarray:
    """Return the variance of log-odds by the chance of test images."""
    right = tested / (1 + np.exp(-np.asarray(odds)))
    return 1 / (right + 0.5) + 1 / (tested - right + 0.5)


def _seeds(runs: Sequence[tuple[float, int]]) -> float:
    """Return the standard deviation of log-odds between seeds."""
    accuracies, tested = zip(*runs, strict=True)
    return max(SEEDS, spread(log_odds(accuracies, tested).tolist()) or 0.0)
