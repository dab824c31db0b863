"""Table of several runs evaluated on several sources."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from capbench.inference import cross_table
from tests.helpers.captchas import save_captchas
from tests.helpers.protocols import Cli, Train
from tests.helpers.settings import FAST
from tests.helpers.tables import read_csv


def test_evaluations_of_several_runs_and_sources_are_one_table(
    tmp_path: Path, trained: Path, train: Train, cli: Cli
) -> None:
    shutil.copytree(trained, "one")
    train(*FAST, "view.size=[30,80]", at="two")
    save_captchas(tmp_path / "letters", 10, symbols="01AB", length=4)
    few = ("run=one,two", "data.split.test=16")
    code, out, err = cli("evaluate", "-m", *few, "style=default,strokes")
    assert code == 0, err
    assert "one reads 1×60×160; train it with view.size" in out  # reported once, and the other pairings are evaluated
    code, out, err = cli("evaluate", "-m", "run=one,two", "data=csv", "data.root=letters", "part=all")
    assert code == 0, err
    table = out[out.index("exact") :].splitlines()
    assert table[0].split() == ["exact", "one", "two"]
    cells = {line.rsplit("  ", 2)[0].strip(): line.split()[-2:] for line in table[1:4]}
    default, letters, strokes = cells.values()  # with the evaluations of the first sweep
    assert strokes[0] == "–" and 0 <= float(strokes[1]) <= 1
    assert all(0 <= float(cell) <= 1 for cell in default)
    assert [cell[-1] for cell in letters] == ["¹", "¹"]
    assert re.search(r"^¹ \d+ texts hold 'AB', which the recogniser does not know", out, re.MULTILINE)
    second = max(Path("evaluations").iterdir())
    assert not [path for path in second.iterdir() if path.is_dir()]
    rows = read_csv(second / "table.csv")
    assert [(row["run"], row["images"]) for row in rows] == [
        ("one", "16"), ("one", "10"), ("two", "16"), ("two", "16"), ("two", "10"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("source", ["a"], "source: .* is not accepted"),
        ("test/exact", "0.5", "exact: '0.5' is not accepted"),
        ("test/exact", float("nan"), "exact: nan is not accepted"),
        ("test/images", None, "images: None is not accepted"),
        ("test/taught", 1.5, "taught: 1.5 is not accepted"),
        ("misfits", [1], "misfits: .* is not accepted"),
        (None, b"[", "is not JSON"),
        (None, b"{}", "source: must be given"),
        (None, None, "is not a regular file"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_damaged_evaluation_is_left_out_of_the_table_with_its_reason(
    key: str | None, value: Any, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = {
        "source": "a", "part": "test", "misfits": [], "test/exact": 0.5, "test/exact_ci": [0.4, 0.6], "test/char": 0.75,
        "test/images": 8, "test/taught": None, "test/validated": None,
    }  # fmt: skip
    for name in ("sound", "other"):
        (tmp_path / "run/evaluations" / name).mkdir(parents=True)
    results = [tmp_path / "run/evaluations" / name / "result.json" for name in ("sound", "other")]
    results[0].write_text(json.dumps(sound))
    if key is not None:
        results[1].write_text(json.dumps(sound | {"source": "b", key: value}))
    elif value is not None:
        results[1].write_bytes(value)
    else:
        os.mkfifo(results[1])
    config = OmegaConf.create(
        {"hydra": {"sweep": {"dir": str(tmp_path)}, "overrides": {"task": [f"run={tmp_path}/run"]}}}
    )
    cross_table.Table().on_multirun_end(config)
    out = capsys.readouterr().out
    assert re.search(r"^a +0\.5000", out, re.MULTILINE)
    assert re.search(rf"^left out: .*other/result\.json: .*{told}", out, re.MULTILINE), out


def test_a_mistake_in_a_sweep_of_evaluations_is_reported(cli: Cli, trained: Path) -> None:
    code, _, err = cli("evaluate", "-m", f"run={trained}", "data.split.test=16", "part=test,some")
    assert code == 2
    assert "1 job of evaluations/" in err and "part: 'some' is not accepted" in err
    assert "resume_sweep" not in err


def test_names_of_runs_in_the_table_are_as_short_as_needed() -> None:
    assert cross_table._short(["runs/a/1", "runs/b/1"]) == ["a/1", "b/1"]
    assert cross_table._short(["runs/a/1"]) == ["1"]
    assert cross_table._runs(["run=a,b,a", "style=x,y"]) == ["a", "b"]
    assert cross_table._runs(["style=x,y", "run=some/where"]) == ["some/where"]
