"""A comparison of runs, made once for all that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.errors import Mistake
from capbench.report.compare import folders, learning, ranking, readings
from capbench.report.compare.folders import LeftOut, Run
from capbench.report.compare.learning import LearningCurve
from capbench.report.compare.ranking import Row
from capbench.report.compare.readings import Contest
from capbench.report.compare.statistics import Growth

MOST_NAMES = 5


@dataclass(frozen=True)
class Comparison:
    folder: str
    by: str
    keys: list[str]
    rows: list[Row]
    left_out: list[LeftOut]
    contest: Contest | None
    """of the first row with the second, where there are two and they read the same images"""
    learned: list[LearningCurve]

    @property
    def runs(self) -> list[Run]:
        """By rank."""
        return [run for row in self.rows for run in row.runs]

    @property
    def summary(self) -> str:
        count = sum(len(row.runs) for row in self.rows)
        left_out = f"; {len(self.left_out):,} left out" if self.left_out else ""
        return f"{count:,} run{'s' * (count > 1)} in {len(self.rows):,} row{'s' * (len(self.rows) > 1)}{left_out}"

    @property
    def verdict(self) -> str:
        """Whether the first row really reads better than the second."""
        if len(self.rows) < 2:
            return ""
        if self.contest is None:
            return "The first two have no stored predictions of the same images, so that no test can tell them apart."
        first, second, images, p = self.contest.first, self.contest.second, self.contest.images, self.contest.p
        if p >= 0.05:
            told = "The first two cannot be told apart by what they read"
        elif first > second:
            told = "The first really reads better than the second"
        else:
            told = "The first reads worse than the second, whatever its rank"
        return (
            f"{told}: of {images:,} images, {first:,} are read more often by the first and {second:,} by the second "
            f"(McNemar's exact test, p = {p:.2g})."
        )

    @property
    def warning(self) -> str:
        """Which runs are tested on what they know already; "" where none is known to be."""
        names = [run.name for run in self.runs if run.number("test/taught") or run.number("test/validated")]
        if not names:
            return ""
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        return (
            f"Tested also on images that they or runs they began with were taught or validated on: "
            f"{', '.join(names[:MOST_NAMES])}{more}; by=test/exact_unseen ranks by the others."
        )

    def forecasts(self, most: int | None = None) -> list[str]:
        """How many labelled images each of the first `most` learning curves wants for some accuracies, a line each."""
        return [f"{', '.join(curve.values) or 'forecast'}: {_forecast(curve.growth)}" for curve in self.learned[:most]]


def _forecast(growth: Growth) -> str:
    told = []
    for accuracy in learning.TARGETS:
        images, least, most = map(_roughly, growth.needed(accuracy))
        band = f"{least or '…'} to {most or '…'}"
        told.append(f"{accuracy} from {images} labelled images on ({band})" if images else f"{accuracy} not in sight")
    return "; ".join(told)


def _roughly(images: float | None) -> str:
    return "" if images is None else f"{float(f'{images:.2g}'):,.0f}"


def compare(root: Path, where: Mapping[str, Any] | None, by: str, group: str | list[str] | None) -> Comparison:
    found, left_out = folders.read(root)
    if not found:
        reason = f" ({left_out[0].name} {left_out[0].reason})" if left_out else ""
        raise Mistake(f"runs: {root} holds no finished run{reason}; train some, or give another folder")
    runs = ranking.chosen(found, where)
    keys = ranking.keys(runs, group)
    rows = ranking.rows(runs, keys, by)
    contest = readings.contest(rows[0].runs, rows[1].runs) if len(rows) > 1 else None
    return Comparison(str(root), by, keys, rows, left_out, contest, learning.curves(runs, keys))
