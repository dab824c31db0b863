"""Callback that ends a training once it is good enough."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pytorch_lightning import LightningModule, Trainer

from capbench import Callback


class Enough(Callback):
    """End the training after the epoch whose exact accuracy on validation reaches `exact`."""

    def __init__(self, *, exact: Annotated[float, Ge(0), Le(1)]) -> None:
        self.exact = exact

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if the last validation was good enough."""
        if float(trainer.callback_metrics["val/exact"]) >= self.exact:
            trainer.should_stop = True
