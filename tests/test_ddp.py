"""Two processes over gloo: every image once, one record."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
import torch

from tests.conftest import capbench


def test_two_processes_leave_one_whole_record(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"}
    done = capbench(
        "+experiment=quickstart",
        "trainer=ddp_cpu",
        "data.split={train:96,val:33,test:41}",
        "optim.epochs=2",
        "optim.batch_size=32",
        "trainer.progress=false",
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    (result_file,) = tmp_path.glob("runs/quickstart/*/result.json")
    result = json.loads(result_file.read_text())
    assert result["test/images"] == 41
    assert result["train/images"] == 2 * 96
    with (result_file.parent / "predictions.csv").open(newline="") as file:
        assert [row["filename"] for row in csv.DictReader(file)] == [f"test_{i}" for i in range(41)]
    assert len(list((result_file.parent / "wandb").glob("offline-run-*"))) == 1
    assert done.stdout.count("run folder:") == 1


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus(tmp_path: Path) -> None:
    done = capbench("trainer=ddp", "debug=fast")
    assert done.returncode == 0, done.stderr
