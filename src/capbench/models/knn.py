"""K nearest neighbours as a matrix product, exact to the pixel."""

from __future__ import annotations

import math
from typing import Any

import torch

from capbench.models.base import Model, Shape
from capbench.ranges import Count

CENTRE = 128  # pixels are kept as differences from it, so that their products stay small
EXACT_FLOAT32 = 2**24 // CENTRE**2  # pixels up to which float32 sums such products without rounding
ROWS_AT_ONCE = 512


class KNN(Model):
    """Keeps every sample it was shown; the `k` nearest by Euclidean distance vote.

    Equal distances: the sample shown first counts as nearer. Equal votes: the class whose nearest sample is
    nearer wins. Distances are sums of whole numbers, computed without rounding, so both rules hold to the bit.
    """

    in_one_pass = True

    samples: torch.Tensor
    labels: torch.Tensor

    def __init__(self, shape: Shape, positions: int, classes: int, *, k: Count) -> None:
        super().__init__()
        self.k = k
        self.positions = positions
        self.classes = classes
        self.register_buffer("samples", torch.empty(0, math.prod(shape), dtype=torch.uint8))
        self.register_buffer("labels", torch.empty(0, positions, dtype=torch.int64))

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        self.samples = torch.cat([self.samples, _pixels(views)])
        self.labels = torch.cat([self.labels, targets])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._scores(rows) for rows in _pixels(views).split(ROWS_AT_ONCE)])

    def _scores(self, rows: torch.Tensor) -> torch.Tensor:
        """Logarithms of the share of votes, [image, position, class]; a class without a vote has a floor."""
        if not len(self.samples):  # not shown anything yet
            return torch.zeros(len(rows), self.positions, self.classes, device=rows.device)
        k = min(self.k, len(self.samples))
        # One sortable number for each pair: the distance, and among equals the order in which samples were shown.
        ranks = self._distances(rows) * len(self.samples) + torch.arange(len(self.samples), device=rows.device)
        nearest = ranks.topk(k, dim=1, largest=False, sorted=True).indices
        labels = self.labels[nearest]  # [image, neighbour, position]
        votes = torch.zeros(len(rows), self.classes, self.positions, device=rows.device)
        votes.scatter_add_(1, labels, torch.ones_like(labels, dtype=votes.dtype))
        # Among equal votes the nearer class gets ahead by less than any vote.
        order = torch.arange(k, 0, -1, device=rows.device, dtype=votes.dtype)[None, :, None].expand_as(labels)
        ahead = torch.zeros_like(votes).scatter_reduce_(1, labels, order, "amax")
        share = (votes + 1e-3 * ahead / (k + 1)) / k
        return share.clamp_min(1e-6).log().transpose(1, 2)

    def _distances(self, rows: torch.Tensor) -> torch.Tensor:
        """Squared distances less each row's own square, int64 [image, sample]."""
        kind = torch.float32 if rows.shape[1] <= EXACT_FLOAT32 else torch.float64
        left, right = rows.to(kind) - CENTRE, self.samples.to(kind) - CENTRE
        squares = right.double().square().sum(1).long()
        return squares - 2 * (left @ right.T).long()

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for as many samples as were saved, if they are what `learn` took in."""
        samples, labels = (state.get(prefix + name) for name in ("samples", "labels"))
        if samples is not None and labels is not None:
            fit = samples.dtype == torch.uint8 and labels.dtype == torch.int64 and len(samples) == len(labels)
            if not fit or bool(((labels < 0) | (labels >= self.classes)).any()):
                rest[-1].append("samples and labels are not what nearest neighbours keep")  # of the messages
                return
            self.samples = self.samples.new_empty(len(samples), self.samples.shape[1])
            self.labels = self.labels.new_empty(len(labels), self.positions)
        super()._load_from_state_dict(state, prefix, *rest)


def _pixels(views: torch.Tensor) -> torch.Tensor:
    """Floats from 0 to 1 as the bytes they were, uint8 [image, pixel]."""
    return (views.flatten(1) * 255).round().to(torch.uint8)
