"""One member for each position, each with its own backbone, trained together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call, vmap

from capbench.models.base import Model, Shape

Tensors = dict[str, torch.Tensor]


class Ensemble(Model):
    """Member p reads the character at position p from the whole view.

    On a GPU, which a member alone leaves idle, they run stacked: each layer of all members is one grouped operation.
    A CPU's convolutions are as fast for one member's channels as they get, and slower in groups, so there the members
    take their turns within a batch. The weights are kept by member either way.
    """

    def __init__(self, shape: Shape, positions: int, classes: int, *, member: Callable[..., Model]) -> None:
        super().__init__()
        self.members = nn.ModuleList([member(shape, 1, classes) for _ in range(positions)])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.stacked(views) if views.is_cuda else self.in_turn(views)

    def in_turn(self, views: torch.Tensor) -> torch.Tensor:
        return torch.cat([member(views) for member in self.members], dim=1)

    def stacked(self, views: torch.Tensor) -> torch.Tensor:
        """The same as `in_turn`, whose random draws alone are others."""
        one = self.members[0]

        def read(weights: Tensors, state: Tensors) -> torch.Tensor:
            return functional_call(one, (weights, state), (views,))

        states = [dict(member.named_buffers()) for member in self.members]
        state = _stack(states)
        weights = _stack([dict(member.named_parameters()) for member in self.members])
        scores = vmap(read, out_dims=1, randomness="different")(weights, state)  # [image, member, 1, class]
        if self.training:  # norms have changed their means and variances
            with torch.no_grad():
                for number, own in enumerate(states):
                    for name, value in own.items():
                        value.copy_(state[name][number])
        return scores.flatten(1, 2)


def _stack(parts: list[Tensors]) -> Tensors:
    """By name, one tensor of all members': [member, …]."""
    return {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
