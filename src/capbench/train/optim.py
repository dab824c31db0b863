"""Optimiser and learning-rate schedule, built from settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from capbench.data.material import Material
from capbench.errors import Mistake
from capbench.train.muon import Muon
from capbench.types import Count, CountOrZero, NotNegative, Positive, Share

KINDS: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adadelta": partial(torch.optim.Adadelta, rho=0.95, eps=1e-7),  # Keras' defaults
    "sgd": torch.optim.SGD,
    "muon": Muon,
}
WITH_MOMENTUM = ("sgd", "muon")
PARTS = 10_000  # steps of the schedule of a time budget
LEAST_SHOWN = 8000  # images of an epoch with epoch_images: auto


@dataclass(frozen=True, kw_only=True)
class Optim:
    """Optimisation settings of one training; `batch_size` counts the images of one step over all devices."""

    kind: Literal["adamw", "adam", "adadelta", "sgd", "muon"]
    lr: Positive
    weight_decay: NotNegative
    momentum: Share | None
    schedule: Literal["one_cycle", "cosine", "constant"]
    warmup: Share
    epochs: CountOrZero | None
    epoch_images: Count | Literal["auto"] | None
    batch_size: Count
    label_smoothing: Share
    ema: Share
    clip: NotNegative
    poses: NotNegative = 0.0
    minutes: Positive | None = None

    def __post_init__(self) -> None:
        if self.epochs is None and self.minutes is None:
            raise Mistake("optim.epochs: null needs a time budget; set minutes=10, or a number of epochs")
        if self.momentum is not None and self.kind not in WITH_MOMENTUM:
            raise Mistake(
                f"optim.momentum: {self.kind} does not accept momentum; set optim.momentum=null, or optim={' or '.join(WITH_MOMENTUM)}"
            )

    def shown(self, material: Material) -> int | None:
        """Return the images of an epoch, or None for each training image once."""
        if self.epoch_images != "auto":
            return self.epoch_images
        drawn = material.source.first_drawn is not None  # of drawn images there are as many as are wanted
        return None if drawn else max(len(material.parts["train"]), LEAST_SHOWN)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of the network; weight decay applies to weights of layers, not to biases and norms."""
        weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
        extra: dict[str, Any] = {} if self.momentum is None else {"momentum": self.momentum}
        return KINDS[self.kind](groups, lr=self.lr, weight_decay=self.weight_decay, **extra)

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the learning-rate schedule over `steps` optimisation steps, or of a time budget over its PARTS."""
        if self.schedule == "one_cycle":
            # torch divides by the warm-up's length minus one, so a warm-up of a single step is dropped.
            rise = 0.0 if math.isclose(self.warmup * steps, 1) else self.warmup
            # torch cycles the first beta if the optimiser has betas (Muon: its AdamW steps'), otherwise the momentum.
            cycled = "betas" in optimizer.defaults or (self.kind == "sgd" and self.momentum is None)
            return OneCycleLR(optimizer, self.lr, total_steps=steps, pct_start=rise, cycle_momentum=cycled)
        return LambdaLR(optimizer, lambda step: self.share_of_lr(step, steps))

    def share_of_lr(self, step: int, steps: int) -> float:
        """Return the learning rate at `step` of `steps` as a fraction of `lr`; cosine starts with a linear warm-up."""
        if self.schedule == "constant":
            return 1.0
        rising = self.warmup * steps
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = (step - rising) / max(steps - rising, 1)
        return (1 + math.cos(math.pi * min(progress, 1.0))) / 2
