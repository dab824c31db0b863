"""Small convolutional network."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor, nn

from capbench import Model, Shape


class Network(Model):
    """Convolutions that halve the image three times, then one linear layer for all positions."""

    def __init__(
        self,
        shape: Shape,
        positions: int,
        classes: int,
        *,
        width: Annotated[int, Ge(1)],
        dropout: Annotated[float, Ge(0), Lt(1)],
    ) -> None:
        super().__init__()
        channels, height, columns = shape
        layers: list[nn.Module] = []
        for outputs in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(channels, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels, height, columns = outputs, -(-height // 2), -(-columns // 2)
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout))
        self.scores = nn.Linear(channels * height * columns, positions * classes)
        self.positions = positions

    def forward(self, views: Tensor) -> Tensor:
        """Return scores [image, position, class] of views [image, channel, height, width]."""
        scores: Tensor = self.scores(self.features(views))
        return scores.view(len(views), self.positions, -1)
