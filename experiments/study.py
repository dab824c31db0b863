"""Runs a study and writes its table.

python experiments/study.py experiments/NAME [SETS] [--quick] [--missing] [--only=CELL]

A study's plan.yaml holds a cell for each row of its table: the training's settings, the seeds that repeat it, and the
sources that the trained run then reads. A cell with `each` stands for several, one for each combination of its values
(with --quick, for the first). What stands under runs/NAME is not done again, what was begun is gone on with,
and a cell that fails never takes the others along. A row of results.csv whose run was done elsewhere stays in the table
for as long as the plan has the same settings for its cell; with --missing such a run is not done here again. A run that
another begins with (start={runs}/CELL-SEED) is done before it. A cell marked `gpu` is left out where there is none.
SETS is a folder of labelled sets for a plan that names {sets}; with --quick they are rendered, as the plan says, and
everything is small.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

CAPBENCH = [sys.executable, "-m", "capbench"]
FEW = 60  # images of a set that is rendered for --quick, without lines, so that engines can agree on some
WORDS = ("run", "settings", "git")
"""Of what a run tells, the columns that are no numbers."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row of the table."""

    name: str
    about: dict[str, Any]
    """Columns that tell what it is."""
    run: list[str]
    quick: list[str] = field(default_factory=list)
    """What makes the training small."""
    seeds: list[int] = field(default_factory=lambda: [1])
    reads: dict[str, list[str]] = field(default_factory=dict)
    """By name, sources that the trained run reads: a row each, in place of its own test."""
    gpu: bool = False
    """Whether it wants one: a CPU would need days."""

    @property
    def settings(self) -> str:
        """The same for the same training and reading."""
        return hashlib.sha256(json.dumps([self.run, self.reads]).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Study:
    folder: Path
    runs: Path
    sets: str
    quick: bool

    @cached_property
    def plan(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "plan.yaml").read_text())

    @property
    def table(self) -> Path:
        return self.folder / "results.csv"

    @cached_property
    def elsewhere(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """The rows that the table has, by run, source and settings."""
        if self.quick or not self.table.exists():
            return {}
        with self.table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["run"], row["read"], row["settings"]): told_before(row) for row in rows}

    def cells(self, only: str = "") -> list[Cell]:
        rows = [one for row in self.plan["cells"] for one in self._spelt_out(row)]
        return [cell for cell in (Cell(**row) for row in rows) if cell.name.startswith(only)]

    def _spelt_out(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The rows that one with `each` stands for; what the plan says of a set fills in where the set is named."""
        each = row.get("each", {})
        plain = {key: value for key, value in row.items() if key != "each"}
        combinations = itertools.product(*each.values())
        for values in itertools.islice(combinations, 1 if self.quick else None):
            words = dict(zip(each, values, strict=True))
            words |= self.plan["sets"][words["set"]] if "set" in words else {}
            yield filled(plain, words)

    def render_sets(self) -> None:
        for name, look in self.plan.get("sets", {}).items():
            if not (out := Path(self.sets) / f"{name}.zip").exists():
                self._call("render", f"style={look['style']}", *look["alphabet"], f"length={look['length']}",
                           f"count={FEW}", "style.without=lines", "format=zip", f"out={out}")  # fmt: skip

    def run(self, cell: Cell, seed: int) -> None:
        """Train and read what has not been."""
        where = self.where(cell, seed)
        if not (where / "result.json").exists():
            if (where / "config.yaml").exists():
                self._call(f"resume={where}")
            else:
                settings = self.training(cell, seed)
                for first in self.begun_with(settings):
                    self.run(*first)
                own = [f"name={self.folder.name}", f"seed={seed}", f"tags=[{cell.name}]", f"hydra.run.dir={where}"]
                self._call(*settings, *own)
        for name, source in cell.reads.items():
            if not (where / name / "result.json").exists():
                self._call("evaluate", f"run={where}", *filled(source, self._places), f"out={where / name}")

    def training(self, cell: Cell, seed: int) -> list[str]:
        """The settings that its training is called with."""
        small = cell.quick if self.quick else ["trainer=gpu"] if cell.gpu else []
        return filled(cell.run + small, self._places | {"seed": seed})

    def begun_with(self, settings: list[str]) -> Iterator[tuple[Cell, int]]:
        """The cell and the seed of each run that those settings start with."""
        starts = [setting.partition("=")[2] for setting in settings if setting.startswith("start=")]
        cells = {cell.name: cell for cell in self.cells()}
        for start in starts[-1].strip("[]").split(",") if starts and starts[-1] != "null" else []:
            name, _, seed = Path(start).name.rpartition("-")
            if name not in cells:
                raise SystemExit(f"{self.folder / 'plan.yaml'}: start={start}: no cell is called {name!r}")
            yield cells[name], int(seed)

    def where(self, cell: Cell, seed: int) -> Path:
        return self.runs / f"{cell.name}-{seed}"

    def rows(self, cell: Cell) -> Iterator[dict[str, Any]]:
        """What stands of it, a row for each run and source."""
        for seed in cell.seeds:
            yield from self.rows_of(cell, seed)

    def rows_of(self, cell: Cell, seed: int) -> Iterator[dict[str, Any]]:
        where = self.where(cell, seed)
        for name in cell.reads or [""]:
            if (where / name / "result.json").exists():
                told = told_by(where, name) | {"settings": cell.settings}
            else:
                told = self.elsewhere.get((where.name, name, cell.settings), {})
            if told:
                yield {"cell": cell.name, **cell.about, "read": name, **told}

    def stands(self, cell: Cell, seed: int) -> bool:
        """Whether the table has all of it, wherever it was run."""
        return len(list(self.rows_of(cell, seed))) == len(cell.reads or [""])

    @property
    def _places(self) -> dict[str, str]:
        return {"sets": self.sets, "runs": str(self.runs)}

    @staticmethod
    def _call(*arguments: str) -> None:
        print("capbench", *arguments, flush=True)
        subprocess.run([*CAPBENCH, *arguments], check=True)


def filled(template: Any, words: dict[str, Any]) -> Any:
    """The template with each {word} in its strings replaced; a string that is only {word}, in a list, by a list."""
    if isinstance(template, dict):
        return {key: filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        whole = {f"{{{word}}}": value for word, value in words.items() if isinstance(value, list)}
        items = [whole.get(item, [item]) if isinstance(item, str) else [item] for item in template]
        return [filled(item, words) for item in itertools.chain(*items)]
    if isinstance(template, str):
        for word, value in words.items():
            template = template.replace(f"{{{word}}}", str(value))
    return template


def told_by(run: Path, source: str) -> dict[str, Any]:
    """What a run's folder tells of its training, and of what it read: of its own test where no source is named."""
    trained = json.loads((run / "result.json").read_text())
    read = json.loads((run / source / "result.json").read_text())
    low, high = read["test/exact_ci"]
    return {
        "run": run.name,
        "exact": read["test/exact"],
        "low": round(low, 5),
        "high": round(high, 5),
        "exact_nocase": read.get("test/exact_nocase"),
        "characters": read["test/char"],
        "images": read["test/images"],
        "val": trained.get("val/exact"),
        "seconds": round(trained["train/seconds"]),
        "images_seen": trained["train/images"],
        "params": trained["params"],
        "git": trained["git"],
    }


def told_before(row: dict[str, str]) -> dict[str, Any]:
    """The same of a row that the table has."""
    columns = list(row)[list(row).index("run") :]
    return {name: row[name] if name in WORDS else json.loads(row[name] or "null") for name in columns}


def write(table: Path, rows: list[dict[str, Any]]) -> None:
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def gathered(rows: list[dict[str, Any]]) -> list[str]:
    """The table for people: runs that differ in their seed alone are one row, with the mean and the spread."""
    about = list(rows[0])[1 : list(rows[0]).index("read")]
    head = [*about, "read", "exact", "without case", "images", "images seen", "parameters", "seconds", "runs"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["cell"], row["read"]), []).append(row)
    for (cell, read), group in groups.items():
        first = group[0]
        if len(group) == 1:
            exact = f"{first['exact']:.4f} ({first['low']:.4f} to {first['high']:.4f})"
        else:
            exact = _spread([row["exact"] for row in group])
        nocase = "" if first["exact_nocase"] is None else f"{statistics.mean(r['exact_nocase'] for r in group):.4f}"
        seconds = f"{statistics.mean(row['seconds'] for row in group):,.0f}"
        runs = f"`{cell}-{','.join(row['run'].rpartition('-')[2] for row in group)}`"
        cells = [*(first[key] for key in about), read, exact, nocase, f"{first['images']:,}",
                 f"{first['images_seen']:,}", f"{first['params']:,}", seconds, runs]  # fmt: skip
        lines.append(f"| {' | '.join(str(cell if cell is not None else '') for cell in cells)} |")
    return lines


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} ({', '.join(f'{v:.4f}' for v in values)})"


def put(readme: Path, lines: list[str], name: str = "table") -> None:
    """Into the README, between the two marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, mark, rest = readme.read_text().partition(begin)
    if not mark or end not in rest:
        raise SystemExit(f"{readme}: has no {begin.strip()} and {end} to write the table between")
    readme.write_text(before + mark + "\n".join(lines) + "\n" + rest[rest.index(end) :])


def any_gpu() -> bool:
    import torch  # takes seconds, which --help should not

    return torch.cuda.is_available()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("sets", nargs="?", default="sets", help="folder of labelled sets, a zip file each")
    parser.add_argument("--only", default="", help="cells whose names begin with this")
    parser.add_argument("--missing", action="store_true", help="only runs of which results.csv has no row")
    parser.add_argument("--quick", action="store_true", help="everything small, into runs/NAME-quick; writes no table")
    options = parser.parse_args()
    runs = Path("runs") / (options.study.name + ("-quick" if options.quick else ""))
    study = Study(options.study, runs, str(runs / "sets") if options.quick else options.sets, options.quick)
    if options.quick:
        study.render_sets()
    cells = study.cells(options.only)
    if not cells:
        names = ", ".join(cell.name for cell in study.cells())
        raise SystemExit(f"--only={options.only}: no cell's name begins so; there are {names}")
    without = [] if options.quick or any_gpu() else [cell.name for cell in cells if cell.gpu]
    # Each cell once before any is repeated: the table is of use long before all of it stands.
    turns = range(1 if options.quick else max(len(cell.seeds) for cell in cells))
    wanted = [(cell, cell.seeds[turn]) for turn in turns for cell in cells if turn < len(cell.seeds)]
    failed = []
    for cell, seed in wanted:
        if cell.name in without or (options.missing and study.stands(cell, seed)):
            continue
        try:
            study.run(cell, seed)
        except subprocess.CalledProcessError as error:
            failed.append(f"{cell.name}-{seed} (exit code {error.returncode})")
    rows = [row for cell in study.cells() for row in study.rows(cell)]
    if rows:
        lines = gathered(rows)
        print("\n".join(lines))
        if not options.quick:
            write(study.table, rows)
            put(options.study / "README.md", lines)
    if without:
        print(f"left out, since they want a GPU and there is none: {', '.join(without)}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; what they said stands above")


if __name__ == "__main__":
    main()
