"""Comparison as a table on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.compare.comparison import Comparison
from capbench.compare.ranking import SHARES_OF, Row
from capbench.errors import lines, printable

MOST_ROWS = 40
MOST_FORECASTS = 12
WIDEST = 28  # characters of a setting's value


def table(comparison: Comparison) -> str:
    """Return the ranked rows, the verdict on the first two, the forecasts, and what was left out."""
    shown = comparison.rows[:MOST_ROWS]
    keys = [printable(key, WIDEST) for key in comparison.keys]
    heading = ["", *keys, comparison.by, "95 %", "runs", "parameters", "seconds"]
    cells = [heading, *(_cells(number, row, comparison.by) for number, row in enumerate(shown, 1))]
    rows = ["", *_aligned(cells)]
    hidden = len(comparison.rows) - len(shown)
    rows += [f"… and {hidden:,} more rows"] if hidden else []
    rows += ["", comparison.summary]
    rows += [line for line in (comparison.verdict, comparison.warning) if line]
    rows += comparison.forecasts(MOST_FORECASTS)
    untold = len(comparison.learned) - MOST_FORECASTS
    rows += [f"… and {untold:,} more forecasts"] if untold > 0 else []
    for name, reason in comparison.left_out[:5]:
        rows.append(f"left out: {name} {reason}")
    more = len(comparison.left_out) - 5
    return lines([*rows, *([f"left out: {more:,} more"] if more > 0 else [])])


def _cells(rank: int, row: Row, by: str) -> list[str]:
    values = [printable(value, WIDEST) for value in row.values]
    interval = f"{row.interval[0]:.4f} to {row.interval[1]:.4f}" if row.interval else ""
    costs = [count(row.average("params")), count(row.average("train/seconds"))]
    return [str(rank), *values, measured(row, by), interval, runs(row), *costs]


def runs(row: Row) -> str:
    """Return the number of runs with the remarks on them."""
    return " ".join([f"{len(row.runs):,}", ", ".join(row.marks)]).rstrip()


def measured(row: Row, by: str) -> str:
    """Return the mean, and the spread over seeds if there are several runs."""
    if row.mean is None:
        return "–"
    kind = ".4f" if by in SHARES_OF or abs(row.mean) <= 1 else ",.6g"
    return format(row.mean, kind) + (f" ± {format(row.spread, kind)}" if row.spread is not None else "")


def count(value: float | None) -> str:
    """Return the number without decimals, or – for None."""
    return "–" if value is None else f"{value:,.0f}"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the table's lines: settings aligned left, numbers right."""
    columns = len(cells[0])
    widths = [max(len(row[column]) for row in cells) for column in range(columns)]
    left = range(1, columns - 5)
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
