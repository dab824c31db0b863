"""Studies under experiments/: their plans run, and their tables equal their results."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.helpers.repository import ROOT, script
from tests.helpers.tables import read_csv
from tests.helpers.tesseract import tesseract

PLANS = sorted((ROOT / "experiments").glob("*/plan.yaml"))


def study(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "experiments" / "study.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1500)


def shown(folder: Path, name: str, page: str = "README.md") -> list[str]:
    """Return the lines of a page between the marks of this name."""
    _, _, rest = (folder / page).read_text().partition(f"<!-- {name} -->\n")
    return rest.partition(f"<!-- end of {name} -->")[0].splitlines()


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.parent.name)
def test_a_quick_study_runs_every_cell(plan: Path, tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    if "tesseract" in plan.read_text():
        tesseract()
    done = study(plan.parent, "--quick")
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [cell.name for cell in script("study.py").Study(plan.parent, tmp_path, "", True).cells()]
    runs = tmp_path / "runs" / f"{plan.parent.name}-quick"
    assert {path.parent.name for path in runs.glob("*/result.json")} == {f"{name}-1" for name in cells}
    for name in cells:
        assert f"`{name}-1`" in done.stdout

    again = study(plan.parent, "--quick")
    assert again.returncode == 0
    assert "capbench" not in again.stdout


@pytest.mark.parametrize("quick", [False, True], ids=["whole", "quick"])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.parent.name)
def test_every_starting_run_of_a_plan_is_in_the_plan(plan: Path, quick: bool, tmp_path: Path) -> None:
    it = script("study.py").Study(plan.parent, tmp_path, "", quick)
    for cell in it.cells():
        for seed in cell.seeds:
            for first, its_seed in it.begun_with(it.training(cell, seed)):
                assert its_seed in first.seeds


def test_a_failed_cell_does_not_stop_others(tmp_path: Path) -> None:
    cells = [
        {"name": name, "about": {"what": name}, "run": ["--cfg", "job", setting]}
        for name, setting in (("wrong", "optim.sped=1"), ("right", "optim.lr=1"))
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": cells}))
    done = study(tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("capbench --cfg job") == 2
    assert "failed: wrong-1 (exit code 2); what they said stands above" in done.stderr


def test_an_unknown_cell_is_refused_with_the_number_of_known_ones(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": [{"name": "one", "about": {}, "run": []}]}))
    done = study(tmp_path, "--only=two")
    assert (done.returncode, done.stderr) == (1, "--only=two: no cell's name begins so; there are one\n")


def test_a_cell_with_each_expands_to_every_combination(tmp_path: Path) -> None:
    plan = {
        "sets": {"wide": {"alphabet": ["alphabet=digits", "length=5"]}, "small": {"alphabet": ["alphabet=auto"]}},
        "cells": [
            {
                "name": "few_{set}_{size}",
                "each": {"set": ["wide", "small"], "size": [30, 100]},
                "about": {"images": "{size}"},
                "run": ["{alphabet}", "data.root={sets}/{set}.zip", "data.train_size={size}"],
            },
            {"name": "one", "about": {}, "run": ["model=knn"]},
        ],
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    cells = script("study.py").Study(tmp_path, tmp_path, "", False).cells()
    names = ["few_wide_30", "few_wide_100", "few_small_30", "few_small_100", "one"]
    assert [cell.name for cell in cells] == names
    assert cells[1].run == ["alphabet=digits", "length=5", "data.root={sets}/wide.zip", "data.train_size=100"]
    assert cells[1].about == {"images": "100"}


def test_rows_of_other_machines_stay_while_the_plan_keeps_their_settings(tmp_path: Path) -> None:
    study = script("study.py")
    cell = study.Cell(name="one", about={"way": "best"}, run=["optim.lr=1"], seeds=[1, 2], reads={"real": ["data=csv"]})
    run = tmp_path / "there" / "one-2"
    (run / "real").mkdir(parents=True)
    trained = {"train/seconds": 7.4, "train/images": 640, "params": 9, "git": "12e4"}
    read = {"test/exact": 0.5, "test/exact_ci": [0.4, 0.6], "test/exact_nocase": None, "test/char": 1, "test/images": 8}
    (run / "result.json").write_text(json.dumps(trained))
    (run / "real" / "result.json").write_text(json.dumps(read))

    there = study.Study(tmp_path, tmp_path / "there", "", False)
    (row,) = there.rows(cell)
    study.write(there.table, [row])
    here = study.Study(tmp_path, tmp_path / "here", "", False)
    assert list(here.rows(cell)) == [row]
    (told,) = here.rows(replace(cell, about={"way": "better"}))
    assert told == row | {"way": "better"}
    assert list(here.rows(replace(cell, run=["optim.lr=2"]))) == []
    assert list(here.rows(replace(cell, reads={"real": ["data=files"]}))) == []
    assert list(replace(here, quick=True).rows(cell)) == []


def written(folder: Path, cells: list[dict[str, Any]]) -> Path:
    """Write a study whose trainings only print their settings, with results of each cell's first seed."""
    (folder / "plan.yaml").write_text(yaml.safe_dump({"cells": cells}))
    (folder / "README.md").write_text("<!-- table -->\n<!-- end of table -->\n")
    it = script("study.py").Study(folder, folder, "", False)
    run = {"exact": 0.5, "low": 0.4, "high": 0.6, "exact_nocase": 0.5, "images": 9, "images_seen": 9, "params": 9}
    rows = [
        {"cell": cell.name, **cell.about, "read": "", "run": f"{cell.name}-1", **run, "seconds": 7, "git": "12e4"}
        | {"settings": cell.settings}
        for cell in it.cells()
    ]
    script("study.py").write(it.table, rows)
    return folder


def test_study_missing_runs_only_missing_runs(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"name": name, "about": {"what": name}, "run": ["--cfg", "job", f"optim.lr={rate}"], "seeds": seeds}
        for name, rate, seeds in (("whole", 1, [1]), ("begun", 2, [1, 2]))
    ]
    folder = written(tmp_path, cells)
    done = study(folder, "--missing")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("capbench")] == [
        f"capbench --cfg job optim.lr=2 name={folder.name} seed=2 tags=[begun] hydra.run.dir=runs/{folder.name}/begun-2"
    ]


def test_starting_runs_of_a_cell_are_run_first(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"name": "first", "about": {}, "run": ["--cfg", "job"], "seeds": [1, 2]},
        {"name": "then", "about": {}, "run": ["--cfg", "job", "start={runs}/first-{seed}"], "seeds": [2]},
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": cells}))
    done = study(tmp_path, "--only=then")
    runs = [line.rpartition("/")[2] for line in done.stdout.splitlines() if line.startswith("capbench")]
    assert runs == ["first-2", "then-2"], done.stderr

    several = script("study.py").Study(tmp_path, tmp_path, "", False).begun_with(["start=[runs/first-1,runs/first-2]"])
    assert [(cell.name, seed) for cell, seed in several] == [("first", 1), ("first", 2)]

    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": cells[1:]}))
    done = study(tmp_path, "--only=then")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [f"{tmp_path / 'plan.yaml'}: start=runs/{tmp_path.name}/first-2: no cell is called 'first'"],
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cells_that_need_a_gpu_are_left_out_without_one(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"name": name, "about": {}, "run": ["--cfg", "job"], "gpu": name == "large"} for name in ("large", "small")
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": cells}))
    done = study(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tags=[small]" in done.stdout
    assert "tags=[large]" not in done.stdout
    assert "left out, since they want a GPU and there is none: large" in done.stdout
    assert "tags=[large]" in study(tmp_path, "--quick").stdout


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.parent.name)
def test_the_table_of_a_study_equals_its_results(plan: Path, tmp_path: Path) -> None:
    module = script("study.py")
    it = module.Study(plan.parent, tmp_path, "", False)
    rows = [row for cell in it.cells() for row in it.rows(cell)]
    assert len(rows) == len(it.elsewhere), "results.csv has rows that the plan does not"
    assert module.gathered(rows) == shown(plan.parent, "table")


def test_the_other_tables_of_study_seeds_equal_their_results(tmp_path: Path) -> None:
    needed, curves = script("seeds/needed.py"), script("seeds/curves.py")
    folder = ROOT / "experiments" / "seeds"
    table = needed.table(needed.curves())
    assert table == shown(folder, "how many") == shown(ROOT / "docs" / "how-to", "how many", "few-images.md")
    assert curves.table(curves.pairs(tmp_path)) == shown(folder, "curves")


def test_the_readme_of_study_scale_shows_its_estimates() -> None:
    folder = ROOT / "experiments" / "scale"
    done = subprocess.run([sys.executable, str(folder / "estimate.py")], capture_output=True, text=True, check=True)
    assert shown(folder, "tables") == done.stdout.rstrip("\n").splitlines()
    assert done.stdout.count("\n|---|") == 5


def test_the_pages_report_the_forecasts_of_study_forecast() -> None:
    """Compare the figures in the study and on the pages with those of today's code."""
    hidden, folder = script("forecast/hidden.py"), ROOT / "experiments" / "forecast"
    rows = list(hidden.forecasts(hidden.kept()))
    assert hidden.table(rows) == shown(folder, "table")
    assert hidden.supplement() == shown(folder, "made up")
    told = [row for row in rows if row["told"]]
    figures = (
        f"Of {len(rows)} accuracies that were measured and hidden from the forecast, {len(told)} could be told, and "
    )
    figures += f"{sum(row['held'] for row in told)} of these lay in the band"
    for page in ("docs/how-to/compare.md", "src/capbench/compare/page.html.jinja"):
        assert figures in " ".join((ROOT / page).read_text().split())


def test_the_tables_of_study_verdict_equal_their_results() -> None:
    simulate, best, folder = script("verdict/simulate.py"), script("verdict/best.py"), ROOT / "experiments" / "verdict"
    assert best.table(read_csv(folder / "best.csv")) == shown(folder, "best of many")
    rows = read_csv(folder / "results.csv")
    assert simulate.table(rows) == shown(folder, "table")
    alike = [float(row["told_apart"]) for row in rows if float(row["mistakes"]) == 1]
    assert len(alike) == 240
    assert max(alike) < 0.05 + 3 * (0.05 * 0.95 / int(rows[0]["repeats"])) ** 0.5
