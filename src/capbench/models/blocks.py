"""Building blocks shared by several networks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from capbench.models.base import Model, Shape


def output_shape(network: nn.Module, shape: Shape) -> Shape:
    """What `network` makes of one view of `shape`."""
    training = network.training
    network.eval()
    with torch.no_grad():
        channels, height, width = network(torch.zeros(1, *shape)).shape[1:]
    network.train(training)
    return channels, height, width


def conv_norm_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut: [n, inputs, h, w] to [n, outputs, ⌈h/stride⌉, ⌈w/stride⌉]."""

    def __init__(self, inputs: int, outputs: int, stride: int, pooled_shortcut: bool = True) -> None:
        super().__init__()
        self.first = conv_norm_relu(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 and pooled_shortcut:  # averaging keeps what a strided 1×1 convolution would skip
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        elif stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


Pool = Literal["attend", "flat", "columns", "global"]


class Dropout(nn.Dropout):
    """Draws from torch's generator, or from one of its own: what runs beside it must not take its turn."""

    generator: torch.Generator | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.generator is None or not self.training or not 0 < self.p < 1:
            return super().forward(input)
        kept = torch.empty_like(input).bernoulli_(1 - self.p, generator=self.generator)
        return input * kept.div_(1 - self.p)


def position_head(shape: Shape, positions: int, classes: int, pool: Pool, dropout: float) -> nn.Module:
    """From features [n, channel, h, w] to scores [n, position, class]."""
    if pool == "attend":
        return AttendingHead(shape, positions, classes, dropout)
    return LinearHead(shape, positions, classes, pool, dropout)


class LinearHead(nn.Module):
    """One linear layer over the features.

    `columns` averages over the height and keeps the width, where the characters stand; `flat` keeps both;
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
        return self.linear(self.dropout(self.pool(features).flatten(1))).unflatten(1, (self.positions, -1))


def _evenly_spaced(height: int, width: int, positions: int) -> torch.Tensor:
    """Logits [position, h·w] of looking where each character would stand if all were evenly spaced.

    A head that starts by looking everywhere needs its first thousands of images to tell the positions apart.
    """
    columns = (torch.arange(width) + 0.5) / width
    centres = (torch.arange(positions) + 0.5) / positions
    logits = -(((columns - centres[:, None]) * positions) ** 2) / 2
    return logits[:, None, :].expand(positions, height, width).flatten(1)


class AttendingHead(nn.Module):
    """Each position looks at the cells where its character stands; one classifier serves them all.

    Where to look is told by all cells together, since the place of a character depends on those before it. The
    shared classifier learns a symbol from every position at once, so it needs far fewer images than a layer that
    learns each position's symbols apart.
    """

    SUMMARY = 16  # numbers that each cell contributes to the decision where to look
    LAYOUT = 64  # numbers that all cells together are boiled down to for it

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
        return self.with_seen(features)[0]

    def with_seen(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores, and what each position sees, [n, position, channel]."""
        cells = features.permute(0, 2, 3, 1).flatten(1, 2)  # [n, h·w, channel]: no copy where channels lie last
        layout = F.relu(self.layout(F.relu(self.summary(cells)).flatten(1)))
        where = self.look(layout).unflatten(1, (self.positions, -1)).softmax(-1)
        seen = where @ cells
        return self.classify(self.dropout(seen)), seen


class Headed(Model):
    """A network whose features, [n, channel, h, w], go to a head that finds each position."""

    head: nn.Module

    def features_of(self, views: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} makes no features")

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.head(self.features_of(views))

    @property
    def seen_channels(self) -> int:
        return self.head.classify.in_features if isinstance(self.head, AttendingHead) else 0

    def with_seen(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not isinstance(self.head, AttendingHead):
            return super().with_seen(views)
        return self.head.with_seen(self.features_of(views))


class PoseHead(nn.Module):
    """From what is seen of characters, [n, position, channel], how they were drawn: [n, position, number].

    It is there while training lasts and no part of the recogniser. Who tells how far a character was turned and bent
    knows what it was before, and learns far more of an image than which symbol it shows.
    """

    HIDDEN = 64

    def __init__(self, channels: int, numbers: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, self.HIDDEN), nn.ReLU(), nn.Linear(self.HIDDEN, numbers))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return self.layers(seen)
