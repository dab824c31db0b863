"""Model: the interface of every recogniser."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from capbench.text import Over

Shape = tuple[int, int, int]
"""Channels, height and width of one view."""


class Model(nn.Module):
    """Views [image, channel, height, width], floats from 0 to 1, to scores [image, position or time, class].

    Scores are logits: their softmax is the recogniser's belief. A model that learns `in_one_pass` keeps what
    `learn` shows it and has no gradient.
    """

    over: ClassVar[Over] = "positions"
    in_one_pass: ClassVar[bool] = False

    @property
    def seen_channels(self) -> int:
        """How many numbers `with_seen` gives of each character; 0 where a model does not look at each."""
        return 0

    def with_seen(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores, and what they were told by: what is seen of each character, [image, position, channel]."""
        raise TypeError(f"{type(self).__name__} does not look at each character")

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        """Take in views and their class numbers [image, position]."""
        raise TypeError(f"{type(self).__name__} learns by gradient")


class PerCharacter(Model):
    """A model of one position, laid over views that are cut: [image, character, channel, height, width]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.in_one_pass = model.in_one_pass  # type: ignore[misc]

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        images, characters = views.shape[:2]
        return self.model(views.flatten(0, 1)).view(images, characters, -1)

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        self.model.learn(views.flatten(0, 1), targets.flatten().unsqueeze(1))
