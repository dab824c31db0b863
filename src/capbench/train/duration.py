"""Duration of a training, told after its first batches."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch

from capbench.data.splits import Folds
from capbench.train.build import Experiment
from capbench.train.clock import Clock
from capbench.train.console import say

WARM_UP = 2  # batches of a process that are not measured: the first ones compile, and allocate memory
LEAST_BATCHES = 3  # that are measured
LEAST_SECONDS = 15.0  # that are measured; a shorter training tells no duration
READING = 1 / 3  # of the time of a training batch: the backward pass takes twice as long as the forward pass
LONG = 600.0  # seconds from which quicker settings are told
WRONG = 1.5  # factor between the told and the real duration from which both are told at the end
UNITS = (
    ("seconds", 1, 10, 90),
    ("minutes", 60, 1, 600),
    ("minutes", 60, 5, 5400),
    ("hours", 3600, 0.5, 129_600),
    ("days", 86_400, 0.5, math.inf),
)
"""Units of a told duration: seconds of one, the step to which it is rounded, and seconds up to which it is used"""


class Duration(pl.Callback):
    """Callback that says once how long training, validation and test take here, and what would be quicker.

    A time budget is told at the start. All else is measured on the first batches of this process; a resumed training
    tells the rest. `trainings` is the number of equal trainings that begin with this one.
    """

    def __init__(self, experiment: Experiment, trainings: int = 1) -> None:
        self.told: float | None = None
        """Seconds that were told, from the start in this process to the end of the test"""
        self._experiment = experiment
        self._trainings = trainings
        self._resumed = False
        self._measures = True
        """False once the duration is told"""
        self._start = 0.0
        self._batches = 0  # batches of this process so far
        self._measured = (0, 0.0)  # batches, and the seconds that they took together
        self._since = 0.0

    @property
    def _at_most(self) -> bool:
        """Return True if the training may end before its planned end."""
        experiment = self._experiment
        stops = experiment.trainer_settings.patience is not None or experiment.settings["trial"] is not None
        return stops or (experiment.optim.minutes is not None and experiment.optim.epochs is not None)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        self._resumed = trainer.global_step > 0
        for clock in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(clock, Clock) and not trainer.should_stop:
                self._tell(clock.total - clock.spent, self._budget())

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0:  # validation, and the start of data loaders, came before
            self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        self._batches += 1
        if not self._measures or self._experiment.recognizer.model.gradient_free:
            return
        batches, seconds = self._measured
        if self._batches > WARM_UP:
            self._measured = batches, seconds = batches + 1, seconds + now - self._since
        self._since = now
        if batches >= LEAST_BATCHES and seconds >= LEAST_SECONDS:
            epochs = (trainer.max_epochs or 1) - trainer.current_epoch
            left = epochs * int(trainer.num_training_batches) - batch_idx - 1 + READING * self._read(epochs)
            whole = now - self._start + left * seconds / batches
            self.told = self._trainings * whole
            self._tell(self.told, "training, validation and test")

    def _read(self, epochs: int) -> int:
        """Return the number of batches that are read in the epochs' validations, in that of the best weights, and in the test."""
        material = self._experiment.material
        parts = {"val": epochs + 1 if material.validates else 0, "test": 0 if material.folds else 1}
        most = self._experiment.trainer_settings.limit_batches or math.inf
        size = self._experiment.optim.batch_size
        return sum(int(min(math.ceil(len(material.parts[name]) / size), most)) * times for name, times in parts.items())

    def _budget(self) -> str:
        """Return what a time budget is for; a part of it may be kept for finding wrong labels."""
        asked, own = self._experiment.settings["optim"]["minutes"], self._experiment.optim.minutes
        kept = "" if asked == own else f", of which {asked - own:g} find wrong labels"
        return f"minutes={asked:g}{kept}, then validation and test"

    def _tell(self, seconds: float, of_what: str) -> None:
        """Print the duration, and settings that are quicker than a long training.

        A resumed training keeps its settings, so that none are told.
        """
        self._measures = False
        most = "at most " if self._at_most else ""
        trainings = f" in {self._trainings} trainings" if self._trainings > 1 else ""
        line = f"takes {most}{about(seconds)} {'more' if self._resumed else 'here'}{trainings} ({of_what})"
        settings = quicker(self._experiment, seconds) if seconds > LONG and not self._resumed else []
        say(line + (f"; quicker: {', '.join(settings)}" if settings else ""))

    def correct(self) -> None:
        """Print the real duration, at the end of the test, if the told one was wrong by much."""
        if self.told is None:
            return
        taken = time.monotonic() - self._start
        if taken > WRONG * self.told or (taken < self.told / WRONG and not self._at_most):
            say(f"took {about(taken)}; after the first batches {about(self.told)} had been told")


def about(seconds: float) -> str:
    """Return a duration in words, rounded to one or two digits."""
    unit, size, step, _ = next(row for row in UNITS if seconds < row[-1])
    return f"about {max(round(seconds / size / step), 1) * step:g} {unit}"


def quicker(experiment: Experiment, seconds: float) -> list[str]:
    """Return settings with which a training of so many seconds would take less time on this machine."""
    hardware, optim = experiment.trainer_settings, experiment.optim
    folds = isinstance(experiment.material.source.rule, Folds)
    found = []
    if hardware.device == "cpu" and torch.cuda.device_count():
        found.append("trainer=gpu")
    elif hardware.device == "cpu" and torch.backends.mps.is_available():
        found.append("trainer=mps")
    elif hardware.used_precision == "32-true" and replace(hardware, precision="auto").used_precision != "32-true":
        found.append("trainer.precision=auto")
    if optim.minutes is None and not folds and hardware.devices * hardware.nodes == 1:
        found.append(f"minutes={seconds // 120:g}")
    if optim.epochs is not None and optim.epochs > 1:
        found.append(f"optim.epochs={optim.epochs // 2}")
    widths = experiment.settings["model"].get("widths") or []
    if max(widths, default=1) > 1:
        found.append(f"model.widths=[{','.join(str(max(width // 2, 1)) for width in widths)}]")
    return found
