"""What runs read of their test images, from predictions.csv."""

from __future__ import annotations

import csv
import io
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

    names: list[str]
    texts: list[str]
    answers: list[str]
    confidences: np.ndarray
    right: np.ndarray


def of(run: Run) -> Readings | None:
    """None where the run has none that can be read."""
    try:
        names, texts, answers, confidences = _columns(run.folder.predictions.read_bytes().decode())
        right = np.fromiter(map(str.__eq__, texts, answers), dtype=bool, count=len(texts))
        sure = np.fromiter(map(float, confidences), dtype=float, count=len(confidences))
        return Readings(names, texts, answers, sure, right) if ((sure >= 0) & (sure <= 1)).all() else None
    except (OSError, ValueError, csv.Error):
        return None


def _columns(content: str) -> list[list[str]]:
    """The four columns, without their headings. Where nothing is quoted, commas part them four times as fast as csv."""
    wide = len(Prediction._fields)
    if '"' in content:
        rows = list(csv.reader(io.StringIO(content, newline="")))
        regular = all(len(row) == wide for row in rows)
        cells = [cell for row in rows for cell in row]
    else:
        lines = content.replace("\r\n", "\n").rstrip("\n")
        cells = lines.replace("\n", ",").split(",")
        regular = len(cells) == wide * (lines.count("\n") + 1)
    if not regular or cells[:wide] != list(Prediction._fields) or len(cells) == wide:
        raise ValueError("is no table of predictions")
    return [cells[wide + column :: wide] for column in range(wide)]


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
