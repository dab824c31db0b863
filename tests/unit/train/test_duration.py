"""Duration of a training: when and how it is told, what is quicker, and what is said where it was wrong."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from capbench.runs import RunFolder
from capbench.train import experiment
from capbench.train.build import Experiment
from capbench.train.clock import Clock
from capbench.train.duration import LEAST_BATCHES, WARM_UP, Duration, about, quicker
from tests.helpers.protocols import Train
from tests.helpers.settings import composed

SMALL = ("data.split={train:64,val:16,test:16}", "optim.batch_size=16", "logger=none", "trainer.progress=false")
BATCHES = 1000  # of an epoch of a made-up training


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time in seconds, to be changed, that the callback reads."""
    reading = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: reading[0])
    return reading


def prepared(*overrides: str) -> Experiment:
    return experiment.prepare(composed(*SMALL, *overrides))


def trains(duration: Duration, now: list[float], seconds: float, batches: int = 10, **trainer: Any) -> Any:
    """Go through the first batches of a training; the first takes a minute more than the others."""
    state: dict[str, Any] = {
        "callbacks": [],
        "should_stop": False,
        "global_step": 0,
        "current_epoch": 0,
        "max_epochs": 4,
    }
    fake: Any = SimpleNamespace(**{**state, "num_training_batches": BATCHES, **trainer})
    module: Any = None
    duration.on_train_start(fake, module)
    for index in range(batches):
        duration.on_train_batch_start(fake, module, None, index)
        now[0] += seconds + (60 if index == 0 else 0)
        duration.on_train_batch_end(fake, module, None, None, index)
    return fake


def test_the_duration_is_told_once_from_batches_after_the_first(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    duration = Duration(prepared())
    trains(duration, now, seconds=6)
    # Of the 4,000 training batches the first took a minute more; five validations and the test read a batch each.
    assert duration.told == pytest.approx(60 + 4000 * 6 + 6 * 6 / 3)
    out = capsys.readouterr().out
    assert out.startswith("takes about 6.5 hours here (training, validation and test); quicker: ")
    assert out.count("takes") == 1


def test_a_training_of_seconds_tells_nothing(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    duration = Duration(prepared())
    trains(duration, now, seconds=1, num_training_batches=10, max_epochs=1)
    duration.correct()
    assert (duration.told, capsys.readouterr().out) == (None, "")


def test_few_long_batches_are_enough(now: list[float]) -> None:
    duration = Duration(prepared())
    trains(duration, now, seconds=100, batches=WARM_UP + LEAST_BATCHES - 1)
    assert duration.told is None
    trains(duration, now, seconds=100, batches=1)
    assert duration.told is not None


def test_time_between_epochs_is_not_measured(now: list[float]) -> None:
    duration = Duration(prepared("trainer.limit_batches=1"))
    trainer = trains(duration, now, seconds=2, batches=4, num_training_batches=4)
    now[0] += 1000  # validation
    trainer.current_epoch = 1
    for index in range(4):
        duration.on_train_batch_start(trainer, None, None, index)  # type: ignore[arg-type]
        now[0] += 4
        duration.on_train_batch_end(trainer, None, None, None, index)  # type: ignore[arg-type]
    # Two batches of 2 seconds and three of 4 were measured when the rest was told: 9 batches, 4 validations, the test.
    assert duration.told == pytest.approx(60 + 8 + 1000 + 12 + (9 + 5 / 3) * 16 / 5)


def test_a_resumed_training_tells_the_rest(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    duration = Duration(prepared())
    trains(duration, now, seconds=6, global_step=3 * BATCHES, current_epoch=3)
    assert capsys.readouterr().out == "takes about 1.5 hours more (training, validation and test)\n"


def test_folds_are_told_together(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    trains(Duration(prepared(), trainings=6), now, seconds=0.5, batches=100, max_epochs=1)
    assert capsys.readouterr().out.startswith("takes about 55 minutes here in 6 trainings (")


@pytest.mark.parametrize(
    ("overrides", "spent", "told"),
    [
        (["optim.epochs=null"], 0, "takes about 10 minutes here (minutes=10, then validation and test)\n"),
        (["optim.epochs=null"], 330, "takes about 4 minutes more (minutes=10, then validation and test)\n"),
        (["optim.epochs=3"], 0, "takes at most about 10 minutes here (minutes=10, then validation and test)\n"),
    ],
)
def test_a_time_budget_is_told_at_the_start(
    overrides: list[str], spent: float, told: str, now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(10, None)
    clock.load_state_dict({**clock.state_dict(), "spent": float(spent)})
    trains(Duration(prepared("minutes=10", *overrides)), now, 6, callbacks=[clock], global_step=spent)
    assert capsys.readouterr().out == told


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        (2000, ""),
        (1000, "took about 15 minutes; after the first batches about 35 minutes had been told\n"),
        (9000, "took about 2.5 hours; after the first batches about 35 minutes had been told\n"),
    ],
)
def test_a_duration_that_was_far_from_true_is_corrected(
    taken: float, told: str, now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    duration = Duration(prepared())
    trains(duration, now, seconds=0.5, batches=100)
    capsys.readouterr()
    now[0] = taken
    duration.correct()
    assert capsys.readouterr().out == told


def test_a_training_that_may_stop_early_is_not_wrong_when_it_does(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    duration = Duration(prepared("trainer.patience=2"))
    trains(duration, now, seconds=0.5, batches=100)
    assert capsys.readouterr().out.startswith("takes at most about 35 minutes here (")
    duration.correct()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2, "about 10 seconds"),
        (84, "about 80 seconds"),
        (95, "about 2 minutes"),
        (440, "about 7 minutes"),
        (1700, "about 30 minutes"),
        (5500, "about 1.5 hours"),
        (40_000, "about 11 hours"),
        (200_000, "about 2.5 days"),
    ],
)
def test_durations_are_rounded(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Machine without a GPU, whose processor does not multiply bf16."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return monkeypatch


SHORTER = ["minutes=10", "optim.epochs=4", "model.widths=[20,32]"]


def test_what_is_quicker_on_any_machine(plain: pytest.MonkeyPatch) -> None:
    assert quicker(prepared(), 1200) == SHORTER
    assert not quicker(prepared("minutes=20", "optim.epochs=1", "model.widths=[1]", "model.strides=[2]"), 1200)


def test_a_processor_that_multiplies_bf16_is_told(plain: pytest.MonkeyPatch) -> None:
    plain.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert quicker(prepared(), 1200) == ["trainer.precision=auto", *SHORTER]
    assert quicker(prepared("trainer.precision=auto"), 1200) == SHORTER


@pytest.mark.parametrize(
    ("module", "name", "told"),
    [(torch.cuda, "device_count", "trainer=gpu"), (torch.backends.mps, "is_available", "trainer=mps")],
)
def test_an_unused_gpu_is_told(module: Any, name: str, told: str, plain: pytest.MonkeyPatch) -> None:
    small = prepared()
    plain.setattr(module, name, lambda: 1)
    assert quicker(small, 1200) == [told, *SHORTER]


def test_folds_are_offered_no_time_budget(plain: pytest.MonkeyPatch, labelled: Path) -> None:
    folds = prepared_folds(labelled)
    assert "minutes=10" not in quicker(folds, 1200) + quicker(folds.fold(0), 1200)


def prepared_folds(root: Path) -> Experiment:
    return experiment.prepare(composed("logger=none", "data=csv", f"data.root={root}", "data/split=folds"))


def test_each_offered_setting_is_accepted(plain: pytest.MonkeyPatch) -> None:
    plain.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    for setting in quicker(prepared(), 1200):
        prepared(setting)


def test_a_whole_training_tells_its_duration(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("capbench.train.duration.LEAST_SECONDS", 0.0)
    run = train(*SMALL, "optim.epochs=2", "data.split.train=128")
    assert capsys.readouterr().out.count(" here (training, validation and test)\n") == 1
    assert isinstance(run, RunFolder)
