"""Study of how often a forecast holds: the largest amounts of measured curves are hidden and forecast from the rest.

python experiments/forecast/hidden.py writes results.csv, a row for each forecast, and the table in README.md.
"""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from capbench.compare.statistics import Growth

HERE = Path(__file__).parent
EXPERIMENTS = HERE.parent
sys.path.insert(0, str(EXPERIMENTS))
from study import put, write  # noqa: E402

LEAST = 3  # training amounts that a forecast needs
TESTED = 2000  # test images of each run in experiments/strength


class Point(NamedTuple):
    """Measurement of one run: training images, exact accuracy, test images."""

    images: int
    exact: float
    tested: int


Row = dict[str, str | float]


def curves() -> Iterator[tuple[str, list[Point]]]:
    """Yield the curves of experiments/strength, with rendered captchas, and of experiments/seeds, with real ones."""
    page = (EXPERIMENTS / "strength" / "strength.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    for captcha in json.loads(data)["captchas"]:
        without = [
            {**one, "name": f"{captcha['curves'][0]['name']} without {one['name']}"} for one in captcha["without"]
        ]
        for curve in (*captcha["curves"], *without):
            points = [Point(images, exact, TESTED) for images, exact, *_ in curve["points"]]
            yield f"{captcha['name']}: {curve['name']}", points
    real: dict[str, list[Point]] = defaultdict(list)
    with (EXPERIMENTS / "seeds" / "results.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if match := re.fullmatch(r"(few|tuned)_(.+)_(\d+)", row["cell"]):
                way = {"few": "its images alone", "tuned": "after rendered ones"}[match[1]]
                real[f"{match[2]}: {way}"].append(Point(int(match[3]), float(row["exact"]), int(row["images"])))
    for name, points in real.items():
        yield name, sorted(points)


def forecasts() -> Iterator[Row]:
    """Yield a row for each forecast of a hidden point from the smaller amounts."""
    for name, points in curves():
        for known in range(LEAST, len(points)):
            growth = Growth.of(*zip(*points[:known], strict=True))
            assert growth is not None
            for hidden in points[known:]:
                if hidden.images <= growth.furthest:
                    yield judged(name, known, growth, hidden)


def judged(name: str, known: int, growth: Growth, hidden: Point) -> Row:
    """Return a row that compares a forecast with its measurement."""
    middle, low, high = growth.at(hidden.images)
    line_low = replace(growth, plateau=math.inf).at(hidden.images)[1]
    return {
        "curve": name, "known": known, "most": growth.most, "images": hidden.images, "tested": hidden.tested,
        "measured": hidden.exact, "middle": round(middle, 5), "low": round(low, 5), "high": round(high, 5),
        "line_low": round(line_low, 5), "held": holds(low, high, hidden), "line_held": holds(line_low, high, hidden),
    }  # fmt: skip


def holds(low: float, high: float, hidden: Point) -> int:
    """Return 1 where the measured accuracy lies in the band, widened to whole test images, else 0."""
    right = round(hidden.exact * hidden.tested)
    return int(math.floor(low * hidden.tested) <= right <= math.ceil(high * hidden.tested))


def table(rows: list[Row]) -> list[str]:
    """Return the lines of the table, by number of known amounts."""
    lines = ["| amounts known | forecasts | band held | line's own band held | middle off by, median, largest | width of the band, median |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    known = sorted({int(row["known"]) for row in rows})
    for name, some in [*((str(n), [row for row in rows if row["known"] == n]) for n in known), ("all", rows)]:
        off = [abs(float(row["middle"]) - float(row["measured"])) for row in some]
        width = statistics.median(float(row["high"]) - float(row["low"]) for row in some)
        held, line = (sum(int(row[key]) for row in some) for key in ("held", "line_held"))
        cells = [
            name,
            str(len(some)),
            f"{held}",
            f"{line}",
            f"{statistics.median(off):.3f}, {max(off):.3f}",
            f"{width:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Write results.csv and the table."""
    rows = list(forecasts())
    write(HERE / "results.csv", rows)
    put(HERE / "README.md", table(rows))


if __name__ == "__main__":
    main()
