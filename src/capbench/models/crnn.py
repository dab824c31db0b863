"""CRNN: convolution, recurrence and CTC, for texts of any length."""

from __future__ import annotations

import torch
from torch import nn

from capbench.models.base import Model, Shape
from capbench.models.blocks import Dropout, Residual, conv_norm_relu, output_shape
from capbench.types import Count, Share

UNLIKELY = 3.0  # logit by which the blank is less likely at first: else CTC learns to say blank, and long nothing else


class CRNN(Model):
    """Convolutions, a bidirectional LSTM, and scores over time, one step for every four columns of pixels."""

    over = "time"

    def __init__(
        self, shape: Shape, positions: int, classes: int, *, width: Count, hidden: Count, dropout: Share
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_norm_relu(shape[0], width, 3, stride=2),
            Residual(width, 3 * width, stride=2),
            nn.MaxPool2d((2, 1), ceil_mode=True),  # pools the height only, since the width is the time axis
            Residual(3 * width, 6 * width, stride=1),
        )
        channels, height, _ = output_shape(self.features, shape)
        self.squeeze = nn.Linear(channels * height, hidden)
        self.recurrence = nn.LSTM(hidden, hidden, num_layers=1, bidirectional=True, batch_first=True)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(2 * hidden, classes)
        with torch.no_grad():
            self.linear.bias[-1] -= UNLIKELY

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, width / 4, class]."""
        columns = self.features(views * 2 - 1).flatten(1, 2).transpose(1, 2)  # [n, time, channel·h]
        context, _ = self.recurrence(torch.relu(self.squeeze(columns)))
        return self.linear(self.dropout(context))
