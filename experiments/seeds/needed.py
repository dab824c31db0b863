"""Picture and tables of how many labelled images a set of real captchas needs, from results.csv, for two pages."""

from __future__ import annotations

import csv
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from study import put  # noqa: E402

CELL = re.compile(r"(few|tuned)_(.+)_(\d+)|(rendered)_(.+)")
COLOURS = ["#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df"]
LEAST = 10  # place of zero labelled images on the picture's logarithmic scale

Curve = dict[int, float]
"""Share of other images read, by number of labelled ones; without case, as gradient-4alnum's labels have none."""


def curves() -> dict[str, tuple[Curve, Curve]]:
    """Return for each set the curve of its images alone and of a start with rendered ones, as means over seeds."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    with (HERE / "results.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if match := CELL.fullmatch(row["cell"]):
                way, name, size = (match[1], match[2], int(match[3])) if match[1] else ("tuned", match[5], 0)
                found[name, way, size].append(float(row["exact_nocase"]))
    names = dict.fromkeys(name for name, _, _ in found)
    return {
        name: tuple(  # type: ignore[misc]
            {size: statistics.mean(found[key]) for key in sorted(found) if key[:2] == (name, way) for size in [key[2]]}
            for way in ("few", "tuned")
        )
        for name in names
    }


def table(sets: dict[str, tuple[Curve, Curve]]) -> list[str]:
    """Return the lines of the table."""
    sizes = sorted({size for ways in sets.values() for curve in ways for size in curve})
    lines = [
        f"| set | | {' | '.join(f'{size:,}' if size else 'none' for size in sizes)} |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for name, ways in sets.items():
        for what, curve in zip(("its images alone", "after rendered ones"), ways, strict=True):
            if curve:
                cells = [told(curve[size]) if size in curve else "" for size in sizes]
                lines.append(f"| `{name}` | {what} | {' | '.join(cells)} |")
    return lines


def told(share: float) -> str:
    """Return a share with three decimals, but never 1.000 for less than all."""
    return "> 0.999" if 0.9995 <= share < 1 else f"{share:.3f}"


def picture(sets: dict[str, tuple[Curve, Curve]]) -> None:
    """Write needed.png."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for colour, (name, (alone, tuned)) in zip(COLOURS, sets.items(), strict=False):
        for curve, line, label in ((tuned, "-", name), (alone, ":", None)):
            if curve:
                at = [max(size, LEAST) for size in curve]
                axes.plot(at, list(curve.values()), line, marker="o", markersize=4, color=colour, label=label)
    axes.set(
        xscale="log", xlabel="labelled images of the set", ylabel="captchas read, without case", ylim=(-0.03, 1.03)
    )
    axes.set_xticks([LEAST, 30, 100, 300, 1000], ["none", "30", "100", "300", "1,000"], minor=False)
    axes.minorticks_off()
    axes.set_title("trained on rendered captchas first (lines), and without them (dots)", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    FigureCanvasAgg(figure)
    figure.savefig(HERE / "needed.png", dpi=110)


def main() -> None:
    """Write the picture and both tables."""
    sets = curves()
    picture(sets)
    for page in (HERE / "README.md", HERE.parents[1] / "docs" / "how-to" / "few-images.md"):
        put(page, table(sets), "how many")


if __name__ == "__main__":
    main()
