"""A small residual network for whole images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from capbench.models.base import Model, Shape
from capbench.models.blocks import Pool, Residual, conv_norm_relu, output_shape, position_head
from capbench.ranges import Count, Share


class CNN(Model):
    """A convolution for each of `stem` and a residual block for each of `widths`, all halving height and width."""

    def __init__(
        self,
        shape: Shape,
        positions: int,
        classes: int,
        *,
        stem: list[Count],
        widths: list[Count],
        pool: Pool,
        dropout: Share,
    ) -> None:
        super().__init__()
        channels = [shape[0], *stem, *widths]
        blocks: list[nn.Module] = []
        for place, (inputs, outputs) in enumerate(pairwise(channels)):
            if place < len(stem):
                blocks.append(conv_norm_relu(inputs, outputs, 3, stride=2))
            else:
                blocks.append(Residual(inputs, outputs, stride=2))
        self.features = nn.Sequential(*blocks)
        self.head = position_head(output_shape(self.features, shape), positions, classes, pool, dropout)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(views * 2 - 1))
