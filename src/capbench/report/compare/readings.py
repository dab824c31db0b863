"""What runs read of their test images, from predictions.csv."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from capbench.report.compare.folders import Run
from capbench.report.compare.statistics import mcnemar
from capbench.runs import Prediction


@dataclass(frozen=True)
class Readings:
    """The rows of predictions.csv as columns."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    answers: tuple[str, ...]
    confidences: np.ndarray
    right: np.ndarray


def of(run: Run) -> Readings | None:
    """None where the run has none that can be read."""
    try:
        with run.folder.predictions.open(newline="", encoding="utf-8") as file:
            heading, *rows = csv.reader(file)
        if heading != list(Prediction._fields) or not rows:
            return None
        names, texts, answers, confidences = zip(*rows, strict=True)
        right = np.fromiter(map(str.__eq__, texts, answers), dtype=bool, count=len(texts))
        sure = np.fromiter(map(float, confidences), dtype=float, count=len(confidences))
        return Readings(names, texts, answers, sure, right) if ((sure >= 0) & (sure <= 1)).all() else None
    except (OSError, ValueError, csv.Error):
        return None


@dataclass(frozen=True)
class Contest:
    """Two rows on the same images: how many each reads more often, over its seeds, than the other."""

    first: int
    second: int
    images: int

    @property
    def p(self) -> float:
        return mcnemar(self.first, self.second)


def contest(first: Iterable[Run], second: Iterable[Run]) -> Contest | None:
    """Each image votes once, so that seeds do not count as more images; None where the images differ."""
    ours, theirs = _shares(first), _shares(second)
    common = ours.keys() & theirs.keys()
    if not common or any(ours[image][0] != theirs[image][0] for image in common):
        return None
    votes = [ours[image][1] - theirs[image][1] for image in common]
    return Contest(sum(vote > 0 for vote in votes), sum(vote < 0 for vote in votes), len(common))


def _shares(runs: Iterable[Run]) -> dict[tuple[object, str], tuple[str, float]]:
    """The text of each image, and the share of the runs that read it."""
    texts: dict[tuple[object, str], str] = {}
    rights: dict[tuple[object, str], list[bool]] = defaultdict(list)
    for run in runs:
        readings = of(run)
        if readings is None:
            continue
        for name, text, right in zip(readings.names, readings.texts, readings.right.tolist(), strict=True):
            texts[run.origin, name] = text
            rights[run.origin, name].append(right)
    return {image: (text, sum(rights[image]) / len(rights[image])) for image, text in texts.items()}
