"""Collection of measured learning curves in curves.csv.

python experiments/forecast/measured.py adds the curves of experiments/strength (rendered captchas) and experiments/seeds
(real ones) that curves.csv does not have yet. Those that it has stay, also where a study has since been repeated.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
EXPERIMENTS = HERE.parent
sys.path.insert(0, str(EXPERIMENTS))
from study import write  # noqa: E402

LEAST = 4  # amounts of a curve: three to forecast from, and one to hide
TESTED = 2000  # test images of each run in experiments/strength


class Point(NamedTuple):
    """Measurement of one run: training images, exact accuracy, test images."""

    images: int
    exact: float
    tested: int


Curves = dict[str, list[Point]]


def kept() -> Curves:
    """Return the curves of curves.csv by name."""
    found: Curves = defaultdict(list)
    with (HERE / "curves.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["curve"]].append(Point(int(row["images"]), float(row["exact"]), int(row["tested"])))
    return dict(found)


def of_studies() -> Iterator[tuple[str, list[Point]]]:
    """Yield the curves of the two studies as they are now."""
    page = (EXPERIMENTS / "strength" / "strength.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    for captcha in json.loads(data)["captchas"]:
        first = captcha["curves"][0]["name"]
        without = [{**one, "name": f"{first} without {one['name']}"} for one in captcha["without"]]
        for curve in (*captcha["curves"], *without):
            yield (
                f"{captcha['name']}: {curve['name']}",
                [Point(images, exact, TESTED) for images, exact, *_ in curve["points"]],
            )
    real: Curves = defaultdict(list)
    with (EXPERIMENTS / "seeds" / "results.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if match := re.fullmatch(r"(few|tuned)_(.+)_(\d+)", row["cell"]):
                way = {"few": "its images alone", "tuned": "after rendered ones"}[match[1]]
                real[f"{match[2]}: {way}"].append(Point(int(match[3]), float(row["exact"]), int(row["images"])))
    for name, points in real.items():
        yield name, sorted(points)


def joined(known: Curves, found: Iterator[tuple[str, list[Point]]]) -> Curves:
    """Return the known curves and the new ones among those found; a repeated measurement gets a number."""
    curves = dict(known)
    for name, points in found:
        if len(points) < LEAST or points in curves.values():
            continue
        number = sum(other.partition(" (")[0] == name for other in curves)
        curves[f"{name} ({number + 1})" if number else name] = points
    return curves


def main() -> None:
    """Add to curves.csv."""
    curves = joined(kept(), of_studies())
    write(
        HERE / "curves.csv",
        [{"curve": name, **point._asdict()} for name, points in curves.items() for point in points],
    )


if __name__ == "__main__":
    main()
