"""Comparison of a folder of runs, computed once for screen, page and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.compare import folders, learning, ranking, readings
from capbench.compare.folders import LeftOut, Run
from capbench.compare.learning import LearningCurve
from capbench.compare.ranking import Row
from capbench.compare.readings import Contest, Pair
from capbench.compare.statistics import Difference
from capbench.errors import Mistake

MOST_NAMES = 5


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison: ranked rows of runs, the test between the first two rows, and learning curves."""

    folder: str
    by: str
    keys: list[str]
    rows: list[Row]
    left_out: list[LeftOut]
    contest: Contest | None
    """Test between the first two rows; None if there is one row, or the two have no test images in common."""
    learned: list[LearningCurve]

    @property
    def runs(self) -> list[Run]:
        """All runs, by rank of their rows."""
        return [run for row in self.rows for run in row.runs]

    @property
    def summary(self) -> str:
        """Counts of runs, rows and runs left out."""
        count = sum(len(row.runs) for row in self.rows)
        left_out = f"; {len(self.left_out):,} left out" if self.left_out else ""
        return f"{count:,} run{'s' * (count > 1)} in {len(self.rows):,} row{'s' * (len(self.rows) > 1)}{left_out}"

    @property
    def verdict(self) -> str:
        """Sentence that says if the first row reads significantly better than the second; "" with a single row."""
        if len(self.rows) < 2:
            return ""
        if self.contest is None:
            return "The first two rows have no stored predictions of the same images, so they cannot be tested against each other."
        different = self.contest.difference
        return _of_networks(self.contest.pair) if different is None else _of_settings(self.contest, different)

    @property
    def warning(self) -> str:
        """Sentence that names runs tested on images that they were trained or validated on; "" if none is known."""
        names = [run.name for run in self.runs if run.number("test/taught") or run.number("test/validated")]
        if not names:
            return ""
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        return (
            f"Runs tested on images that they, or runs they started from, were trained or validated on: "
            f"{', '.join(names[:MOST_NAMES])}{more}; by=test/exact_unseen ranks by the other images."
        )

    def forecasts(self, most: int | None = None) -> list[str]:
        """Return the labelled images needed for some accuracies, one line for each of the first `most` curves."""
        return [str(curve) for curve in self.learned[:most]]


def _of_settings(contest: Contest, different: Difference) -> str:
    if not different.is_sure:
        finding = "The first two rows do not differ significantly"
    elif different.value > 0:
        finding = "The first row reads significantly better than the second"
    else:
        finding = "The first row reads significantly worse than the second, despite its rank"
    first, second = (len(side.accuracies) for side in (contest.first, contest.second))
    return (
        f"{finding}: a difference of {different.value:+.4f} over {first:,} and {second:,} runs and "
        f"{contest.images:,} image{'s' * (contest.images > 1)} "
        f"(95 % interval over seeds and images: {different.at_least:+.4f} to {different.at_most:+.4f})."
    )


def _of_networks(pair: Pair) -> str:
    if pair.p >= 0.05:
        finding = f"{pair.first} and {pair.second} do not differ significantly"
    else:
        better, worse = (pair.first, pair.second) if pair.first_only > pair.second_only else (pair.second, pair.first)
        finding = f"{better} reads significantly better than {worse}"
    return (
        f"With one seed in a row, only two trained networks can be compared: {finding}; of {pair.images:,} images, "
        f"{pair.first_only:,} are read by the first alone and {pair.second_only:,} by the second alone (McNemar's exact "
        f"test, p = {pair.p:.2g}). Other seeds may reverse this: train at least two of each."
    )


def compare(root: Path, where: Mapping[str, Any] | None, by: str, group: str | list[str] | None) -> Comparison:
    """Return the comparison of the runs below `root` that match `where`, ranked by `by` and grouped by `group`."""
    found, left_out = folders.read(root)
    if not found:
        reason = f" ({left_out[0].name} {left_out[0].reason})" if left_out else ""
        raise Mistake(f"runs: {root} has no finished run{reason}; train one, or give another folder")
    runs, repeats = ranking.once(ranking.chosen(ranking.with_content(found), where))
    keys = ranking.keys(runs, group)
    rows = ranking.rows(runs, keys, by)
    contest = readings.contest(rows[0].runs, rows[1].runs) if len(rows) > 1 else None
    return Comparison(str(root), by, keys, rows, [*left_out, *repeats], contest, learning.curves(runs, keys))
