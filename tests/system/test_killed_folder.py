"""Trainings of a folder that are killed at any moment and resumed: they end with a reader, and what was spent counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import capbench
from capbench.runs import RunFolder
from tests.helpers.command import capbench as command
from tests.helpers.killed import kill_at_call
from tests.helpers.runs import curve
from tests.helpers.tables import read_csv

BUDGET = ("minutes=0.1", "optim.epoch_images=256", "trainer.threads=1", "trainer.progress=false", "logger=none")
READ = 0.2  # exact accuracy of an unharmed reader on any machine; an untrained one reads one text of 10,000

MOMENTS = {
    "looking at the images": (1, "capbench.data.look.sight:view"),
    "reading of the images": (1, "capbench.data.store:_build"),
    "first step": (1, "capbench.train.recognizer:Recognizer.training_step"),
    "first validation": (1, "capbench.train.recognizer:Recognizer.validation_step"),
    "end of the first epoch": (1, "capbench.train.callbacks:Curves.on_train_epoch_end"),
    "first checkpoint": (1, "capbench.train.callbacks:WholeCheckpoints.save_checkpoint"),
    "between two files of a checkpoint": (1, "capbench.train.callbacks:share"),
    "test": (1, "capbench.train.recognizer:Recognizer.test_step"),
    "pictures": (1, "capbench.report.pictures:confusion"),
    "result": (1, "capbench.runs:RunFolder.write_result"),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_training_resumes_to_a_reader(moment: str, labelled: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    number, function = MOMENTS[moment]
    folders = (f"data.root={labelled}", f"cache={tmp_path / 'cache'}", f"hydra.run.dir={run.path}")
    kill_at_call(number, function, "+experiment=folder", *folders, *BUDGET)
    before = curve(run.path) if run.last.exists() else []
    spent = float(read_csv(run.metrics)[-1]["seconds"]) if before else 0.0

    resumed = command(f"resume={run.path}")
    assert resumed.returncode == 0, resumed.stderr
    result = json.loads(run.result.read_text())
    assert result["test/exact"] >= READ
    assert curve(run.path)[: len(before)] == before
    assert result["train/seconds"] >= spent - 0.01  # rounded
    clock = next(
        state
        for name, state in torch.load(run.last, weights_only=True)["callbacks"].items()
        if name.startswith("Clock")
    )
    assert clock["spent"] >= spent
    assert capbench.load(run.path).read(next((labelled / "images").iterdir())).text
