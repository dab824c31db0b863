"""Time budget of a training: the clock, its schedule, its end, and its resumption."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.train import experiment
from capbench.train.clock import Clock
from tests.helpers.protocols import Train
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv

SMALL = ("data.split={train:64,val:16,test:16}", "optim.batch_size=16", "logger=none", "trainer.progress=false")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time in seconds, to be changed, that the clock reads."""
    reading = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: reading[0])
    return reading


def begun(minutes: float, patience: int | None = None) -> tuple[Clock, Any]:
    clock, trainer = Clock(minutes, patience), SimpleNamespace(should_stop=False)
    clock.on_train_start(trainer, None)  # type: ignore[arg-type]
    return clock, trainer


def epoch(clock: Clock, exact: float, loss: float = 1.0) -> None:
    measured = SimpleNamespace(measured={"val/exact": exact, "val/loss": loss})
    clock.on_train_epoch_end(None, measured)  # type: ignore[arg-type]


def test_a_training_is_over_when_its_minutes_are_spent(now: list[float]) -> None:
    clock, trainer = begun(2)
    for seconds, over in ((0, 0.0), (30, 0.25), (119, 119 / 120), (120, 1.0), (180, 1.0)):
        now[0] = seconds
        clock.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
        assert clock.over == pytest.approx(over)
        assert trainer.should_stop == (seconds >= 120)


def test_time_that_was_spent_before_an_interruption_counts(now: list[float]) -> None:
    first, _ = begun(2)
    now[0] = 30
    kept = first.state_dict()
    now[0] = 1000
    again = Clock(2, None)
    again.load_state_dict(kept)
    again.on_train_start(None, None)  # type: ignore[arg-type]
    assert again.over == pytest.approx(0.25)
    now[0] += 30
    assert again.over == pytest.approx(0.5)


def test_the_rest_is_shortened_once_validation_improves_no_more(now: list[float]) -> None:
    clock, _ = begun(10, patience=2)
    for second, exact, loss in ((10, 0.0, 2.0), (20, 0.0, 1.0), (30, 0.5, 1.0), (40, 0.5, 1.0)):
        now[0] = second
        epoch(clock, exact, loss)
    assert clock.total == 600
    now[0] = 50
    epoch(clock, 0.4)
    assert (clock.total, clock.over) == (75, pytest.approx(50 / 600))
    kept = clock.state_dict()
    now[0] = 62.5
    assert clock.over == pytest.approx((50 / 600 + 1) / 2)
    epoch(clock, 0.4)
    assert clock.total == 75
    again = Clock(10, 2)
    again.load_state_dict(kept)
    assert (again.total, again.over) == (75, pytest.approx(50 / 600))


def test_a_late_end_of_progress_does_not_make_the_training_longer(now: list[float]) -> None:
    clock, _ = begun(10, patience=1)
    now[0] = 500
    epoch(clock, 0.5)
    epoch(clock, 0.5)
    assert clock.total == 600


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_the_learning_rate_follows_the_clock_to_its_end(
    schedule: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock is a step of the training; the whole training has ten."""
    monkeypatch.setattr(Clock, "over", property(lambda clock: min((clock.__dict__.setdefault("steps", 0)) / 10, 1.0)))
    counted = Clock.on_train_batch_end

    def count(clock: Clock, *arguments: Any) -> None:
        clock.__dict__["steps"] = clock.__dict__.get("steps", 0) + 1
        counted(clock, *arguments)

    monkeypatch.setattr(Clock, "on_train_batch_end", count)
    run = train(*SMALL, "minutes=1", "optim.epochs=null", f"optim.schedule={schedule}", "optim.warmup=0.2")
    rows = read_csv(run.metrics)
    assert [int(row["step"]) for row in rows] == [4, 8, 10]
    rates = [float(row["lr"]) for row in rows]
    assert rates[0] > rates[1] > rates[2] > 0
    assert rates[2] < 0.05 * rates[0]
    assert "val/exact" in run.read_result()


def test_a_training_that_ended_by_the_clock_resumes_to_its_result(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*SMALL, "minutes=1e-6", "optim.epochs=null")
    assert "its time was over within the first epoch; train longer with minutes=2e-06\n" in capsys.readouterr().out
    result = run.read_result()
    assert (result["train/epochs"], result["train/images"]) == (1, 16)
    weights = torch.load(run.best, weights_only=True)["state_dict"]
    run.result.unlink()
    experiment.run(run.settings(), RunFolder(run.path), resumed=True)
    again = run.read_result()
    assert (again["train/epochs"], again["test/exact"]) == (1, result["test/exact"])
    assert all(torch.equal(weights[name], new) for name, new in torch.load(run.best)["state_dict"].items())


def test_a_number_of_epochs_may_end_the_training_first(train: Train) -> None:
    result = train(*SMALL, "minutes=1000", "optim.epochs=2").read_result()
    assert result["train/epochs"] == 2


def test_the_bar_tells_the_best_and_the_time_left(train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    train(*SMALL[:-1], "minutes=0.05", "optim.epochs=null")
    err = capfd.readouterr().err
    assert " left, epoch=" in err and "best=0" in err


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["optim.epochs=null"], r"^optim\.epochs: null needs a time budget; set minutes=10, or"),
        (["minutes=0"], r"minutes: 0 is not accepted"),
        (["minutes=1", "trainer=ddp_cpu"], r"^minutes: is measured by one process"),
    ],
)
def test_budgets_that_cannot_be_kept_are_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(Mistake, match=told):
        experiment.prepare(composed(*SMALL, *overrides))


def test_folds_have_no_budget(labelled: Path) -> None:
    folds = ("data=csv", f"data.root={labelled}", "data/split=folds", "minutes=1")
    with pytest.raises(Mistake, match=r"^minutes: folds are trained for a number of epochs"):
        experiment.prepare(composed(*folds, "logger=none"))
