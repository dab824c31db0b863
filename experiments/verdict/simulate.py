"""Simulation of how often the verdict of `compare` tells two rows apart, with equal and with different accuracies.

python experiments/verdict/simulate.py [--repeats=1000] writes results.csv and the table in README.md.

A captcha is read where the network's skill exceeds the captcha's difficulty. The skill varies with the setting, with
the seed (`seeds`), and by chance from image to image; some images may suit one setting more than the other (`taste`).
An accuracy is the one over all possible seeds and images, so two settings with the same accuracy are equally good.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from capbench.compare.statistics import Readers, difference, mcnemar

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from study import put, write  # noqa: E402

TRAININGS = ((2, 2), (3, 3), (4, 4), (8, 8), (2, 8))
IMAGES = (100, 1000, 4000)
ACCURACIES = (0.5, 0.9, 0.99, 0.999)
SEEDS = (0.1, 0.3)
TASTES = (0.0, 1.0)
BETTER = (0.8, 0.5, 0.2)
"""Mistakes of the first side as a share of the second side's."""
DIFFICULTY, CHANCE = 1.5, 1.0


class World(NamedTuple):
    """Standard deviations of the effects that decide whether an image is read."""

    seeds: float
    taste: float

    @property
    def together(self) -> float:
        """Standard deviation of all effects together."""
        return math.hypot(DIFFICULTY, CHANCE, *self)

    def draw(
        self, rng: np.random.Generator, accuracies: list[float], trainings: tuple[int, ...], images: int
    ) -> Iterator[np.ndarray]:
        """Yield for each side which images its trainings read: bool [training, image]."""
        difficulty = DIFFICULTY * rng.standard_normal(images, dtype=np.float32)
        for accuracy, count in zip(accuracies, trainings, strict=True):
            skill = statistics.NormalDist().inv_cdf(accuracy) * self.together
            taste = self.taste * rng.standard_normal(images, dtype=np.float32)
            seeds = self.seeds * rng.standard_normal((count, 1), dtype=np.float32)
            chance = CHANCE * rng.standard_normal((count, images), dtype=np.float32)
            yield skill + seeds + chance + taste > difficulty


def readers(right: np.ndarray) -> Readers:
    """Return the readers that `compare` makes of bool [training, image]."""
    return Readers(right.mean(axis=1), right.mean(axis=0), np.full(right.shape[1], len(right)))


def tells(first: np.ndarray, second: np.ndarray) -> tuple[bool, bool]:
    """Return whether the verdict of `compare` tells the sides apart, and whether McNemar's test on votes does."""
    ours, theirs = readers(first), readers(second)
    more, less = (int(np.count_nonzero(votes)) for votes in (ours.shares > theirs.shares, ours.shares < theirs.shares))
    return difference(ours, theirs).is_sure, mcnemar(more, less) < 0.05


def simulated(repeats: int) -> Iterator[dict[str, object]]:
    """Yield a row for each combination of trainings, images, accuracy and effects."""
    rng = np.random.default_rng(1)
    alike = itertools.product(TRAININGS, IMAGES, ACCURACIES, SEEDS, TASTES, (1.0,))
    better = itertools.product(TRAININGS, IMAGES[1:], ACCURACIES, SEEDS, (0.0,), BETTER)
    for trainings, images, accuracy, seeds, taste, mistakes in (*alike, *better):
        accuracies = [1 - mistakes * (1 - accuracy), accuracy]
        world = World(seeds, taste)
        told = [tells(*world.draw(rng, accuracies, trainings, images)) for _ in range(repeats)]
        now, before = np.mean(told, axis=0).tolist()
        row = {
            "trainings": f"{trainings[0]} and {trainings[1]}",
            "images": images,
            "accuracy": accuracy,
            "seeds": seeds,
        }
        row |= {"taste": taste, "mistakes": mistakes, "repeats": repeats, "told_apart": now, "by_mcnemar": before}
        print(*row.values(), flush=True)
        yield row


def table(rows: list[dict[str, str]]) -> list[str]:
    """Return the lines of the table by trainings: false verdicts, then the power for each share of mistakes."""
    lines = [
        "| trainings | no difference: told apart, mean and most of all worlds | by McNemar | "
        + " | ".join(f"{mistakes:g} of the mistakes" for mistakes in BETTER)
        + " |",
        "|---|---|---|" + "---|" * len(BETTER),
    ]
    for trainings in dict.fromkeys(row["trainings"] for row in rows):
        here = [row for row in rows if row["trainings"] == trainings]
        alike = [row for row in here if float(row["mistakes"]) == 1]
        shares = [float(row["told_apart"]) for row in alike]
        before = [float(row["by_mcnemar"]) for row in alike]
        power = [_mean([row for row in here if float(row["mistakes"]) == mistakes]) for mistakes in BETTER]
        cells = [trainings, f"{_mean(alike)}, {max(shares):.3f}", f"{statistics.mean(before):.3f}, {max(before):.3f}"]
        lines.append(f"| {' | '.join([*cells, *power])} |")
    return lines


def _mean(rows: list[dict[str, str]]) -> str:
    return f"{statistics.mean(float(row['told_apart']) for row in rows):.3f}"


def main() -> None:
    """Write results.csv and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    write(HERE / "results.csv", list(simulated(parser.parse_args().repeats)))
    with (HERE / "results.csv").open(newline="") as file:
        put(HERE / "README.md", table(list(csv.DictReader(file))))


if __name__ == "__main__":
    main()
