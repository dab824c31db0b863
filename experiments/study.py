"""Runner of a study: trains what its plan asks for and writes its table.

python experiments/study.py experiments/NAME [SETS] [--quick] [--missing] [--only=CELL]

A study's plan.yaml holds a cell for each row of its table: the settings of the training, the seeds that repeat it, and
the sources that the trained run then reads. A cell with `each` stands for several cells, one for each combination of
the values (with --quick, for the first combination). Finished runs under runs/NAME are kept, interrupted ones are
resumed, and a cell that fails does not stop the others.

A row of results.csv from a run on another machine stays in the table while the plan has the same settings for its cell;
with --missing such a run is not repeated here. A run from which another one starts (start={runs}/CELL-SEED) is trained
first. A cell marked `gpu` is left out on a machine without a GPU.

SETS is a folder of labelled sets for a plan that names {sets}. With --quick these sets are rendered as the plan says,
and everything is small.
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
FEW = 60  # images of a set for --quick; they are rendered without lines, so that engines can agree on some
WORDS = ("run", "settings", "git")
"""Columns of results.csv from `run` on that hold no numbers."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Row of the table."""

    name: str
    about: dict[str, Any]
    """Columns that describe the cell."""
    run: list[str]
    quick: list[str] = field(default_factory=list)
    """Settings that make the training small."""
    seeds: list[int] = field(default_factory=lambda: [1])
    reads: dict[str, list[str]] = field(default_factory=dict)
    """Sources that the trained run reads, by name; each makes a row, in place of the run's own test part."""
    gpu: bool = False
    """True where the training needs a GPU, because a CPU would need days."""

    @property
    def settings(self) -> str:
        """Hash of the settings of training and reading."""
        return hashlib.sha256(json.dumps([self.run, self.reads]).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Study:
    """Study with the folder of its plan, its runs, and its labelled sets."""

    folder: Path
    runs: Path
    sets: str
    quick: bool

    @cached_property
    def plan(self) -> dict[str, Any]:
        """Content of plan.yaml."""
        return yaml.safe_load((self.folder / "plan.yaml").read_text())

    @property
    def table(self) -> Path:
        """Path of results.csv."""
        return self.folder / "results.csv"

    @cached_property
    def elsewhere(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Rows that results.csv has, by run, source and settings."""
        if self.quick or not self.table.exists():
            return {}
        with self.table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["run"], row["read"], row["settings"]): told_before(row) for row in rows}

    def cells(self, only: str = "") -> list[Cell]:
        """Return the cells whose names begin with `only`."""
        rows = [one for row in self.plan["cells"] for one in self._spelt_out(row)]
        return [cell for cell in (Cell(**row) for row in rows) if cell.name.startswith(only)]

    def _spelt_out(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rows that one row with `each` stands for, with the plan's words for a set where a set is named."""
        each = row.get("each", {})
        plain = {key: value for key, value in row.items() if key != "each"}
        combinations = itertools.product(*each.values())
        for values in itertools.islice(combinations, 1 if self.quick else None):
            words = dict(zip(each, values, strict=True))
            words |= self.plan["sets"][words["set"]] if "set" in words else {}
            yield filled(plain, words)

    def render_sets(self) -> None:
        """Render the sets for --quick that are missing."""
        for name, look in self.plan.get("sets", {}).items():
            if not (out := Path(self.sets) / f"{name}.zip").exists():
                self._call("render", f"style={look['style']}", *look["alphabet"], f"length={look['length']}",
                           f"count={FEW}", "style.without=lines", "format=zip", f"out={out}")  # fmt: skip

    def run(self, cell: Cell, seed: int) -> None:
        """Do the training and the readings of a cell that have no result yet."""
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
        """Return the settings of a cell's training."""
        small = cell.quick if self.quick else ["trainer=gpu"] if cell.gpu else []
        return filled(cell.run + small, self._places | {"seed": seed})

    def begun_with(self, settings: list[str]) -> Iterator[tuple[Cell, int]]:
        """Yield the cell and the seed of each run that a training starts from."""
        starts = [setting.partition("=")[2] for setting in settings if setting.startswith("start=")]
        cells = {cell.name: cell for cell in self.cells()}
        for start in starts[-1].strip("[]").split(",") if starts and starts[-1] != "null" else []:
            name, _, seed = Path(start).name.rpartition("-")
            if name not in cells:
                raise SystemExit(f"{self.folder / 'plan.yaml'}: start={start}: no cell is called {name!r}")
            yield cells[name], int(seed)

    def where(self, cell: Cell, seed: int) -> Path:
        """Return the folder of a run."""
        return self.runs / f"{cell.name}-{seed}"

    def rows(self, cell: Cell) -> Iterator[dict[str, Any]]:
        """Yield the finished rows of a cell, one for each run and source."""
        for seed in cell.seeds:
            yield from self.rows_of(cell, seed)

    def rows_of(self, cell: Cell, seed: int) -> Iterator[dict[str, Any]]:
        """Yield the finished rows of one run."""
        where = self.where(cell, seed)
        for name in cell.reads or [""]:
            if (where / name / "result.json").exists():
                told = told_by(where, name) | {"settings": cell.settings}
            else:
                told = self.elsewhere.get((where.name, name, cell.settings), {})
            if told:
                yield {"cell": cell.name, **cell.about, "read": name, **told}

    def stands(self, cell: Cell, seed: int) -> bool:
        """Return whether all rows of a run are finished, on this machine or another."""
        return len(list(self.rows_of(cell, seed))) == len(cell.reads or [""])

    @property
    def _places(self) -> dict[str, str]:
        return {"sets": self.sets, "runs": str(self.runs)}

    @staticmethod
    def _call(*arguments: str) -> None:
        print("capbench", *arguments, flush=True)
        subprocess.run([*CAPBENCH, *arguments], check=True)


def filled(template: Any, words: dict[str, Any]) -> Any:
    """Return the template with each {word} in its strings replaced.

    In a list, a string that is only {word} is replaced by all items of the word's list.
    """
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
    """Return a row's columns from a run's folder: its training, and its reading of a source or its own test part."""
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
    """Return the same columns from a row of results.csv."""
    columns = list(row)[list(row).index("run") :]
    return {name: row[name] if name in WORDS else json.loads(row[name] or "null") for name in columns}


def write(table: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a CSV file."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def gathered(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of the README's table, where runs that differ only in the seed share a row."""
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
    """Replace the lines between the two marks of a name in a README."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, mark, rest = readme.read_text().partition(begin)
    if not mark or end not in rest:
        raise SystemExit(f"{readme}: has no {begin.strip()} and {end} to write the table between")
    readme.write_text(before + mark + "\n".join(lines) + "\n" + rest[rest.index(end) :])


def any_gpu() -> bool:
    """Return whether this machine has a GPU."""
    import torch  # imported here, since it takes seconds and --help should not

    return torch.cuda.is_available()


def main() -> None:
    """Run the command line."""
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
    # The first seed of all cells comes first, so that the table is useful long before it is complete.
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
