"""Small residual network for whole images."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Len
from torch import nn

from capbench.errors import Mistake
from capbench.models.base import Shape
from capbench.models.blocks import Headed, Pool, Residual, conv_norm_relu, output_shape, position_head
from capbench.types import Layers, Share


class CNN(Headed):
    """Residual network: a convolution of stride 2 for each of `stem`, then a residual block for each of `widths`."""

    def __init__(
        self,
        shape: Shape,
        positions: int,
        classes: int,
        *,
        stem: Layers,
        widths: Layers,
        strides: Annotated[list[Literal[1, 2]], Len(0, 100)],
        pool: Pool,
        dropout: Share,
    ) -> None:
        super().__init__()
        if len(strides) != len(widths):
            raise Mistake(
                f"model.strides: {strides} must have one number for each of model.widths={widths}; give as many"
            )
        blocks: list[nn.Module] = []
        inputs = shape[0]
        for outputs in stem:
            blocks.append(conv_norm_relu(inputs, outputs, 3, stride=2))
            inputs = outputs
        for outputs, stride in zip(widths, strides, strict=True):
            blocks.append(Residual(inputs, outputs, stride))
            inputs = outputs
        self.features = nn.Sequential(*blocks)
        self.head = position_head(output_shape(self.features, shape), positions, classes, pool, dropout)

    def features_of(self, views: torch.Tensor) -> torch.Tensor:
        """Return the features [n, channel, h, w] of views."""
        return self.features(views * 2 - 1)
