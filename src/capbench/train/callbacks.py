"""Lightning callbacks: checkpoints, metrics.csv, weight averaging, pruning of search trials."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, WeightAveraging
from pytorch_lightning.plugins.io import TorchCheckpointIO

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


class Averaging(WeightAveraging):
    """Exponential moving average of the weights, used for validation during training and in checkpoints.

    After n steps the decay is at most (1 + n) / (10 + n). Otherwise the weights at the start would make up most of the average
    for as many steps as the decay reaches back, and validation would read nothing for epochs.

    Lightning's own callback would also replace the weights in a validation that follows the training.
    """

    def __init__(self, decay: float) -> None:
        def mixed(average: torch.Tensor, weights: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
            n = float(steps)
            kept = min(decay, (1 + n) / (10 + n))
            return kept * average + (1 - kept) * weights

        super().__init__(use_buffers=True, avg_fn=mixed)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._average_model = None


class Checkpoints(Checkpoint):
    """Callback that writes `last.ckpt` after each epoch, and `best.ckpt` when that epoch is the best so far.

    The best epoch is the latest one whose exact accuracy on validation is as high as the highest, but for what chance
    may take: of many epochs one is always lucky on a few images, and the last ones, at a low learning rate, are better.
    Without validation it is the last epoch. `over` is saved in the checkpoint and is True if training stopped with this
    epoch, however many epochs were planned.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.highest = 0.0
        self.best_epoch = 0
        self.over = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop |= self.over

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        better = True
        if WATCHED in pl_module.measured:
            exact = pl_module.measured[WATCHED]
            self.highest = max(self.highest, exact)
            validated = len(trainer.datamodule.material.parts["val"])  # type: ignore[attr-defined]
            better = exact >= self.highest - by_chance(self.highest, validated)
        if better:
            self.best_epoch = trainer.current_epoch + 1
        self.over = trainer.should_stop
        last, best = self.folder / "last.ckpt", self.folder / "best.ckpt"
        # best.ckpt is written first: a training killed before last.ckpt repeats this epoch, and finds it best again.
        trainer.save_checkpoint(best if better else last)
        if better and trainer.is_global_zero:
            share(best, last)
        trainer.strategy.barrier("checkpoints")  # other processes read the files as soon as training ends

    def state_dict(self) -> dict[str, Any]:
        return {"highest": self.highest, "best_epoch": self.best_epoch, "over": self.over}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_epoch = state_dict["best_epoch"]
        # An older checkpoint has the accuracy and the loss of its best epoch.
        self.highest = state_dict["highest"] if "highest" in state_dict else max(0.0, state_dict["best"][0])
        self.over = state_dict.get("over", False)  # absent in older checkpoints


def by_chance(exact: float, images: int) -> float:
    """Return what chance may take from an accuracy on so many images: its standard error, and one image at least."""
    return math.sqrt(max(1.0, images * (1 - exact))) / images


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


def callback(trainer: pl.Trainer, kind: type) -> Any:
    """Return the trainer's only callback of type `kind`."""
    return next(c for c in trainer.callbacks if isinstance(c, kind))  # type: ignore[attr-defined]
