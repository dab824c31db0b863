"""Loggers: an offline W&B run is read back by wandb's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb

from capbench.train.loggers import Wandb
from tests.helpers.command import capbench
from tests.helpers.protocols import Cli, Train
from tests.helpers.waiting import wait_until


def read_back(run: Path) -> list[dict[str, Any]]:
    """Return the records of a run's one W&B log; W&B's own process may still write it when the run has ended."""
    (log,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", str(log), "--json"]
    records: list[dict[str, Any]] = []

    def ended() -> bool:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        records[:] = [json.loads(line) for line in told.splitlines()]
        return any(record["type"] == "exit" for record in records)

    wait_until(ended, f"the end of {log}")
    return records


def gathered(records: list[dict[str, Any]], kind: str, items: str) -> dict[str, Any]:
    return {key: value for record in records if record["type"] == kind for key, value in record[kind][items].items()}


def head_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    return next(record["run"] for record in records if record["type"] == "run")


def test_wandb_gets_settings_metrics_pictures_summary_and_weights(train: Train) -> None:
    folder = train(
        "+experiment=quickstart",
        "debug=fast",
        "logger=wandb",
        "logger.weights=true",
        "trainer.progress=false",
        "group=a_study",
        "tags=[one,two]",
    )
    records, result = read_back(folder.path), folder.read_result()
    run = head_of(records)
    assert (run["run_group"], run["tags"], run["project"]) == ("a_study", ["one", "two"], "capbench")
    assert run["display_name"] == f"quickstart/{folder.path.name}"
    settings = run["config"]["update"]
    assert (settings["seed"], settings["model"]["widths"]) == (1, [40, 64])
    assert settings["data"]["style"]["tilt"] == [-30, 30]

    history = gathered(records, "history", "item")
    assert {"train/loss", "train/exact", "val/loss", "val/exact", "epoch"} <= set(history)
    metrics = [record["metric"] for record in records if record["type"] == "metric"]
    assert {metric["glob_name"]: metric["step_metric"] for metric in metrics if "glob_name" in metric} == {
        "train/*": "epoch",
        "val/*": "epoch",
    }
    for picture in ("inputs", "curves", "confusion", "errors"):
        assert history[f"pictures/{picture}._type"] == "image-file"

    summary = gathered(records, "summary", "update")
    assert summary["best/exact"] == result["val/exact"] and summary["best/epoch"] == 1
    for key in ("test/exact", "test/char", "test/ece", "data/hash", "git", "params", "train/seconds", "version/torch"):
        assert summary[key] == result[key], key

    artifacts = {record["artifact"]["type"] for record in records if record["type"] == "artifact"}
    assert "model" in artifacts, "the weights are no artifact"


def test_wandb_tables_hold_predictions_confusion_and_calibration(train: Train) -> None:
    folder = train("debug=fast", "logger=wandb", "logger.gallery=5", "trainer.progress=false")
    records = read_back(folder.path)
    kept = {
        entry["path"]: Path(entry["local_path"])
        for record in records
        if record["type"] == "artifact"
        for entry in record["artifact"]["manifest"]["contents"]
    }

    def rows(name: str) -> list[dict[str, Any]]:
        table = json.loads(kept[f"{name}.table.json"].read_text())
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]

    predictions = folder.read_predictions()
    told = rows("test/predictions")
    assert [(row["filename"], row["text"], row["answer"]) for row in told] == [tuple(p[:3]) for p in predictions]
    assert [row["right"] for row in told] == [p.text == p.answer for p in predictions]
    characters = sum(len(p.text) for p in predictions)
    assert sum(row["count"] for row in rows("test/confusion") if row["true"]) == characters
    assert sum(row["images"] for row in rows("test/calibration")) == len(predictions)
    gallery = rows("test/gallery")
    assert len(gallery) == 5
    assert all(kept[row["image"]["path"]].stat().st_size > 100 for row in gallery)


SWEEP = ("-m", "seed=1,2,3", "+experiment=quickstart", "debug=fast", "logger=wandb", "trainer.progress=false")


def assert_three_runs_in_one_group(sweep: Path) -> None:
    heads = [head_of(read_back(sweep / str(job))) for job in range(3)]
    assert len({head["run_id"] for head in heads}) == 3
    assert {head["run_group"] for head in heads} == {"quickstart"}
    assert [head["config"]["update"]["seed"] for head in heads] == [1, 2, 3]


@pytest.mark.slow
def test_three_jobs_of_a_sweep_are_three_wandb_runs_in_one_group(cli: Cli) -> None:
    code, _, err = cli(*SWEEP, "hydra.sweep.dir=sweep")
    assert code == 0, err
    assert_three_runs_in_one_group(Path("sweep"))


@pytest.mark.slow
def test_three_jobs_in_own_processes_are_three_wandb_runs_in_one_group(tmp_path: Path) -> None:
    done = capbench(*SWEEP, "hydra.sweep.dir=sweep", "hydra/launcher=processes")
    assert done.returncode == 0, done.stderr
    assert_three_runs_in_one_group(tmp_path / "sweep")


@pytest.mark.parametrize(
    ("environment", "mode"),
    [({}, "offline"), ({"WANDB_API_KEY": "k" * 40}, "online"), ({"WANDB_MODE": "disabled"}, "disabled")],
)
def test_wandb_is_offline_unless_the_user_says_otherwise(
    environment: dict[str, str], mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from capbench.train import loggers

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked: dict[str, Any] = {}

    class Asked:
        def __init__(self, **arguments: Any) -> None:
            asked.update(arguments)

        def define_metric(self, *_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(wandb, "init", Asked)
    monkeypatch.setattr(loggers, "WandbLogger", lambda experiment: experiment)
    loggers.Wandb(project="p", gallery=0, weights=False).open(tmp_path, {"name": "n", "group": None, "tags": []})
    assert asked["mode"] == mode


def test_the_csv_logger_writes_into_the_folder_of_the_run(train: Train) -> None:
    folder = train("debug=fast", "logger=csv", "trainer.progress=false")
    assert "val/exact" in (folder.path / "csv" / "metrics.csv").read_text()


FAKE = """
import os
mode_at_import = os.environ.get("WANDB_MODE")
def init(**_):
    raise InterruptedError
"""


@pytest.mark.parametrize(
    ("given", "mode"),
    [({}, "offline"), ({"WANDB_API_KEY": "k"}, "online"), ({"WANDB_API_KEY": "k", "WANDB_MODE": "offline"}, "offline")],
)
def test_wandb_mode_is_set_before_wandb_is_imported(
    given: dict[str, str], mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path / "fake")
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("WANDB_MODE", "")  # so that monkeypatch restores it after the test
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InterruptedError):
        Wandb(project="p", gallery=0, weights=False).open(tmp_path / "run", {"name": "n", "group": None, "tags": []})
    assert sys.modules["wandb"].mode_at_import == mode
