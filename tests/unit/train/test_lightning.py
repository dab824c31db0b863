"""Lightning's own: callbacks by name, further arguments of the Trainer, profilers, and devices."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from capbench import trust
from capbench.compare import folders
from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.settings import build, check
from capbench.train import build as build_of_training
from capbench.train import experiment
from capbench.train.build import build_callbacks
from capbench.train.optim import Optim
from capbench.train.trainer import SET_ELSEWHERE, TrainerSettings
from tests.helpers import own_parts
from tests.helpers.own_parts import EPOCHS
from tests.helpers.protocols import Train
from tests.helpers.repository import ROOT
from tests.helpers.settings import FAST, composed
from tests.helpers.tables import read_csv

ARGUMENTS = inspect.signature(pl.Trainer).parameters
ACCEPTED: dict[str, Any] = {
    "accumulate_grad_batches": 2,
    "benchmark": True,
    "detect_anomaly": True,
    "enable_autolog_hparams": False,
    "gradient_clip_algorithm": "value",
    "inference_mode": False,
    "log_every_n_steps": 7,
    "min_epochs": 2,
    "min_steps": 3,
    "profiler": "simple",
    "sync_batchnorm": True,
}
OF_FILES = ("data=csv", "data.root={root}", "data.split.train=null", "data.split.test=0.5")
FILES = sorted(path.stem for path in (ROOT / "conf" / "callbacks").glob("*.yaml"))


def settings(**changed: Any) -> TrainerSettings:
    """Return the settings of the Trainer on a CPU, with some changed, checked and built as in a training."""
    plain = composed("trainer.progress=false")["trainer"] | changed
    check(plain, TrainerSettings, "trainer")
    built: TrainerSettings = build(plain)
    return built


def trainer_with(extra: dict[str, Any], folder: Path) -> pl.Trainer:
    optim: Optim = build(composed()["optim"])
    return settings(extra=extra).trainer(optim, folder, [], gradient_free=False, validates=True)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_of_the_trainer_is_accepted_or_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    if name in SET_ELSEWHERE:
        with pytest.raises(Mistake, match=rf"^trainer\.extra\.{name}: is set by CapBench; .{{10}}"):
            settings(extra={name: ARGUMENTS[name].default})
        return
    assert trainer_with({name: ACCEPTED[name]}, tmp_path)


def test_no_reason_is_given_for_an_argument_that_lightning_no_longer_has() -> None:
    assert set(ARGUMENTS) == {*SET_ELSEWHERE, *ACCEPTED}


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        (
            {"acumulate_grad_batches": 2},
            r"acumulate_grad_batches: is not a setting .* did you mean trainer\.extra\.accum",
        ),
        ({"accumulate_grad_batches": "two"}, r"accumulate_grad_batches: 'two' is not accepted"),
        ({"profiler": "simpel"}, r"profiler: 'simpel' is not a profiler; did you mean simple\?"),
        ({"min_epochs": {"_target_": "capbench.text.Alphabet"}}, r"min_epochs\._target_: .* builds nothing"),
        ({"_target_": "capbench.text.Alphabet"}, r"extra\._target_: .* takes plain data"),
    ],
    ids=range(5),
)
def test_wrong_arguments_of_the_trainer_are_refused(extra: dict[str, Any], match: str) -> None:
    with pytest.raises(Mistake, match=rf"^trainer\.(extra\.)?{match}"):
        settings(extra=extra)


def test_an_argument_that_lightning_itself_refuses_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"^trainer: Lightning refuses trainer\.extra or callbacks \(.*clip"):
        trainer_with({"gradient_clip_algorithm": "hard"}, tmp_path)


def test_arguments_and_a_profiler_take_effect(train: Train) -> None:
    extra = "trainer.extra={accumulate_grad_batches: 2, profiler: simple}"
    once = train(*FAST, "optim.batch_size=4", "trainer.limit_batches=null", "logger=none", at="once")
    twice = train(*FAST, "optim.batch_size=4", "trainer.limit_batches=null", "logger=none", extra, at="twice")
    assert [int(row["step"]) for row in read_csv(once.metrics)] == [
        2 * int(row["step"]) for row in read_csv(twice.metrics)
    ]
    assert "Total time" in (twice.path / "fit-profile.txt").read_text()


def test_an_argument_that_the_recogniser_does_not_allow_is_a_mistake(train: Train) -> None:
    with pytest.raises(Mistake, match=r"^trainer: Lightning refuses .*gradient accumulation is not supported"):
        train(*FAST, "model=knn", "view=characters", "logger=none", "trainer.extra={accumulate_grad_batches: 2}")


def test_every_file_of_callbacks_is_trained_with(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FILES == ["device_stats", "early_stop", "lr_monitor", "none", "timer"]
    load = SimpleNamespace(cpu_percent=lambda: 1.0, virtual_memory=lambda: SimpleNamespace(percent=2.0))
    load.swap_memory = load.virtual_memory
    monkeypatch.setitem(sys.modules, "psutil", load)  # not a package that CapBench needs
    monkeypatch.setattr(build_of_training, "find_spec", lambda name: name)
    monkeypatch.setattr("pytorch_lightning.callbacks.device_stats_monitor._PSUTIL_AVAILABLE", True)
    monkeypatch.setattr("pytorch_lightning.accelerators.cpu._PSUTIL_AVAILABLE", True)
    folder = train(*FAST, f"callbacks=[{','.join(FILES)}]", "trainer.extra={log_every_n_steps: 1}", "logger=csv")
    logged = (folder.path / "csv" / "metrics.csv").read_text()
    assert "lr-AdamW" in logged and "DeviceStatsMonitor.on_train_batch_start" in logged
    ((run,), left_out) = folders.read(folder.path)
    assert left_out == [] and run.settings["callbacks.timer"] == "Timer"


def test_a_callback_can_end_a_training_early(train: Train) -> None:
    never = ("callbacks=early_stop", "callbacks.early_stop.patience=1", "callbacks.early_stop.min_delta=1.0")
    folder = train(*FAST, "optim.epochs=9", "logger=none", *never)
    assert folder.read_result()["train/epochs"] == 2


@pytest.mark.parametrize(
    ("callbacks", "match"),
    [
        ({"monitr": "val/exact"}, r"monitr: is not a setting .* did you mean callbacks\.stop\.monitor "),
        ({}, r"monitor: must be given; EarlyStopping needs it"),
        ({"monitor": 3}, r"monitor: 3 is not accepted; input should be a valid string"),
        ({"_target_": "pytorch_lightning.callbacks.EarlyStoping"}, r"_target_: .* is not a class of Lightning; did you"),
        ({"_target_": "pytorch_lightning.callbacks.early_stopping.EarlyStopping"}, r"_target_: .* is not a class of Ligh"),
        ({"_target_": "pytorch_lightning.callbacks.os.system"}, r"_target_: .* is not a class of Lightning; "),
        ({"_target_": "pytorch_lightning.Trainer"}, r"_target_: .* is not a class that CapBench builds"),
        ({"_target_": "pytorch_lightning.loggers.CSVLogger"}, r"_target_: .* is not a class that CapBench builds"),
        ({"_target_": "capbench.models.cnn.CNN"}, r"_target_: capbench\.models\.cnn\.CNN is no(t a)? Callback"),
        ({"_target_": "own_parts.Epochs", "file": "a"}, r"_target_: .* trust=own_parts"),
    ],
    ids=range(10),
)  # fmt: skip
def test_wrong_callbacks_are_refused(callbacks: dict[str, Any], match: str) -> None:
    stop = {"_target_": "pytorch_lightning.callbacks.EarlyStopping"} | callbacks
    with pytest.raises(Mistake, match=rf"^callbacks\.stop\.{match}"):
        check(composed() | {"callbacks": {"stop": stop}}, experiment.schema)


def test_a_callback_that_names_no_class_is_refused() -> None:
    with pytest.raises(
        Mistake, match=r"^callbacks: \{'stop': 1\} is not accepted; input should be an instance of Callb"
    ):
        check(composed() | {"callbacks": {"stop": 1}}, experiment.schema)


def test_classes_of_lightning_are_built_for_no_other_key() -> None:
    for key in ("model", "logger", "view", "data"):
        with pytest.raises(Mistake, match=rf"^{key}\._target_: .* is not a class that CapBench builds"):
            check(composed() | {key: {"_target_": "pytorch_lightning.callbacks.Timer"}}, experiment.schema)


def test_a_value_that_a_callback_refuses_is_a_mistake() -> None:
    stop = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/exact", "mode": "up"}
    with pytest.raises(Mistake, match=r"^callbacks\.stop: is refused by Lightning \(.*mode.*\)"):
        build_callbacks({"callbacks": {"stop": stop}})


@pytest.mark.parametrize(
    ("overrides", "match"),
    [
        (("callbacks=lr_monitor", "logger=none"), r"^callbacks\.lr_monitor: needs a logger; choose logger=csv"),
        (("callbacks=device_stats", "logger=none"), r"^callbacks\.device_stats: needs a logger; "),
        (("callbacks=device_stats", "logger=csv"), r"^callbacks\.device_stats: watches the CPU by psutil, which is miss"),
        (("callbacks=early_stop", *OF_FILES, "data.split.val=null"), r"^callbacks\.early_stop\.monitor: val/exact needs validation"),
        (("callbacks=early_stop", "trainer.patience=3"), r"^trainer: Lightning refuses .*EarlyStopping"),
    ],
    ids=range(5),
)  # fmt: skip
def test_callbacks_that_lack_what_they_need_are_refused(
    overrides: tuple[str, ...], match: str, train: Train, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_of_training, "find_spec", lambda name: None)
    with pytest.raises(Mistake, match=match):
        train(*FAST, *(override.format(root=labelled) for override in overrides))


def test_a_callback_of_a_trusted_package_is_called(tmp_path: Path) -> None:
    chosen = composed(*FAST, "logger=none", "optim.epochs=2") | {"callbacks": {"epochs": EPOCHS}}
    with own_parts.importable(), trust.trusting(["own_parts"]):
        with pytest.raises(Mistake, match=r"^callbacks\.epochs\.files: is not a setting .*did you mean .*\.file\?"):
            check(chosen | {"callbacks": {"epochs": {"_target_": EPOCHS["_target_"], "files": "a"}}}, experiment.schema)
        experiment.run(chosen, RunFolder(tmp_path / "run"), resumed=False)
    assert Path("epochs.txt").read_text().split() == ["1", "2"]


@pytest.mark.parametrize(("gpus", "apples", "taken"), [(2, True, "gpu"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_the_gpu_that_there_is(gpus: int, apples: bool, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apples)
    assert settings(**composed("trainer=auto")["trainer"]).device == taken


def test_mps_takes_the_one_gpu_of_apple(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = composed("trainer=mps")["trainer"]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(Mistake, match=r"^trainer\.accelerator: 1 GPUs of Apple are wanted, .* has 0; try trainer=auto"):
        settings(**plain)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert settings(**plain).device == "mps"
    with pytest.raises(Mistake, match=r"^trainer\.accelerator: 2 GPUs of Apple are wanted, and this machine has 1"):
        settings(**plain | {"devices": 2, "strategy": "ddp"})
