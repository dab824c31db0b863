"""Lightning callbacks: checkpoints, metrics.csv, weight averaging, pruning of search trials, progress bar."""

from __future__ import annotations

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EMAWeightAveraging, ProgressBar
from pytorch_lightning.plugins.io import TorchCheckpointIO
from tqdm import tqdm

from capbench.sweep.study import Trial
from capbench.utils.atomic import replacing, share

WATCHED = "val/exact"


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoint writer that replaces the old file only when the new one is complete.

    A full disk leaves the old checkpoint intact.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()  # writing to the file directly, torch hides why it cannot be written
        torch.save(checkpoint, content)
        with replacing(target, "wb") as file:
            file.write(content.getbuffer())


class Averaging(EMAWeightAveraging):
    """Exponential moving average of the weights, used for validation during training and in checkpoints.

    Lightning's own callback would also replace the weights in a validation that follows the training.
    """

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._average_model = None


class Checkpoints(Checkpoint):
    """Callback that writes `last.ckpt` after each epoch, and `best.ckpt` when that epoch is the best so far.

    The best epoch has the highest exact accuracy on validation, with the lowest loss among equals; without validation
    it is the last epoch. `over` is saved in the checkpoint and is True if training stopped with this epoch, however
    many epochs were planned.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best: tuple[float, float] | None = None
        self.best_epoch = 0
        self.over = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop |= self.over

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if WATCHED in pl_module.measured:
            score = (pl_module.measured[WATCHED], -pl_module.measured["val/loss"])
        else:
            score = (0.0, float(trainer.current_epoch))
        better = self.best is None or score > self.best
        if better:
            self.best, self.best_epoch = score, trainer.current_epoch + 1
        self.over = trainer.should_stop
        last, best = self.folder / "last.ckpt", self.folder / "best.ckpt"
        # best.ckpt is written first: a training killed before last.ckpt repeats this epoch, and finds it best again.
        trainer.save_checkpoint(best if better else last)
        if better and trainer.is_global_zero:
            share(best, last)
        trainer.strategy.barrier("checkpoints")  # other processes read the files as soon as training ends

    def state_dict(self) -> dict[str, Any]:
        return {"best": list(self.best or ()), "best_epoch": self.best_epoch, "over": self.over}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        exact, loss = state_dict["best"]
        self.best, self.best_epoch = (exact, loss), state_dict["best_epoch"]
        self.over = state_dict.get("over", False)  # absent in older checkpoints


class Pruning(pl.Callback):
    """Callback that ends a training that its hyperparameter search prunes, after the epoch's checkpoint is saved.

    Exact accuracy on validation is reported to `trial` after each epoch.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        goes_on = True
        if trainer.is_global_zero:
            goes_on = self.trial.goes_on(trainer.current_epoch + 1, pl_module.measured[WATCHED])
        trainer.should_stop |= not trainer.strategy.broadcast(goes_on)


class Curves(Checkpoint):
    """Callback that writes `metrics.csv`, one row for each epoch, and adds up training time across resumptions.

    `seconds` is wall-clock time. `cpu_seconds` is the CPU time of all threads of this process, which does not depend on
    how busy the machine is.

    This is a Checkpoint because Lightning calls a Checkpoint's hooks after the module's own, when the epoch's metrics
    are known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.images = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.training_seconds = 0.0
        self._since = 0.0
        self._cpu_since = 0.0
        self._epoch_since = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since, self._cpu_since = time.perf_counter(), time.process_time()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.images += len(batch.numbers) * trainer.world_size

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.training_seconds += time.perf_counter() - self._epoch_since

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        now = time.perf_counter()
        if WATCHED not in pl_module.measured:  # on_validation_start did not add this epoch's time
            self.training_seconds += now - self._epoch_since
        cpu_now = time.process_time()
        self.seconds += now - self._since
        self.cpu_seconds += cpu_now - self._cpu_since
        self._since, self._cpu_since = now, cpu_now
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        lr = groups[0]["lr"] if groups else 0.0
        head = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "images": self.images}
        times = {"seconds": round(self.seconds, 3), "cpu_seconds": round(self.cpu_seconds, 3)}
        self.rows.append({**head, **times, "lr": lr, **pl_module.measured})
        if trainer.is_global_zero:
            with replacing(self.path) as file:
                writer = csv.DictWriter(file, list(self.rows[-1]))
                writer.writeheader()
                writer.writerows(self.rows)

    @property
    def images_per_second(self) -> float:
        """Training images per second of training time, validation excluded."""
        return self.images / self.training_seconds if self.training_seconds else 0.0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("rows", "images", "seconds", "cpu_seconds", "training_seconds")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)


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
    """Progress bar over the whole training: images per second, loss, and the last exact accuracy on validation."""

    def __init__(self, wanted: bool) -> None:
        super().__init__()
        self._bar: tqdm | None = None
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
        if self._bar.update(self._images_of_step(trainer)):  # True when drawn; reading the loss waits for the device
            self._describe(trainer, outputs)

    def _describe(self, trainer: pl.Trainer, outputs: Any) -> None:
        assert self._bar is not None
        shown = {"epoch": f"{trainer.current_epoch + 1}/{trainer.max_epochs}"}
        if outputs is not None:
            shown["loss"] = f"{float(outputs['loss']):.3f}"
        if WATCHED in trainer.callback_metrics:
            shown[WATCHED] = f"{float(trainer.callback_metrics[WATCHED]):.4f}"
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


def callback(trainer: pl.Trainer, kind: type) -> Any:
    """Return the trainer's only callback of type `kind`."""
    return next(c for c in trainer.callbacks if isinstance(c, kind))  # type: ignore[attr-defined]
