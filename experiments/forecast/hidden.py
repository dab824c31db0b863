"""Study of how often a forecast holds: the largest amounts of measured curves are hidden and forecast from the rest.

python experiments/forecast/hidden.py writes results.csv, a row for each forecast of a measured accuracy, and the tables
in README.md. Curves made up by a formula are forecast, too, and stand in a row of their own.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from capbench.compare.forecast import FEWEST, Forecast

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from measured import Curves, Point, kept  # noqa: E402
from study import put, write  # noqa: E402

Row = dict[str, str | float]

AMOUNTS = (250, 500, 1000, 2000, 4000, 8000)
MADE_UP = 200  # curves of each formula
TESTED = 2000


def forecasts(curves: Curves) -> Iterator[Row]:
    """Yield a row for each forecast of a hidden point from all smaller amounts but those hidden with it."""
    for name, points in curves.items():
        for known in range(FEWEST, len(points)):
            forecast = Forecast.of(*zip(*points[:known], strict=True))
            assert forecast is not None
            for hidden in points[known:]:
                if hidden.images <= forecast.furthest:
                    yield judged(name, points[:known], forecast, hidden) | {"largest": int(known == len(points) - 1)}


def judged(name: str, known: list[Point], forecast: Forecast, hidden: Point) -> Row:
    """Return a row that compares a forecast with its measurement."""
    middle, low, high = forecast.at(hidden.images)
    return {
        "curve": name, "known": len(known), "most": known[-1].images, "last": known[-1].exact,
        "images": hidden.images, "tested": hidden.tested, "measured": hidden.exact,
        "middle": round(middle, 5), "low": round(low, 5), "high": round(high, 5),
        "told": int(hidden.images <= forecast.told_to), "held": holds(low, high, hidden),
    }  # fmt: skip


def holds(low: float, high: float, hidden: Point) -> int:
    """Return 1 where the measured accuracy lies in the band, widened to whole test images, else 0."""
    right = round(hidden.exact * hidden.tested)
    return int(math.floor(low * hidden.tested) <= right <= math.ceil(high * hidden.tested))


def made_up(formula: Callable[[np.random.Generator], Callable[[int], float]]) -> Curves:
    """Return curves of a formula, each with its own parameters, and with the chance of test images."""
    draws = np.random.default_rng(1)
    curves: Curves = {}
    for number in range(MADE_UP):
        accuracy = formula(draws)
        exact = [draws.binomial(TESTED, accuracy(images)) / TESTED for images in AMOUNTS]
        curves[str(number)] = [Point(images, share, TESTED) for images, share in zip(AMOUNTS, exact, strict=True)]
    return curves


def power_law(draws: np.random.Generator) -> Callable[[int], float]:
    """Return an accuracy whose mistakes fall as a power of the images, down to a rest."""
    at_first, power, rest = draws.uniform(0.1, 0.9), draws.uniform(0.2, 1.2), draws.uniform(0, 0.1)
    return lambda images: 1 - min(1.0, rest + (at_first - rest) * (images / AMOUNTS[0]) ** -power)


def logistic(draws: np.random.Generator) -> Callable[[int], float]:
    """Return an accuracy that rises as a logistic curve over the log of the images, up to a ceiling."""
    middle, slope, ceiling = draws.uniform(5, 8), draws.uniform(0.5, 3), draws.uniform(0.5, 1)
    return lambda images: ceiling / (1 + math.exp(-slope * (math.log(images) - middle)))


HEADS = ("forecasts", "told", "of these held", "middle off by, median, largest", "middle minus measured, mean", "width of the band, median")  # fmt: skip


def table(rows: list[Row]) -> list[str]:
    """Return the lines of the table: by number of known amounts, by accuracy before, all, and one for each curve."""
    some: dict[str, list[Row]] = {
        f"{known} amounts known": [row for row in rows if row["known"] == known]
        for known in sorted({int(row["known"]) for row in rows})
    }
    some["last known accuracy below 0.9"] = [row for row in rows if float(row["last"]) < 0.9]
    some["last known accuracy below 0.99"] = [row for row in rows if float(row["last"]) < 0.99]
    some["all"] = rows
    some["each curve's largest amount alone"] = [row for row in rows if row["largest"]]
    return lines(some)


def lines(groups: dict[str, list[Row]]) -> list[str]:
    """Return a table with a line for each group of forecasts; all but the first two figures are of what is told."""
    made = [f"| | {' | '.join(HEADS)} |", "|---" * (len(HEADS) + 1) + "|"]
    for name, rows in groups.items():
        told = [row for row in rows if row["told"]]
        off = [float(row["middle"]) - float(row["measured"]) for row in told]
        width = [float(row["high"]) - float(row["low"]) for row in told]
        held = sum(int(row["held"]) for row in told)
        cells = [
            f"{len(rows):,}",
            f"{len(told):,}",
            f"{held:,} ({held / len(told):.1%})",
            f"{statistics.median(map(abs, off)):.3f}, {max(map(abs, off)):.3f}",
            f"{statistics.mean(off):+.3f}",
            f"{statistics.median(width):.3f}",
        ]
        made.append(f"| {name} | {' | '.join(cells)} |")
    return made


def supplement() -> list[str]:
    """Return the lines of the table of curves that are made up."""
    return lines({formula.__doc__.split(".")[0].removeprefix("Return "): list(forecasts(made_up(formula))) for formula in (power_law, logistic)})  # fmt: skip


def main() -> None:
    """Write results.csv and the tables."""
    rows = list(forecasts(kept()))
    write(HERE / "results.csv", rows)
    put(HERE / "README.md", table(rows))
    put(HERE / "README.md", supplement(), "made up")


if __name__ == "__main__":
    main()
