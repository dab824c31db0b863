"""Exact k nearest neighbours by a matrix product."""

from __future__ import annotations

import math
from typing import Any

import torch

from capbench.models.base import Model, Shape
from capbench.types import Count

CENTRE = 128  # grey level; pixels are computed with as differences from it, so that their products stay small
EXACT_FLOAT32 = 2**24 // CENTRE**2  # most pixels whose products float32 sums without rounding
ROWS_AT_ONCE = 512


class KNN(Model):
    """K nearest neighbours: stores every training sample; the `k` nearest by Euclidean distance vote.

    Among equal distances, the earlier sample counts as nearer. Among equal votes, the class with the nearest sample
    wins. Distances are sums of whole numbers, computed without rounding, so that both rules hold exactly.
    """

    gradient_free = True

    samples: torch.Tensor
    """uint8 [sample, pixel]"""
    labels: torch.Tensor
    """int64 [sample, position], class numbers"""

    def __init__(self, shape: Shape, positions: int, classes: int, *, k: Count) -> None:
        super().__init__()
        self.k = k
        self.positions = positions
        self.classes = classes
        self.register_buffer("samples", torch.empty(0, math.prod(shape), dtype=torch.uint8))
        self.register_buffer("labels", torch.empty(0, positions, dtype=torch.int64))

    def learn(self, views: torch.Tensor, targets: torch.Tensor) -> None:
        """Append views and their class numbers [image, position] to the samples."""
        self.samples = torch.cat([self.samples, _pixels(views)])
        self.labels = torch.cat([self.labels, targets])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return logarithms of the shares of votes, [image, position, class]; a class without a vote has a floor."""
        if not len(self.samples):  # no training sample yet
            return torch.zeros(len(views), self.positions, self.classes, device=views.device)
        exact = torch.float32 if self.samples.shape[1] <= EXACT_FLOAT32 else torch.float64
        samples = self.samples.to(exact).sub_(CENTRE)
        squares = samples.square().sum(1)
        rows = _pixels(views).to(exact) - CENTRE
        # Recorded or sized, nobody can look whether distances are equal; exported, it takes any number at once.
        if torch.jit.is_tracing() or views.is_meta or torch.compiler.is_exporting():
            return self._votes(_ranked(rows, samples, squares, self.k))
        return torch.cat([self._votes(_nearest(some, samples, squares, self.k)) for some in rows.split(ROWS_AT_ONCE)])

    def _votes(self, nearest: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class] from `nearest`, int64 [image, neighbour], nearest first."""
        classes = torch.arange(self.classes, device=nearest.device)
        votes = (self.labels[nearest].unsqueeze(-1) == classes).float()  # [image, neighbour, position, class]
        k = nearest.shape[1]
        # A bonus below one vote lets the nearer class win where votes are equal.
        order = torch.arange(k, 0, -1, device=nearest.device, dtype=votes.dtype)[:, None, None]
        share = (votes.sum(1) + 1e-3 * (votes * order).amax(1) / (k + 1)) / k
        return share.clamp_min(1e-6).log()

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for as many samples as were saved, after a check that they are what `learn` stores."""
        samples, labels = (state.get(prefix + name) for name in ("samples", "labels"))
        if samples is not None and labels is not None:
            fit = samples.dtype == torch.uint8 and labels.dtype == torch.int64 and len(samples) == len(labels)
            if not fit or (not labels.is_meta and bool(((labels < 0) | (labels >= self.classes)).any())):
                rest[-1].append("samples and labels do not fit together")  # of the messages
                return
            self.samples = self.samples.new_empty(len(samples), self.samples.shape[1])
            self.labels = self.labels.new_empty(len(labels), self.positions)
        super()._load_from_state_dict(state, prefix, *rest)


def _nearest(rows: torch.Tensor, samples: torch.Tensor, squares: torch.Tensor, k: int) -> torch.Tensor:
    """Return the `k` samples nearest to each row, int64 [row, neighbour], nearest first.

    `squares` are the samples' squared norms. A squared distance is the row's squared norm, which does not affect the
    order, minus twice the closeness computed here. Rounding can make distances equal but does not swap them. So only
    rows with equal distances among the nearest are ranked again, in whole numbers.
    """
    k = min(k, len(squares))
    closeness = (rows @ samples.T).sub_(squares / 2)
    found = closeness.topk(min(k + 1, len(squares)), dim=1)
    nearest = found.indices[:, :k]
    equal = (found.values[:, 1:] == found.values[:, :-1]).any(1)
    if equal.any():
        nearest[equal] = _ranked(rows[equal], samples, squares, k)
    return nearest


def _ranked(rows: torch.Tensor, samples: torch.Tensor, squares: torch.Tensor, k: int) -> torch.Tensor:
    """Return the same samples as `_nearest`, computed in whole numbers only: exact at once, but slower."""
    distances = squares.long() - 2 * (rows @ samples.T).long()
    # One sortable number for each pair: the distance, and among equal ones the order of the training samples.
    ranks = distances * len(squares) + torch.arange(len(squares), device=rows.device)
    return ranks.topk(min(k, len(squares)), dim=1, largest=False, sorted=True).indices


def _pixels(views: torch.Tensor) -> torch.Tensor:
    """Return views of floats from 0 to 1 as uint8 [image, pixel]."""
    return (views.flatten(1) * 255).round().to(torch.uint8)
