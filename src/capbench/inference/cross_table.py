"""Table of several runs evaluated on several sources."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from capbench.errors import Mistake, lines, printable
from capbench.report.table import met
from capbench.runs import RunFolder
from capbench.settings import check
from capbench.types import Count, CountOrZero
from capbench.utils.atomic import replacing

NOTES = "¹²³⁴⁵⁶⁷⁸⁹"
TAKEN = {key: key for key in ("source", "part", "misfits")}
TAKEN |= {key: f"test/{key}" for key in ("exact", "exact_ci", "char", "images", "taught", "validated", "exact_unseen")}
Portion = Annotated[float, Ge(0), Le(1)]
COLUMNS = ("run", "source", "part", "exact", "low", "high", "char", "images", "taught", "validated", "misfits")


class Table(Callback):
    """Hydra callback that writes and prints the table when a sweep of evaluations is finished.

    Columns are the sweep's runs; rows are all sources that these runs were ever evaluated on.
    """

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        for job in folder.glob("[0-9]*"):  # Hydra's empty job folders: evaluations are stored in the run's folder
            with suppress(OSError):
                job.rmdir()
        runs = _runs(config.hydra.overrides.task)
        faults: list[str] = []
        results = {run: dict(_evaluations(RunFolder.named(run), faults)) for run in runs}
        with replacing(folder / "table.csv") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_row(run, source, result) for run in runs for source, result in results[run].items())
        print(lines([*table(results), *faults, "", f"written to {folder / 'table.csv'}"]))


def _runs(overrides: Sequence[str]) -> list[str]:
    """Return the run folders that the command line names."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.key_or_group == "run":
            values = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
            return list(dict.fromkeys(map(str, values)))
    return []


def _evaluations(run: RunFolder, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each stored evaluation's source and result; of one source, the latest comes last.

    Files may come from a third party: those that fail the check are reported in `faults`.
    """
    for path in sorted(run.evaluations.glob("*/result.json")):
        try:
            run.check_within(path)
            result = RunFolder(path.parent).read_result()
            check({key: result[name] for key, name in TAKEN.items() if name in result}, _evaluation)
        except (Mistake, OSError) as fault:
            faults.append(f"left out: {path}: {fault}")
        else:
            yield result["source"], result


def _evaluation(
    *,
    source: str,
    part: str,
    exact: Portion,
    exact_ci: Annotated[list[Portion], Len(2, 2)],
    char: Portion,
    images: Count,
    taught: CountOrZero | None = None,
    validated: CountOrZero | None = None,
    exact_unseen: Portion | None = None,
    misfits: list[str],
) -> None:
    """Names and types of the result's values that the table uses; `check` reads this signature."""


def _row(run: str, source: str, result: Mapping[str, Any]) -> list[Any]:
    measured = [result["test/exact"], *result["test/exact_ci"], result["test/char"]]
    counts = [result.get(f"test/{name}") for name in ("images", "taught", "validated")]
    return [run, source, result["part"], *measured, *counts, "; ".join(result["misfits"])]


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return lines with one row for each source and one column for each run; misfits and known images are footnotes."""
    sources = list(dict.fromkeys(source for of_run in results.values() for source in of_run))
    names = _short(list(results))
    notes: dict[str, str] = {}

    def cell(result: Mapping[str, Any] | None) -> str:
        if result is None:
            return "–"
        known = met(result)
        found = [*result["misfits"], *([f"{result['test/images']:,} images: {known}"] if known else [])]
        marks = [notes.setdefault(note, NOTES[len(notes) % len(NOTES)]) for note in found]
        return f"{result['test/exact']:.4f}{''.join(marks)}"

    cells = [[printable(source), *(cell(results[run].get(source)) for run in results)] for source in sources]
    widths = [max(map(len, column)) for column in zip(["exact", *names], *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *others = (
            text.ljust(w) if not n else text.rjust(w) for n, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join([first, *others])

    rows = ["", line(["exact", *names]), *map(line, cells)]
    return [*rows, *(["", *(f"{mark} {misfit}" for misfit, mark in notes.items())] if notes else [])]


def _short(paths: Sequence[str]) -> list[str]:
    """Return the shortest path endings, equally many parts each, that are all different."""
    parts = [Path(path).parts for path in paths]
    for count in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(of[-count:]) for of in parts]
        if len(set(names)) == len(names):
            return names
    return list(paths)
