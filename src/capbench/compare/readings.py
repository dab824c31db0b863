"""Readings of test images, loaded from predictions.csv."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from capbench.compare.folders import Run
from capbench.compare.statistics import Difference, Readers, difference, mcnemar
from capbench.errors import Mistake
from capbench.runs import MOST_BYTES_OF_TABLES, Prediction


@dataclass(frozen=True)
class Readings:
    """Columns of predictions.csv; `confidences` is float [image], `right` is bool [image]."""

    names: list[str]
    texts: list[str]
    answers: list[str]
    confidences: np.ndarray
    right: np.ndarray


def of(run: Run) -> Readings | None:
    """Return the readings of the run, or None if there are none that can be loaded."""
    try:
        names, texts, answers, confidences = _columns(run.folder.content(run.folder.predictions, MOST_BYTES_OF_TABLES))
        right = np.fromiter(map(str.__eq__, texts, answers), dtype=bool, count=len(texts))
        sure = np.fromiter(map(float, confidences), dtype=float, count=len(confidences))
        return Readings(names, texts, answers, sure, right) if ((sure >= 0) & (sure <= 1)).all() else None
    except (OSError, ValueError, csv.Error, Mistake):
        return None


def _columns(content: str) -> list[list[str]]:
    """Return the four columns without their headings.

    Without quotes in the file, splitting at commas is four times as fast as the csv module.
    """
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
        raise ValueError("is not a table of predictions")
    return [cells[wide + column :: wide] for column in range(wide)]


class Pair(NamedTuple):
    """Two trained networks, and the numbers of images that only one of them reads."""

    first: str
    second: str
    """Names of the two runs."""
    first_only: int
    second_only: int
    images: int

    @property
    def p(self) -> float:
        """p-value of McNemar's exact test."""
        return mcnemar(self.first_only, self.second_only)


_ByOrigin = dict[object, dict[str, Readings]]
"""Readings of runs by origin of the images and by run name."""


@dataclass(frozen=True)
class Contest:
    """Test between two rows, on the images that runs of both were tested on."""

    first: Readers
    second: Readers
    pair: Pair
    """First run of each row that was tested on the common images."""

    @property
    def images(self) -> int:
        """Number of common images."""
        return len(self.first.shares)

    @cached_property
    def difference(self) -> Difference | None:
        """Difference between the rows; None if a row has a single training, whose spread over seeds is unknown."""
        trainings = min(len(side.accuracies) for side in (self.first, self.second))
        return difference(self.first, self.second) if trainings > 1 else None

    @property
    def p(self) -> float:
        """p-value of the difference between the rows, or between two networks if a row has a single training."""
        return self.pair.p if self.difference is None else self.difference.p

    @property
    def is_won(self) -> bool:
        """True if the first row reads more than the second."""
        return self.pair.first_only > self.pair.second_only if self.difference is None else self.difference.value > 0


def contests(first: Sequence[Run], others: Iterable[Sequence[Run]]) -> list[Contest | None]:
    """Return the tests between one row and others; None for a row without test images in common, or with other texts."""
    ours = _by_origin(first)
    return [_contest(ours, _by_origin(other)) for other in others]


def _contest(ours: _ByOrigin, theirs: _ByOrigin) -> Contest | None:
    blocks: list[tuple[_Block, _Block]] = []
    for origin in [origin for origin in ours if origin in theirs]:
        sides = ours[origin], theirs[origin]
        texts, others = (_texts(side) for side in sides)
        common = [name for name in texts if name in others]
        if any(texts[name] != others[name] for name in common):
            return None
        if common:
            blocks.append((_Block(sides[0], common), _Block(sides[1], common)))
    if not blocks:
        return None
    first_side, second_side = (_together(block) for block in zip(*blocks, strict=True))
    return Contest(first_side, second_side, _pair(*blocks[0]))


def _by_origin(runs: Iterable[Run]) -> _ByOrigin:
    found: _ByOrigin = defaultdict(dict)
    for run in runs:
        read = of(run)
        if read is not None:
            found[run.origin][run.name] = read
    return found


def _texts(side: Mapping[str, Readings]) -> dict[str, str]:
    return {name: text for read in side.values() for name, text in zip(read.names, read.texts, strict=True)}


class _Block:
    """Images of one origin, and the readings of some runs for them."""

    def __init__(self, side: Mapping[str, Readings], images: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(images)}
        right = np.full((len(side), len(images)), np.nan)
        for row, read in zip(right, side.values(), strict=True):
            kept = [place for place, name in enumerate(read.names) if name in places]
            row[[places[read.names[place]] for place in kept]] = read.right[kept]
        shown = ~np.isnan(right)
        self.runs = [run for run, any_shown in zip(side, shown.any(axis=1), strict=True) if any_shown]
        self.right = right[shown.any(axis=1)]
        """float [run, image]: 1 if right, 0 if wrong, NaN if the run was not tested on the image."""


def _together(blocks: Iterable[_Block]) -> Readers:
    rights = [block.right for block in blocks]
    return Readers(
        np.concatenate([np.nanmean(right, axis=1) for right in rights]),
        np.concatenate([np.nanmean(right, axis=0) for right in rights]),
        np.concatenate([np.isfinite(right).sum(axis=0) for right in rights]),
    )


def _pair(first: _Block, second: _Block) -> Pair:
    gaps = first.right[0] - second.right[0]
    counts = (int(np.count_nonzero(found)) for found in (gaps > 0, gaps < 0, np.isfinite(gaps)))
    return Pair(first.runs[0], second.runs[0], *counts)
