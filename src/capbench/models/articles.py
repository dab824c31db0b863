"""Networks of the articles that the project grew from, layer by layer."""

from __future__ import annotations

import torch
from torch import nn

from capbench.models.base import Model, Shape
from capbench.models.blocks import Dropout, LinearHead, Residual, conv_norm_relu, output_shape


def _convolutions(inputs: int, outputs: int, count: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for i in range(count):
        layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1), nn.ReLU()]
    return layers


def _begin_as_keras(network: nn.Module) -> None:
    """Initialise weights as Keras does: Glorot uniform weights and zero biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


class DigitMember(Model):
    """Member of the per-digit ensemble: 619,370 parameters for ten digits on one channel of 40×120 pixels.

    With several positions it is the whole ensemble on one shared trunk, with a linear head for each position.
    """

    def __init__(self, shape: Shape, positions: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = shape[0]
        for outputs, count in ((32, 2), (64, 2), (128, 2), (256, 1)):
            layers += [
                *_convolutions(inputs, outputs, count),
                nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),  # Keras' defaults
                nn.MaxPool2d(2),
                Dropout(0.3),
            ]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.head = LinearHead(output_shape(self.features, shape), positions, classes, "flat", dropout=0)
        _begin_as_keras(self)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.head(self.features(views))


class WholeImage(Model):
    """Three unpadded convolutions of 32, 64 and 64 channels, then dense layers of 1024 and 512 units per character."""

    def __init__(self, shape: Shape, positions: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = shape[0]
        for outputs in (32, 64, 64):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.MaxPool2d(2), Dropout(0.25)]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        channels, height, width = output_shape(self.features, shape)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, 1024 * positions),  # the article has no activation here
            nn.Linear(1024 * positions, 512 * positions),
            nn.ReLU(),
            Dropout(0.25),
            nn.Linear(512 * positions, positions * classes),
        )
        self.positions = positions
        _begin_as_keras(self)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.dense(self.features(views)).view(len(views), self.positions, -1)


class PlainResNet(Model):
    """ResNet-18 with an unstrided 3×3 stem and no first pooling; every position gets the average of all features."""

    def __init__(self, shape: Shape, positions: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm_relu(shape[0], 64, 3)]
        inputs = 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [Residual(inputs, outputs, stride, pooled_shortcut=False), Residual(outputs, outputs, 1)]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.head = LinearHead(output_shape(self.features, shape), positions, classes, "global", dropout=0)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.head(self.features(views))
