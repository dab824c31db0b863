"""Data of the comparison's HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from capbench.compare import document, exams, learning, ranking
from capbench.compare.comparison import Comparison
from capbench.compare.document import short
from capbench.compare.folders import Pictures, Run, shown
from capbench.compare.ranking import Row
from capbench.errors import Mistake
from capbench.runs import MOST_BYTES_OF_TABLES

TEMPLATE = Path(__file__).with_name("page.html.jinja")
SCRIPTS = ("runs.js", "pair.js", "page.js")
MEASURES = (
    "test/exact", "test/exact_nocase", "test/char", "test/cer", "test/ece", "test/images", "val/exact", "train/exact",
    "train/seconds", "train/images_per_second", "params", "best/epoch",
)  # fmt: skip
CURVES = ("val/exact", "val/loss", "train/exact", "train/loss")
STEPS = ("epoch", "images", "seconds")
MOST_EPOCHS = 60  # points of a run's curve; longer curves are sampled evenly


def write(path: Path, comparison: Comparison, pictures: Pictures = "rendered") -> None:
    """Write the comparison's page."""
    document.write(path, TEMPLATE, SCRIPTS, data(comparison, pictures))


def data(comparison: Comparison, pictures: Pictures = "rendered") -> dict[str, Any]:
    """Return all data of the page; runs are in order of rank, and each of their properties is one list."""
    runs = comparison.runs
    exam, judged = exams.judge(comparison.rows, pictures)
    place = {id(run): number for number, run in enumerate(runs)}
    facts = [key for key in _keys(run.result for run in runs) if key.startswith(("version/", "data/"))]
    return {
        "folder": comparison.folder,
        "by": comparison.by,
        "less": ranking.less_is_better(comparison.by),
        "summary": comparison.summary,
        "verdict": " ".join(line for line in (comparison.verdict, comparison.warning) if line),
        "version": version("capbench"),
        "keys": comparison.keys,
        "rows": [_row(row, place) for row in comparison.rows],
        "names": [run.name for run in runs],
        "marks": [run.marks for run in runs],
        "seeds": [shown(run.settings.get("seed")) for run in runs],
        "intervals": [_interval(run.result.get("test/exact_ci")) for run in runs],
        "measures": {
            **{key: [short(run.number(key)) for run in runs] for key in dict.fromkeys((*MEASURES, comparison.by))},
            "labelled": [short(learning.labelled(run)) for run in runs],
        },
        "settings": {key: _column(run.settings.get(key) for run in runs) for key in ranking.differing(runs)},
        "facts": {key: _column(run.result.get(key) for run in runs) for key in ("command", "git", "machine", *facts)},
        "curves": [_curve(run) for run in runs],
        "exams": exam,
        "judged": judged,
        "learning_keys": learning.keys_of(comparison.keys),
        "learning": [_learning(curve, place) for curve in comparison.learned],
        "left_out": comparison.left_out,
    }


def _keys(results: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for result in results for key in result))


def _row(row: Row, place: dict[int, int]) -> dict[str, Any]:
    return {
        "values": row.values,
        "runs": [place[id(run)] for run in row.runs],
        "mean": short(row.mean),
        "spread": short(row.spread),
        "interval": _interval(row.interval),
        "marks": row.marks,
    }


def _column(values: Iterable[Any]) -> dict[str, list[Any]]:
    """Return a column as its distinct values, and for each run the index of its value."""
    known: dict[str, int] = {}
    which = [known.setdefault("" if value is None else shown(value), len(known)) for value in values]
    return {"values": list(known), "of": which}


def _curve(run: Run) -> dict[str, list[float | None]] | None:
    """Return the curves in metrics.csv by column; None if the file cannot be read."""
    try:
        content = run.folder.content(run.folder.metrics, MOST_BYTES_OF_TABLES)
        heading, *rows = csv.reader(io.StringIO(content, newline=""))
        rows = [rows[place] for place in _evenly(len(rows))]
        columns = dict(zip(heading, zip(*rows, strict=True), strict=True))
        wanted = [key for key in (*STEPS, *CURVES) if key in columns]
        return {key: [short(float(cell)) if cell else None for cell in columns[key]] for key in wanted}
    except (OSError, ValueError, csv.Error, Mistake):
        return None


def _evenly(count: int) -> Sequence[int]:
    return range(count) if count <= MOST_EPOCHS else np.linspace(0, count - 1, MOST_EPOCHS).round().astype(int).tolist()


def _interval(ends: Any) -> list[float | None] | None:
    try:
        low, high = map(float, ends)
    except (TypeError, ValueError):
        return None
    return [short(low), short(high)]


def _learning(curve: learning.LearningCurve, place: dict[int, int]) -> dict[str, Any]:
    forecast = curve.forecast
    assert forecast is not None  # else it would be no learning curve
    return {
        "values": curve.values,
        "runs": [place[id(run)] for run in curve.runs],
        "most": curve.most,
        "line": [[short(number) for number in point[:4]] for point in curve.points],
        "forecast": [[short(number) for number in point] for point in forecast.drawn()],
        "furthest": str(curve.furthest),
        "needed": [[target, str(curve.images(target))] for target in learning.TARGETS],
    }
