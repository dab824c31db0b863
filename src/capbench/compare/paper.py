"""Comparison as Markdown and CSV files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from capbench.compare import ranking
from capbench.compare.comparison import Comparison
from capbench.compare.folders import shown
from capbench.compare.screen import count, measured, runs
from capbench.utils.atomic import replacing

REPEATING = ("data/hash", "git", "version/capbench", "version/torch", "command")


def write_csv(path: Path, comparison: Comparison) -> None:
    """Write one row for each run: rank, folder, settings that differ, every number, and what is needed to repeat it."""
    runs = comparison.runs
    numbers = list(dict.fromkeys(key for run in runs for key in run.result if run.number(key) is not None))
    numbers = [key for key in numbers if key != "seed" and key.isprintable()]
    settings = ranking.differing(runs)
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["rank", "run", *settings, *numbers, *REPEATING])
        for rank, row in enumerate(comparison.rows, 1):
            for run in row.runs:
                writer.writerow(
                    [
                        rank,
                        run.name,
                        *(shown(run.settings[key]) if key in run.settings else "" for key in settings),
                        *("" if run.number(key) is None else run.number(key) for key in numbers),
                        *(shown(run.result.get(key)) for key in REPEATING),
                    ]
                )


def write_markdown(path: Path, comparison: Comparison) -> None:
    """Write the ranked table, the verdict and the forecasts as Markdown."""
    by = comparison.by
    lines = [
        line(["", *comparison.keys, by, "95 % interval", "runs", "parameters", "training, s"]),
        line(["--:", *("---" for _ in comparison.keys), "--:", "---", "--:", "--:", "--:"], raw=True),
    ]
    for rank, row in enumerate(comparison.rows, 1):
        interval = f"{row.interval[0]:.4f} to {row.interval[1]:.4f}" if row.interval else ""
        costs = [count(row.average("params")), count(row.average("train/seconds"))]
        lines.append(line([str(rank), *row.values, measured(row, by), interval, runs(row), *costs]))
    for sentence in (comparison.verdict, plain(comparison.warning)):
        lines += ["", sentence] if sentence else []
    lines += ["", *(f"- {plain(forecast)}" for forecast in comparison.forecasts())]
    lines += [
        "",
        f"{comparison.summary}; ± is the standard deviation over seeds; the interval covers the chance choice of test images only.",
    ]
    lines += ["", *(f"- left out: {plain(name)} {plain(reason)}" for name, reason in comparison.left_out)]
    with replacing(path) as file:
        file.write("\n".join(lines).rstrip() + "\n")


def line(cells: list[str], *, raw: bool = False) -> str:
    """Return a row of a Markdown table; cells are escaped unless `raw`."""
    return f"| {' | '.join(cells if raw else map(plain, cells))} |"


def plain(text: str) -> str:
    """Return the text with Markdown and HTML markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))
