"""Committee of recognisers of one kind, which answers by the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from capbench.errors import Mistake
from capbench.models.base import Model, Shape
from capbench.types import Count


class Committee(Model):
    """Members that each read the whole text; the answer is the mean of their probabilities.

    Members make different errors, so that their mean can be right more often than any of them.
    """

    def __init__(
        self, shape: Shape, positions: int, classes: int, *, size: Count, member: Callable[..., Model]
    ) -> None:
        super().__init__()
        first = member(shape, positions, classes)
        if first.over != "positions" or next(first.parameters(), None) is None:
            raise Mistake(
                f"model.member: {type(first).__name__} gives no probabilities for each position, or does not learn by gradient; "
                f"choose a member such as cnn, resnet or mlp"
            )
        self.members = nn.ModuleList([first, *(member(shape, positions, classes) for _ in range(size - 1))])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return logarithms of the mean probabilities, [image, position, class]."""
        beliefs = torch.stack([member(views).log_softmax(-1) for member in self.members])
        return beliefs.logsumexp(0) - math.log(len(self.members))  # [image, position, class]
