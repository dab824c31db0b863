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
from capbench.compare.standing import Standing, some
from capbench.errors import Mistake

MOST_TESTED = 20  # rows after the first that are tested against it


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison: ranked rows of runs, the first row's standing, and learning curves."""

    folder: str
    by: str
    keys: list[str]
    rows: list[Row]
    left_out: list[LeftOut]
    standing: Standing
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
        """Sentences that say if the first row reads significantly better than others; "" with a single row."""
        return self.standing.verdict

    @property
    def warning(self) -> str:
        """Sentences that name runs whose test images were trained on or chosen by; "" if none is known."""
        met = [run.name for run in self.runs if run.number("test/taught") or run.number("test/validated")]
        searched = [run.name for run in self.runs if run.is_searched_on_test]
        sentences = []
        if met:
            sentences.append(
                f"Runs tested on images that they, or runs they started from, were trained or validated on: {some(met)}; "
                "by=test/exact_unseen ranks by the other images."
            )
        if searched:
            sentences.append(
                f"Runs of a search that, without validation images, chose settings by the test images: {some(searched)}; "
                "evaluate the best on images that none of them was tested on."
            )
        return " ".join(sentences)

    def forecasts(self, most: int | None = None) -> list[str]:
        """Return the labelled images needed for some accuracies, one line for each of the first `most` curves."""
        return [str(curve) for curve in self.learned[:most]]


def compare(root: Path, where: Mapping[str, Any] | None, by: str, group: str | list[str] | None) -> Comparison:
    """Return the comparison of the runs below `root` that match `where`, ranked by `by` and grouped by `group`."""
    found, left_out = folders.read(root)
    if not found:
        reason = f" ({left_out[0].name} {left_out[0].reason})" if left_out else ""
        raise Mistake(f"runs: {root} has no finished run{reason}; train one, or give another folder")
    runs, repeats = ranking.once(ranking.chosen(ranking.with_content(found), where))
    keys = ranking.keys(runs, group)
    rows = ranking.rows(runs, keys, by)
    contests = readings.contests(rows[0].runs, [row.runs for row in rows[1 : MOST_TESTED + 1]])
    standing = Standing(len(rows), contests)
    return Comparison(str(root), by, keys, rows, [*left_out, *repeats], standing, learning.curves(runs, keys))
