"""The verb: what it prints, what it leaves, and its mistakes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.report.compare.generated import study


def test_a_study_is_ranked_and_written_down(cli: Callable[..., Any]) -> None:
    study(Path("runs"))
    Path("runs/cnn/2/result.json").unlink()
    code, out, err = cli("compare")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split()[:3] == ["model", "test/exact", "95"]
    assert [line.split()[:2] for line in lines[2:6]] == [["1", "CNN"], ["2", "CRNN"], ["3", "MLP"], ["4", "KNN"]]
    assert "±" in lines[2]
    assert "11 runs in 4 rows; 1 left out" in out
    assert "McNemar's exact test, p = " in out
    assert "left out: cnn/2 is unfinished" in out
    with Path("report/runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows][:2] == ["cnn/1", "cnn/3"]
    assert {row["model"] for row in rows} == {"CNN", "CRNN", "MLP", "KNN"}
    assert 0.9 < float(rows[0]["test/exact"]) <= 1
    report = Path("report/report.md").read_text()
    assert report.startswith("|  | model | test/exact | 95 % interval |")
    assert "| 1 | CNN |" in report
    assert Path("report/index.html").stat().st_size < 1_000_000


def test_where_by_group_and_no_page(cli: Callable[..., Any]) -> None:
    study(Path("runs"))
    code, out, err = cli("compare", "where={model: [cnn, knn], seed: 1}", "by=train/seconds", "group=model", "out=null")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[2:4]] == [["1", "KNN"], ["2", "CNN"]]
    assert not Path("report").exists()


MISTAKES = [
    (["runs=nowhere"], "runs: nowhere is no folder"),
    (["by=test/exakt"], "by: test/exakt is no number that these runs have; did you mean test/exact"),
    (["by=3"], "by: 3 is not accepted"),
    (["group=modell"], "group: modell is no setting that these runs have; did you mean model"),
    (["where={modell: CNN}"], "where: modell is no setting that these runs have; did you mean model"),
    (["where={model: TNN}"], "where: fits none of 4 runs; model is CNN, CRNN, KNN, MLP"),
    (["where=cnn"], "where: 'cnn' is not accepted"),
    (["bye=params"], "bye: is no setting (value 'params'); did you mean by?"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line(arguments: list[str], message: str, cli: Callable[..., Any]) -> None:
    study(Path("runs"), images=20, seeds=1)
    code, out, err = cli("compare", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("capbench: ") and err.count("\n") == 1
    assert message in err
    assert not Path("report").exists()


def test_a_folder_without_a_finished_run(cli: Callable[..., Any]) -> None:
    Path("runs").mkdir()
    code, _, err = cli("compare")
    assert (code, err) == (2, "capbench: runs: runs holds no finished run; train some, or give another folder\n")
