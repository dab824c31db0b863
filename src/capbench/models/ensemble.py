"""Ensemble of one member for each position, each with its own backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call, vmap

from capbench.models.base import Model, Shape
from capbench.models.blocks import Dropout

Tensors = dict[str, torch.Tensor]
Done = TypeVar("Done")


class Ensemble(Model):
    """Members of which number p reads the character at position p from the whole view.

    A single member leaves a GPU idle, so there the members run stacked: each layer of all members is one grouped
    operation. On a CPU, grouped convolutions are slower than those of one member. So each core trains one member, which
    wastes less than sharing each layer of one member among the cores. The weights are stored by member in both cases.
    """

    def __init__(self, shape: Shape, positions: int, classes: int, *, member: Callable[..., Model]) -> None:
        super().__init__()
        self.members = nn.ModuleList([member(shape, 1, classes) for _ in range(positions)])

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        if views.is_cuda:
            return self.stacked(views)
        if not self.training:
            return self.in_turn(views)
        with _drawing_apart(self.members):
            # torch's modes for gradients and precision are per thread, so new threads only fit the default modes.
            plain = torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu") and not views.requires_grad
            return self.side_by_side(views) if plain and torch.get_num_threads() > 1 else self.in_turn(views)

    def side_by_side(self, views: torch.Tensor) -> torch.Tensor:
        """Return the scores of all members as `in_turn` does, computed in parallel threads."""
        return _SideBySide.apply(self.members, views, *(weight for own in _weights(self.members) for weight in own))

    def in_turn(self, views: torch.Tensor) -> torch.Tensor:
        """Return the scores of all members, [image, position, class], computed one after another."""
        return torch.cat([member(views) for member in self.members], dim=1)

    def stacked(self, views: torch.Tensor) -> torch.Tensor:
        """Return the scores of all members as `in_turn` does, but with other random draws, in grouped operations."""
        one = self.members[0]

        def read(weights: Tensors, state: Tensors) -> torch.Tensor:
            return functional_call(one, (weights, state), (views,))

        states = [dict(member.named_buffers()) for member in self.members]
        state = _stack(states)
        weights = _stack([dict(member.named_parameters()) for member in self.members])
        scores = vmap(read, out_dims=1, randomness="different")(weights, state)  # [image, member, 1, class]
        if self.training:  # batch norms have updated their means and variances
            with torch.no_grad():
                for number, own in enumerate(states):
                    for name, value in own.items():
                        value.copy_(state[name][number])
        return scores.flatten(1, 2)


def _stack(parts: list[Tensors]) -> Tensors:
    """Return one tensor [member, …] for each name."""
    return {name: torch.stack([part[name] for part in parts]) for name in parts[0]}


def _weights(members: nn.ModuleList) -> list[list[nn.Parameter]]:
    """Return the trainable weights of each member."""
    return [[weight for weight in member.parameters() if weight.requires_grad] for member in members]


@contextmanager
def _drawing_apart(members: nn.ModuleList) -> Iterator[None]:
    """Give each member its own generator, so that its dropout does not depend on the order of the threads."""
    dropouts = [[module for module in member.modules() if isinstance(module, Dropout)] for member in members]
    for own, seed in zip(dropouts, torch.randint(2**62, (len(dropouts),)).tolist(), strict=True):
        generator = torch.Generator().manual_seed(seed)
        for dropout in own:
            dropout.generator = generator
    try:
        yield
    finally:
        for own in dropouts:
            for dropout in own:
                dropout.generator = None


class _SideBySide(torch.autograd.Function):
    """Autograd function from members and views [image, channel, height, width] to scores [image, member, class].

    The members' weights are inputs as well, so that gradients reach them.
    """

    @staticmethod
    def forward(ctx: Any, members: nn.ModuleList, views: torch.Tensor, *weights: nn.Parameter) -> torch.Tensor:
        def read(number: int) -> torch.Tensor:
            with torch.enable_grad():
                return members[number](views)

        ctx.weights = _weights(members)
        ctx.scores = _on_all_cores(read, len(members))
        return torch.cat([scores.detach() for scores in ctx.scores], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        def learn(number: int) -> Sequence[torch.Tensor]:
            own = gradient[:, number : number + 1]
            return torch.autograd.grad(ctx.scores[number], ctx.weights[number], own)

        return None, None, *(one for own in _on_all_cores(learn, len(ctx.scores)) for one in own)


def _on_all_cores(work: Callable[[int], Done], count: int) -> list[Done]:
    """Return the results of `work` for each number below `count`, computed in as many threads as torch has.

    The threads divide torch's own threads among them.
    """
    threads = torch.get_num_threads()
    side_by_side = min(threads, count)
    try:
        with ThreadPoolExecutor(side_by_side, "member", torch.set_num_threads, (threads // side_by_side,)) as pool:
            return list(pool.map(work, range(count)))
    finally:
        torch.set_num_threads(threads)  # the pool has lowered the number for later threads, too
