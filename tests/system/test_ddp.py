"""Training in two processes over gloo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from capbench.train import experiment
from tests.helpers.command import capbench
from tests.helpers.rounding import apart
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv


def test_two_processes_leave_one_complete_run(tmp_path: Path) -> None:
    done = capbench(
        "+experiment=quickstart",
        "trainer=ddp_cpu",
        "data.split={train:96,val:33,test:41}",
        "optim.epochs=2",
        "optim.batch_size=32",
        "optim.poses=1",
        "trainer.progress=false",
    )
    assert done.returncode == 0, done.stderr
    (result_file,) = tmp_path.glob("runs/quickstart/*/result.json")
    result = json.loads(result_file.read_text())
    assert result["test/images"] == 41
    assert result["train/images"] == 2 * 96
    assert [row["filename"] for row in read_csv(result_file.parent / "predictions.csv")] == [
        f"test_{i}" for i in range(41)
    ]
    assert len(list((result_file.parent / "wandb").glob("offline-run-*"))) == 1
    assert done.stdout.count("run folder:") == 1


def test_ddp_without_validation_is_accepted(labelled: Path) -> None:
    experiment.prepare(composed("trainer=ddp_cpu", "data=csv", f"data.root={labelled}", "data.split.val=null"))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_training_on_two_gpus_ends_well(tmp_path: Path) -> None:
    done = capbench("trainer=ddp", "debug=fast")
    assert done.returncode == 0, done.stderr


def curves(folder: Path, *overrides: str) -> list[dict[str, str]]:
    """Train a perceptron and return the rows of metrics.csv.

    It has no dropout and no batch norm, which would differ where each process sees a part of the batch.
    """
    done = capbench(
        "model=mlp_article",
        "view=characters",
        "optim.batch_size=32",
        "trainer.progress=false",
        "logger=none",
        f"hydra.run.dir={folder}",
        *overrides,
    )
    assert done.returncode == 0, done.stderr
    return read_csv(folder / "metrics.csv")


@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path: Path) -> None:
    """Compare twenty steps, each an epoch of one batch."""
    # A step of SGD is proportional to the gradient; Adam's may change its sign where a gradient near 0 rounds otherwise.
    steps = ("optim.kind=sgd", "optim.lr=0.3", "optim.clip=0")
    twenty = ("data.split={train:32,val:33,test:16}", "optim.epochs=20", *steps)
    one, two = curves(tmp_path / "one", *twenty), curves(tmp_path / "two", "trainer=ddp_cpu", *twenty)
    assert len(one) == len(two) == 20
    losses = [[float(row["train/loss"]) for row in rows] for rows in (one, two)]
    assert losses[0][-1] < losses[0][0] - 0.05
    assert apart(losses[1], losses[0]) < 1e-4


@pytest.mark.slow
def test_two_processes_validate_like_one(tmp_path: Path) -> None:
    """Compare the metrics of equal weights, which no step is large enough to change, on an odd number of images."""
    still = ("data.split={train:32,val:333,test:16}", "optim.epochs=1", "optim.lr=1e-30", "optim.weight_decay=0")
    (one,), (two,) = curves(tmp_path / "one", *still), curves(tmp_path / "two", "trainer=ddp_cpu", *still)
    measured = [name for name in one if name.startswith("val/")]
    assert {"val/exact", "val/char", "val/cer", "val/ece"} <= set(measured)
    for name in measured:
        assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-5), name
