"""Progress bar of a training."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from capbench.train.callbacks import WATCHED, Checkpoints, callback
from capbench.train.clock import Clock

BY_TIME = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} spent, {remaining} left{postfix}"


def bar(total: int, what: str, unit: str, *, initial: int = 0, wanted: bool = True) -> tqdm:
    """Return a progress bar that updates often on a terminal, and at most every 15 seconds in a log."""
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        unit_scale=True,
        smoothing=0.05,
        mininterval=0.3 if sys.stderr.isatty() else 15,
        dynamic_ncols=True,
        disable=not wanted,
    )


class Progress(ProgressBar):
    """Progress bar over the whole training: loss, last and best exact accuracy on validation, and images per second.

    With a time budget the bar is over its seconds, and tells those that are left.
    """

    def __init__(self, wanted: bool, clock: Clock | None = None) -> None:
        super().__init__()
        self._bar: tqdm | None = None
        self._clock = clock
        self._wanted = wanted

    def disable(self) -> None:
        """Hide the bar; Lightning calls this on every rank but zero."""
        self._wanted = False

    def enable(self) -> None:
        """Show the bar."""
        self._wanted = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._wanted:
            return
        if self._clock is not None:
            self._bar = bar(round(self._clock.total), "training", "s", initial=int(self._clock.spent))
            self._bar.bar_format = BY_TIME
            self._bar.start_t -= self._clock.spent
            return
        per_epoch = int(trainer.num_training_batches) * self._images_of_step(trainer)
        self._bar = bar(
            (trainer.max_epochs or 1) * per_epoch, "training", "img", initial=trainer.current_epoch * per_epoch
        )

    @staticmethod
    def _images_of_step(trainer: pl.Trainer) -> int:
        module: Any = trainer.datamodule  # type: ignore[attr-defined]
        return min(module.batch_size, module.epoch_images or len(module.material.parts["train"]))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None:
            return
        progress = self._images_of_step(trainer)
        if self._clock is not None:
            self._bar.total = round(self._clock.total)
            progress = min(int(self._clock.spent), round(self._clock.total)) - int(self._bar.n)
        if self._bar.update(progress):  # True when drawn; reading the loss waits for the device
            self._describe(trainer, outputs)

    def _describe(self, trainer: pl.Trainer, outputs: Any) -> None:
        assert self._bar is not None
        planned = f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
        shown = {"epoch": f"{trainer.current_epoch + 1}{planned}"}
        if outputs is not None:
            shown["loss"] = f"{float(outputs['loss']):.3f}"
        if WATCHED in trainer.callback_metrics:
            now = float(trainer.callback_metrics[WATCHED])
            shown[WATCHED] = f"{now:.4f}"
            shown["best"] = f"{max(now, callback(trainer, Checkpoints).highest):.4f}"
        self._bar.set_postfix(shown, refresh=False)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar is not None and trainer.state.fn == "fit":
            self._describe(trainer, None)
            self._bar.refresh()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)
