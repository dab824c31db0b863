"""Interface of every recogniser."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from capbench.text import Over

Shape = tuple[int, int, int]
"""Channels, height and width of one view."""


class Model(nn.Module):
    """Recogniser from views [image, channel, height, width] to scores [image, position or time, class].

    Views are float32 from 0 to 1. Scores are logits: their softmax is the probability of each class.

    A subclass is built as `Network(shape, positions, classes, **settings)`: the shape of a view, the number of positions
    that it gives scores for, the number of classes of each, and its settings, which are its keyword-only parameters. With
    views that are cut into characters it sees one character, and `positions` is 1. With `over = "time"` it chooses the
    number of time steps itself, and the last class is the blank of CTC.

    What must hold: everything that is learned is a parameter or a buffer of `state_dict`; the scores of an image do not
    depend on the other images of a batch in `eval` mode; construction and `forward` also run on torch's meta device, on
    which the memory of a run is counted. A model with `gradient_free` stores what `learn` is given, and has no gradient.
    """

    over: ClassVar[Over] = "positions"
    gradient_free: ClassVar[bool] = False

    @property
    def seen_channels(self) -> int:
        """Number of features that `with_seen` gives for each character; 0 where the model has none."""
        return 0

    def with_seen(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores and the features of each character that they come from, [image, position, channel]."""
        raise TypeError(f"{type(self).__name__} does not look at each character")

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Return the mean loss of scores against targets, int64 [image, position], or None for CapBench's own loss.

        CapBench's own is cross-entropy over positions and CTC over time. Over positions a target of -100 counts for
        nothing; over time the blank fills targets after the end of a text. A loss of a model's own takes no notice of
        `optim.label_smoothing`.
        """
        return None

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        """Store views and their class numbers [image, position]."""
        raise TypeError(f"{type(self).__name__} learns by gradient")


class PerCharacter(Model):
    """Model of one position, applied to views that are cut: [image, character, channel, height, width]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.gradient_free = model.gradient_free  # type: ignore[misc]

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, character, class]."""
        images, characters = views.shape[:2]
        return self.model(views.flatten(0, 1)).view(images, characters, -1)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Return the model's own loss over all characters, each of them one image to the model, or None."""
        return self.model.loss(scores.flatten(0, 1).unsqueeze(1), targets.flatten().unsqueeze(1))

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        """Store the views of all characters and their class numbers [image, character]."""
        self.model.learn(views.flatten(0, 1), targets.flatten().unsqueeze(1))
