"""Simulation of how often the first of many equally good rows is called better than another row.

python experiments/verdict/best.py [--repeats=1000] writes best.csv and the table "best of many" in README.md.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from capbench.compare.standing import SURE
from capbench.compare.statistics import difference, holm, mcnemar

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from simulate import World, readers  # noqa: E402
from study import put, write  # noqa: E402

ROWS = (2, 3, 10, 20)
TRAININGS = (1, 3)
IMAGES, ACCURACY, SEEDS = 1000, 0.9, 0.1
WAYS = {"uncorrected": "none", "others": "Holm, for the other rows", "pairs": "Holm, for all pairs"}


def values(rng: np.random.Generator, rows: int, trainings: int) -> list[float]:
    """Return the p-value of the first row of a ranking of equally good rows against each of the others.

    One training a row is a network of its own, compared by McNemar's test; equally good ones have no spread over seeds.
    """
    world = World(SEEDS if trainings > 1 else 0.0, 0.0)
    drawn = list(world.draw(rng, [ACCURACY] * rows, (trainings,) * rows, IMAGES))
    first, *others = sorted(drawn, key=lambda right: -float(right.mean()))
    if trainings > 1:
        return [difference(readers(first), readers(other)).p for other in others]
    return [mcnemar(*(int(np.count_nonzero(one > two)) for one, two in ((first, other), (other, first)))) for other in others]  # fmt: skip


def errs(found: list[float], rows: int) -> dict[str, bool]:
    """Return by way of correction whether any of these p-values calls the first row better than another."""
    return {
        "uncorrected": min(found) < SURE,
        "others": min(holm(found, rows - 1)) < SURE,
        "pairs": min(holm(found, math.comb(rows, 2))) < SURE,
    }


def simulated(repeats: int) -> Iterator[dict[str, object]]:
    """Yield a row for each number of rows and of trainings, with the share of rankings that err."""
    rng = np.random.default_rng(1)
    for trainings in TRAININGS:
        for rows in ROWS:
            told = [errs(values(rng, rows, trainings), rows) for _ in range(repeats)]
            shares = {way: float(np.mean([one[way] for one in told])) for way in WAYS}
            print(trainings, rows, shares, flush=True)
            yield {"trainings": trainings, "rows": rows, "repeats": repeats, **shares}


def table(rows: list[dict[str, str]]) -> list[str]:
    """Return the lines of the table."""
    lines = [f"| trainings a row | rows | {' | '.join(f'correction: {way}' for way in WAYS.values())} |"]
    lines.append("|---|---|" + "---|" * len(WAYS))
    for row in rows:
        shares = [f"{float(row[way]):.3f}" for way in WAYS]
        lines.append(f"| {row['trainings']} | {row['rows']} | {' | '.join(shares)} |")
    return lines


def main() -> None:
    """Write best.csv and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    write(HERE / "best.csv", list(simulated(parser.parse_args().repeats)))
    with (HERE / "best.csv").open(newline="") as file:
        put(HERE / "README.md", table(list(csv.DictReader(file))), "best of many")


if __name__ == "__main__":
    main()
