"""One member for each position, each with its own backbone, trained together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from capbench.models.base import Model, Shape


class Ensemble(Model):
    """Member p reads the character at position p from the whole view."""

    def __init__(self, shape: Shape, positions: int, classes: int, *, member: Callable[..., Model]) -> None:
        super().__init__()
        self.members = nn.ModuleList([member(shape, 1, classes) for _ in range(positions)])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return torch.cat([member(views) for member in self.members], dim=1)
