"""Time budget of a training."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl

from capbench.train.callbacks import WATCHED

HURRY = 0.5  # of the time spent: what the end takes, in which the learning rate falls, once validation improves no more


class Clock(pl.Callback):
    """Callback that ends a training when its minutes are spent, and knows the share of them that is over.

    After `patience` epochs without a better validation, the rest of the training takes at most half of the time spent,
    so that the learning rate still falls to its end. The time is kept in checkpoints: what was spent before an
    interruption counts, except for an epoch that is repeated.
    """

    def __init__(self, minutes: float, patience: int | None) -> None:
        self.patience = patience
        self.total = 60.0 * minutes
        """Seconds of the whole training"""
        self._left_off = (0.0, 0.0)  # seconds and share at which the rest was shortened
        self._before = 0.0  # seconds spent before this process
        self._since: float | None = None
        self._best: tuple[float, float] | None = None
        self._stale = 0  # epochs since the best one

    @property
    def spent(self) -> float:
        """Seconds that the training has taken so far."""
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)

    @property
    def over(self) -> float:
        """Share of the training that is over, from 0 to 1."""
        seconds, share = self._left_off
        return min(share + (1 - share) * (self.spent - seconds) / (self.total - seconds), 1.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        trainer.should_stop |= self.over >= 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.patience is None:
            return
        score = (pl_module.measured[WATCHED], -pl_module.measured["val/loss"])
        better = self._best is None or score > self._best
        self._best = score if better else self._best
        self._stale = 0 if better else self._stale + 1
        if self._stale == self.patience:
            self.shorten()

    def shorten(self) -> None:
        """Let the rest of the training take at most a part of the time that was spent."""
        spent, share = self.spent, self.over
        if spent + HURRY * spent < self.total:
            self._left_off, self.total = (spent, share), spent + HURRY * spent

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._before, self._since = self.spent, None

    def state_dict(self) -> dict[str, Any]:
        return {
            "spent": self.spent,
            "total": self.total,
            "left_off": list(self._left_off),
            "best": list(self._best or ()),
            "stale": self._stale,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before, self.total, self._stale = (state_dict[name] for name in ("spent", "total", "stale"))
        seconds, share = state_dict["left_off"]
        self._left_off = (seconds, share)
        self._best = (state_dict["best"][0], state_dict["best"][1]) if state_dict["best"] else None
