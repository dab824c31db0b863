"""Learning curves: accuracy against the number of labelled images, for runs with otherwise equal settings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal, NamedTuple

from capbench.compare.folders import Run, shown
from capbench.compare.forecast import Forecast
from capbench.compare.ranking import AMOUNT
from capbench.compare.statistics import crossing, log_odds
from capbench.metrics import wilson

TARGETS = (0.5, 0.9, 0.99)
UNTOLD = "cannot be told from these"


@dataclass(frozen=True)
class Reached:
    """Amount of images or seconds at which a target accuracy is reached."""

    how: Literal["measured", "at most", "forecast", "not within", "cannot be told"]
    amount: float
    """Labelled images or seconds; if the target is not reached, the largest amount tried or forecast."""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def there(self) -> bool:
        """True if the target is reached, by measurement or forecast."""
        return self.how not in ("not within", "cannot be told")

    def __str__(self) -> str:
        if self.how == "cannot be told":
            return UNTOLD
        if self.how in ("not within", "at most"):
            return f"{self.how} {_round(self.amount)}"
        text = f"{_round(self.amount)} ({_end(self.at_least)} to {_end(self.at_most)})"
        return text + (", forecast" if self.how == "forecast" else "")


def _round(amount: float) -> str:
    """Return the amount rounded to 2 significant digits, which is more than its precision."""
    rounded = float(f"{amount:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _end(amount: float | None) -> str:
    return "…" if amount is None else _round(amount)


class Point(NamedTuple):
    """Mean accuracy of the runs with one number of labelled images, with its interval and the number of test images."""

    images: float
    exact: float
    low: float
    high: float
    tested: int


@dataclass(frozen=True)
class Learned:
    """Runs that differ only in their number of labelled images and their seeds."""

    runs: list[Run]

    @cached_property
    def points(self) -> list[Point]:
        """Points by rising number of images: mean accuracy, and an interval that spans those of the runs (95 %)."""
        gathered: dict[float, list[Run]] = defaultdict(list)
        for run in self.runs:
            gathered[labelled(run)].append(run)
        return [_point(images, gathered[images]) for images in sorted(gathered)]

    @cached_property
    def forecast(self) -> Forecast | None:
        """Forecast of accuracy with more images; None with fewer than three different numbers of images."""
        return Forecast.of([labelled(run) for run in self.runs], *tests(self.runs))

    @property
    def most(self) -> float:
        """Largest number of labelled images."""
        return self.points[-1].images

    @property
    def best(self) -> float:
        """Highest mean accuracy of any point."""
        return max(point.exact for point in self.points)

    def images(self, target: float) -> Reached:
        """Return the labelled images needed for an accuracy: interpolated between measured points, or else forecast."""
        points = self.points
        tried, tested = [point.images for point in points], [point.tested for point in points]
        wanted = math.log(target / (1 - target))
        at, early, late = (
            crossing(tried, log_odds(values, tested).tolist(), wanted)
            for values in ([p.exact for p in points], [p.high for p in points], [p.low for p in points])
        )
        if at is not None:
            return Reached("at most", at) if at == tried[0] else Reached("measured", at, early, late)
        return Reached("not within", self.most) if self.forecast is None else _foretold(self.forecast, target)


def _foretold(forecast: Forecast, target: float) -> Reached:
    images, least = forecast.needed(target)
    if least is None:
        return Reached("not within", forecast.furthest)
    if images is None or images > forecast.told_to:
        return Reached("cannot be told", forecast.most)
    # No upper bound: accuracy may not rise above that of the largest amount, which is below the target.
    return Reached("forecast", images, least)


def _point(images: float, runs: Sequence[Run]) -> Point:
    shares, tested = tests(runs)
    ends = [wilson(share * count, count) for share, count in zip(shares, tested, strict=True)]
    return Point(images, fmean(shares), min(low for low, _ in ends), max(high for _, high in ends), min(tested))


def tests(runs: Sequence[Run]) -> tuple[list[float], list[int]]:
    """Return the accuracy of each run, and its number of test images."""
    return [run.result["test/exact"] for run in runs], [run.result["test/images"] for run in runs]


@dataclass(frozen=True)
class LearningCurve(Learned):
    """Learning curve with enough points for a forecast: at least three different numbers of images."""

    values: tuple[str, ...]
    """Values of the settings that distinguish the curves."""

    def __str__(self) -> str:
        text = "; ".join(f"{target}: {self._amount(self.images(target))}" for target in TARGETS)
        return f"{', '.join((*self.values, 'labelled images for'))} {text}; {self.furthest}"

    @property
    def furthest(self) -> str:
        """Accuracy with the most images of the forecast, as text."""
        assert self.forecast is not None  # else it would be no learning curve
        images = self.forecast.furthest
        middle, low, high = self.forecast.at(images)
        told = self.forecast.told_to >= images
        return f"with {_round(images)}: {f'{middle:.3f} ({low:.3f} to {high:.3f}), forecast' if told else UNTOLD}"

    def _amount(self, reached: Reached) -> str:
        beyond = not reached.there and reached.amount > self.most
        return f"{reached}{', the limit of the forecast' if beyond else ''}"


def keys_of(keys: Sequence[str]) -> list[str]:
    """Return the keys that distinguish curves: all but the number of images."""
    return [key for key in keys if key not in AMOUNT]


def curves(runs: Sequence[Run], keys: Sequence[str]) -> list[LearningCurve]:
    """Return the learning curves with at least three different numbers of images; pruned runs are left out."""
    gathered: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if labelled(run) > 0 and not run.given_up:
            gathered[tuple(shown(run.value(key)) for key in keys_of(keys))].append(run)
    found = []
    for values, members in gathered.items():
        curve = LearningCurve(members, values)
        if curve.forecast is not None:
            found.append(curve)
    return found


def labelled(run: Run) -> float:
    """Return the number of labelled images that the tested recogniser learned from; with folds, the fewest of a fold.

    Fresh rendered images all count, as no image is shown twice.
    """
    if run.settings.get("data.fresh") and run.settings.get("data.train_size") is None and run.number("train/images"):
        return run.number("train/images") or 0
    return run.number("data/fold_train") or run.number("data/train") or 0
