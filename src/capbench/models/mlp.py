"""Multi-layer perceptron for single characters."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from capbench.models.base import Model, Shape
from capbench.models.blocks import Dropout
from capbench.types import Layers, Share


class MLP(Model):
    """Hidden layers with ReLU over flattened views; the article's network has one layer of 100 units."""

    def __init__(
        self, shape: Shape, positions: int, classes: int, *, hidden: Layers, norm: bool, dropout: Share
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in itertools.pairwise([math.prod(shape), *hidden]):
            layers.append(nn.Linear(inputs, outputs))
            if norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers += [nn.ReLU(inplace=True), Dropout(dropout)]
        layers.append(nn.Linear(hidden[-1] if hidden else math.prod(shape), positions * classes))
        self.layers = nn.Sequential(*layers)
        self.positions = positions

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.layers(views).view(len(views), self.positions, -1)
