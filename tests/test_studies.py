"""Studies: every cell of a plan is run, what stands is not run again."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.conftest import ROOT

PLANS = sorted((ROOT / "experiments").glob("*/plan.yaml"))


def study(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "experiments" / "study.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1500)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("study", ROOT / "experiments" / "study.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["study"] = module  # its dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.parent.name)
def test_a_quick_preset_runs_every_cell(plan: Path, tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    done = study(plan.parent, "--quick")
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [cell.name for cell in script().Study(plan.parent, tmp_path, "", True).cells()]
    runs = tmp_path / "runs" / f"{plan.parent.name}-quick"
    assert {path.parent.name for path in runs.glob("*/result.json")} == {f"{name}-1" for name in cells}
    for name in cells:
        assert f"`{name}-1`" in done.stdout

    again = study(plan.parent, "--quick")
    assert again.returncode == 0
    assert "capbench" not in again.stdout


def test_a_cell_that_fails_takes_no_other_along(tmp_path: Path) -> None:
    cells = [
        {"name": name, "about": {"what": name}, "run": ["--cfg", "job", setting]}
        for name, setting in (("wrong", "optim.sped=1"), ("right", "optim.lr=1"))
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": cells}))
    done = study(tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("capbench --cfg job") == 2
    assert "failed: wrong-1 (exit code 2); what they said stands above" in done.stderr


def test_a_cell_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"cells": [{"name": "one", "about": {}, "run": []}]}))
    done = study(tmp_path, "--only=two")
    assert (done.returncode, done.stderr) == (1, "--only=two: no cell's name begins so; there are one\n")


def test_a_cell_with_each_stands_for_every_combination(tmp_path: Path) -> None:
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
    cells = script().Study(tmp_path, tmp_path, "", False).cells()
    names = ["few_wide_30", "few_wide_100", "few_small_30", "few_small_100", "one"]
    assert [cell.name for cell in cells] == names
    assert cells[1].run == ["alphabet=digits", "length=5", "data.root={sets}/wide.zip", "data.train_size=100"]
    assert cells[1].about == {"images": "100"}


def test_what_ran_elsewhere_stays_in_the_table_while_its_settings_are_the_plans(tmp_path: Path) -> None:
    study = script()
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


def test_the_estimates_of_scale_are_those_that_its_readme_shows() -> None:
    folder = ROOT / "experiments" / "scale"
    done = subprocess.run([sys.executable, str(folder / "estimate.py")], capture_output=True, text=True, check=True)
    _, _, shown = (folder / "README.md").read_text().partition("<!-- tables -->\n")
    assert shown.partition("<!-- end of tables -->")[0] == done.stdout.rstrip("\n") + "\n"
    assert done.stdout.count("\n|---|") == 5
