"""Picture and table of how soon each system reaches its published accuracy, in the article's way and at best.

python experiments/seeds/curves.py [RUNS]

The curves come from the runs in RUNS, finished or not, and from curves.csv for runs on other machines.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from study import Study, put  # noqa: E402

WAYS = {"its own": ("#cf222e", ":"), "best": ("#0969da", "-")}
"""Colour and line style of a way, by the beginning of its name."""


class Point(NamedTuple):
    """State of a training after one epoch."""

    cell: str
    epoch: int
    epochs: int
    """Number of epochs of the whole training."""
    images: int
    """Images seen so far."""
    cpu_seconds: float
    """CPU time so far, in seconds, which does not depend on the machine's load."""
    val: float
    """Share of validation captchas that are read without a mistake."""


@dataclass(frozen=True)
class Curve:
    """Points of one training, and the published accuracy."""

    points: list[Point]
    published: float

    @property
    def reached(self) -> Point | None:
        """First point at or above the published accuracy, or None."""
        return next((point for point in self.points if point.val >= self.published), None)


def drawn_here(runs: Path, cell: str) -> list[Point]:
    """Return the points of a run in RUNS, none where there is no such run."""
    run = runs / f"{cell}-1"
    if not (run / "metrics.csv").exists():
        return []
    epochs = yaml.safe_load((run / "config.yaml").read_text())["optim"]["epochs"]
    with (run / "metrics.csv").open(newline="") as file:
        return [
            Point(cell, int(row["epoch"]), epochs, int(row["images"]), float(row["cpu_seconds"]), float(row["val/exact"]))
            for row in csv.DictReader(file)
        ]  # fmt: skip


def drawn_elsewhere(path: Path, cell: str) -> list[Point]:
    """Return the points that curves.csv has of a cell."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Point(cell, *(int(row[key]) for key in Point._fields[1:4]), float(row["cpu_seconds"]), float(row["val"]))
            for row in csv.DictReader(file)
            if row["cell"] == cell
        ]  # fmt: skip


def pairs(runs: Path) -> dict[str, dict[str, Curve]]:
    """Return the curves by system and way.

    A cell that reads other sources than its own test part has no curve, since its validation part holds other images.
    """
    found: dict[str, dict[str, Curve]] = {}
    for cell in Study(HERE, runs, "", False).cells():
        seed, way, published = (cell.about[key] for key in ("seed", "way", "published"))
        if way.startswith(tuple(WAYS)) and not cell.reads:
            points = drawn_here(runs, cell.name) or drawn_elsewhere(HERE / "curves.csv", cell.name)
            if points:
                found.setdefault(seed, {})[way] = Curve(points, published)
    return found


def table(systems: dict[str, dict[str, Curve]]) -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| seed | way | epochs | images seen | CPU seconds | of validation | published | met after | CPU seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for seed, ways in systems.items():
        for way, curve in ways.items():
            last, met = curve.points[-1], curve.reached
            soon = f"{met.images:,} images | {met.cpu_seconds:,.0f}" if met else "not yet | "
            lines.append(
                f"| {seed} | {way} | {last.epoch} of {last.epochs} | {last.images:,} | {last.cpu_seconds:,.0f} "
                f"| {last.val:.4f} | {curve.published} | {soon} |"
            )
    return lines


def picture(systems: dict[str, dict[str, Curve]]) -> None:
    """Write curves.png."""
    figure = Figure(figsize=(4 * len(systems), 4.2), layout="constrained")
    for axes, (seed, ways) in zip(figure.subplots(1, len(systems), squeeze=False)[0], systems.items(), strict=True):
        for way, curve in ways.items():
            colour, line = next(look for name, look in WAYS.items() if way.startswith(name))
            at = [point.cpu_seconds / 60 for point in curve.points]
            axes.plot(at, [point.val for point in curve.points], line, marker=".", color=colour, label=way)
        axes.axhline(curve.published, color="#57606a", linewidth=0.8, label=f"published: {curve.published}")
        axes.set(title=seed, xscale="log", xlabel="minutes of one core", ylim=(-0.03, 1.03))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    figure.supylabel("captchas of validation read", fontsize=10)
    FigureCanvasAgg(figure)
    figure.savefig(HERE / "curves.png", dpi=110)


def main() -> None:
    """Write curves.csv, the picture and the table."""
    systems = pairs(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/seeds"))
    if not systems:
        raise SystemExit("no curves: no run of the plan stands here, nor in curves.csv; train one with study.py first")
    with (HERE / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Point._fields)
        writer.writerows(point for ways in systems.values() for curve in ways.values() for point in curve.points)
    picture(systems)
    put(HERE / "README.md", table(systems), "curves")


if __name__ == "__main__":
    main()
