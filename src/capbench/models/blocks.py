"""Building blocks that several networks share."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from capbench.errors import Mistake
from capbench.models.base import Model, Shape


def output_shape(network: nn.Module, shape: Shape) -> Shape:
    """Return the shape that `network` gives for one view of `shape`; raise Mistake where the view is too small."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            channels, height, width = network(torch.zeros(1, *shape)).shape[1:]
    except RuntimeError as error:
        size = "×".join(map(str, shape[1:]))
        raise Mistake(f"view.size: {size} pixels are too few for this model; make the view larger") from error
    network.train(training)
    return channels, height, width


class ConvNorm(nn.Sequential):
    """Chain with a convolution and, after it, its batch normalisation, which `folded` may replace by one convolution."""


def conv_norm_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvNorm:
    """Return a padded convolution without bias, batch normalisation and ReLU: [n, inputs, h, w] to [n, outputs, h, w].

    With a stride, height and width are divided by it and rounded up.
    """
    return ConvNorm(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def folded(model: Model) -> Model:
    """Return a copy of a model in `eval` mode that gives the same scores, up to rounding, in less time.

    The batch normalisation of each ConvNorm becomes a part of the convolution. All other weights are shared with the
    model.
    """
    if not any(isinstance(part, ConvNorm) for part in model.modules()):
        return model
    copied = copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})
    for chain in [part for part in copied.modules() if isinstance(part, ConvNorm)]:
        for place, (layer, norm) in enumerate(pairwise(chain)):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                chain[place], chain[place + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    return copied


class Residual(nn.Module):
    """Two 3×3 convolutions with a shortcut: [n, inputs, h, w] to [n, outputs, ⌈h/stride⌉, ⌈w/stride⌉]."""

    def __init__(self, inputs: int, outputs: int, stride: int, pooled_shortcut: bool = True) -> None:
        super().__init__()
        self.first = conv_norm_relu(inputs, outputs, 3, stride)
        self.second = ConvNorm(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 and pooled_shortcut:  # averaging keeps what a strided 1×1 convolution would skip
            self.shortcut = ConvNorm(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        elif stride > 1 or inputs != outputs:
            self.shortcut = ConvNorm(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features [n, outputs, ⌈h/stride⌉, ⌈w/stride⌉]."""
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


Pool = Literal["attend", "flat", "columns", "global"]


class Dropout(nn.Dropout):
    """Dropout that can draw from a generator of its own, so that parallel threads do not change its draws."""

    generator: torch.Generator | None = None
    """Source of random numbers while training; None: torch's global generator."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the input, with a share `p` of it zeroed and the rest scaled up while training."""
        if self.generator is None or not self.training or not 0 < self.p < 1:
            return super().forward(input)
        kept = torch.empty_like(input).bernoulli_(1 - self.p, generator=self.generator)
        return input * kept.div_(1 - self.p)


def position_head(shape: Shape, positions: int, classes: int, pool: Pool, dropout: float) -> nn.Module:
    """Return a head from features [n, channel, h, w] to scores [n, position, class]."""
    if pool == "attend":
        return AttendingHead(shape, positions, classes, dropout)
    return LinearHead(shape, positions, classes, pool, dropout)


class LinearHead(nn.Module):
    """One linear layer over pooled features.

    `columns` averages over the height and keeps the width, along which the characters stand; `flat` keeps both;
    `global` averages over both.
    """

    def __init__(self, shape: Shape, positions: int, classes: int, pool: Pool, dropout: float) -> None:
        super().__init__()
        channels, height, width = shape
        kept = {"columns": (1, width), "flat": (height, width), "global": (1, 1)}[pool]
        self.pool = nn.AdaptiveAvgPool2d(kept) if pool != "flat" else nn.Identity()
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(channels * kept[0] * kept[1], positions * classes)
        self.positions = positions

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return scores [n, position, class] from features [n, channel, h, w]."""
        return self.linear(self.dropout(self.pool(features).flatten(1))).unflatten(1, (self.positions, -1))


def _evenly_spaced(height: int, width: int, positions: int) -> torch.Tensor:
    """Return attention logits [position, h·w] for characters that are evenly spaced along the width.

    A head that starts with uniform attention needs its first thousands of images to tell the positions apart.
    """
    columns = (torch.arange(width) + 0.5) / width
    centres = (torch.arange(positions) + 0.5) / positions
    logits = -(((columns - centres[:, None]) * positions) ** 2) / 2
    return logits[:, None, :].expand(positions, height, width).flatten(1)


class AttendingHead(nn.Module):
    """Attention head: each position attends to the cells of its character, and all share one classifier.

    The attention is computed from all cells together, since the place of a character depends on the characters before
    it. The shared classifier learns a symbol from every position at once, so it needs far fewer images than a layer
    with separate weights for each position.
    """

    SUMMARY = 16  # features of each cell that the attention is computed from
    LAYOUT = 64  # units of the hidden layer that combines these features of all cells

    def __init__(self, shape: Shape, positions: int, classes: int, dropout: float) -> None:
        super().__init__()
        channels, height, width = shape
        cells = height * width
        self.summary = nn.Linear(channels, self.SUMMARY)
        self.layout = nn.Linear(self.SUMMARY * cells, self.LAYOUT)
        self.look = nn.Linear(self.LAYOUT, positions * cells)
        with torch.no_grad():
            self.look.bias.copy_(_evenly_spaced(height, width, positions).flatten())
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(channels, classes)
        self.positions = positions

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return scores [n, position, class] from features [n, channel, h, w]."""
        return self.with_seen(features)[0]

    def with_seen(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores, and the features that each position attends to, [n, position, channel]."""
        cells = features.permute(0, 2, 3, 1).flatten(
            1, 2
        )  # [n, h·w, channel], no copy in the channels-last memory format
        layout = F.relu(self.layout(F.relu(self.summary(cells)).flatten(1)))
        where = self.look(layout).unflatten(1, (self.positions, -1)).softmax(-1)
        seen = where @ cells
        return self.classify(self.dropout(seen)), seen


class Headed(Model):
    """Network with features [n, channel, h, w] and a head that turns them into scores of each position."""

    head: nn.Module

    def features_of(self, views: torch.Tensor) -> torch.Tensor:
        """Return the features [n, channel, h, w] of views."""
        raise TypeError(f"{type(self).__name__} makes no features")

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.head(self.features_of(views))

    @property
    def seen_channels(self) -> int:
        """Number of features for each character; 0 without an attention head."""
        return self.head.classify.in_features if isinstance(self.head, AttendingHead) else 0

    def with_seen(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores, and the features that each position attends to, [image, position, channel]."""
        if not isinstance(self.head, AttendingHead):
            return super().with_seen(views)
        return self.head.with_seen(self.features_of(views))


class PoseHead(nn.Module):
    """Head from the features of characters, [n, position, channel], to their poses, [n, position, number].

    It exists during training only and is not part of the recogniser. Predicting how far a character is turned and bent
    makes the features learn far more from an image than its symbols alone.
    """

    HIDDEN = 64

    def __init__(self, channels: int, numbers: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, self.HIDDEN), nn.ReLU(), nn.Linear(self.HIDDEN, numbers))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Return poses [n, position, number]."""
        return self.layers(seen)
