"""Count of the memory that operations take, on torch's meta device, where tensors have no content."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Tally(TorchDispatchMode):
    """Counts the bytes of the tensors that are made meanwhile and alive at once, beside some that are there already."""

    def __init__(self, there: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.most = 0
        self._now = 0
        self._alive = {tensor.untyped_storage()._cdata for tensor in there}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip it, torch would import its compiler first, for a second

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = NotImplemented
        with self:
            if function in PLAIN:
                made = PLAIN[function](*args, **kwargs)
            elif _is_of_others(function):  # decompose() would choose Python's way, which imports the compiler
                made = function._op_dk(OF_OTHERS, *args, **kwargs)
        if made is NotImplemented:
            made = function(*args, **kwargs)
            for tensor in _tensors(made if isinstance(made, list | tuple) else [made]):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self._alive:  # views share what they are views of
            self._alive.add(storage._cdata)
            self._now += storage.nbytes()
            self.most = max(self.most, self._now)
            weakref.finalize(storage, self._end, storage._cdata, storage.nbytes())

    def _end(self, storage: int, size: int) -> None:
        self._alive.remove(storage)
        self._now -= size


@cache
def _is_of_others(function: Any) -> bool:
    """Whether an operation is made of others, whose tensors count too."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), OF_OTHERS)


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    return (value for value in values if isinstance(value, torch.Tensor))


def _pointwise(*given: Any, **_: Any) -> torch.Tensor:
    first, *others = _tensors(given)
    kind = torch.result_type(*given[:2]) if len(given) > 1 else first.dtype
    try:
        return first.new_empty(np.broadcast_shapes(first.shape, *(other.shape for other in others)), dtype=kind)
    except ValueError:
        return NotImplemented  # torch says what is wrong


def _divided(numbers: torch.Tensor, by: Any) -> torch.Tensor:
    return _pointwise(numbers if torch.result_type(numbers, by).is_floating_point else numbers.float(), by)


def _in_place(numbers: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return numbers


def _joined(parts: Sequence[torch.Tensor], along: int = 0) -> torch.Tensor:
    sizes = list(parts[0].shape)
    sizes[along] = sum(part.shape[along] for part in parts)
    return parts[0].new_empty(sizes)


def _stacked(parts: Sequence[torch.Tensor], along: int = 0) -> torch.Tensor:
    sizes = list(parts[0].shape)
    sizes.insert(along % (len(sizes) + 1), len(parts))
    return parts[0].new_empty(sizes)


def _reduced(numbers: torch.Tensor, along: Sequence[int], keeps: bool = False, **_: Any) -> torch.Tensor:
    """By their sum, mean or the like along some dimensions; along none given, along all."""
    gone = {place % numbers.ndim for place in along or range(numbers.ndim)}
    sizes = [1 if place in gone else size for place, size in enumerate(numbers.shape) if keeps or place not in gone]
    return numbers.new_empty(sizes)


def _highest(numbers: torch.Tensor, along: int, keeps: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    best = _reduced(numbers, [along], keeps)
    return best, best.new_empty(best.shape, dtype=torch.int64)


def _picked(numbers: torch.Tensor, places: Sequence[torch.Tensor | None]) -> torch.Tensor:
    if len(places) > 1 or places[0] is None or places[0].dtype != torch.int64:
        return NotImplemented
    return numbers.new_empty(*places[0].shape, *numbers.shape[1:])


def _compared(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return left.new_empty(np.broadcast_shapes(left.shape, right.shape), dtype=torch.bool)


def _topmost(
    numbers: torch.Tensor, count: int, along: int = -1, *_: Any, **__: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = list(numbers.shape)
    sizes[along] = count
    return numbers.new_empty(sizes), numbers.new_empty(sizes, dtype=torch.int64)


def _product_and_sum(_: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    return rows.new_empty(len(rows), columns.shape[1])


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return left.new_empty(len(left), right.shape[1])


def _products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return left.new_empty(*left.shape[:2], right.shape[2])


def _convolved(images: torch.Tensor, weight: torch.Tensor, *given: Any) -> torch.Tensor:
    _, strides, paddings, dilations, transposed, *_ = given
    if transposed:
        return NotImplemented
    return images.new_empty(
        len(images), len(weight), *_steps(images.shape[2:], weight.shape[2:], strides, paddings, dilations)
    )


def _averaged_to(images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    return images.new_empty(*images.shape[:-2], *sizes)


def _averaged(
    images: torch.Tensor,
    kernel: Sequence[int],
    strides: Sequence[int] = (),
    paddings: Any = 0,
    ceil: bool = False,
    *_: Any,
) -> torch.Tensor:
    sizes = _steps(images.shape[-2:], kernel, strides or kernel, paddings, 1, ceil)
    return images.new_empty(*images.shape[:-2], *sizes)


def _largest(
    images: torch.Tensor,
    kernel: Sequence[int],
    strides: Sequence[int] = (),
    paddings: Any = 0,
    dilations: Any = 1,
    ceil: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = _steps(images.shape[-2:], kernel, strides or kernel, paddings, dilations, ceil)
    largest = images.new_empty(*images.shape[:-2], *sizes)
    return largest, largest.new_empty(largest.shape, dtype=torch.int64)


def _steps(
    sizes: Sequence[int], kernel: Sequence[int], strides: Any, paddings: Any, dilations: Any, ceil: bool = False
) -> Iterator[int]:
    """How many places a kernel takes along each dimension."""
    each = (np.broadcast_to(some, len(sizes)).tolist() for some in (kernel, strides, paddings, dilations))
    for size, taps, stride, padding, dilation in zip(sizes, *each, strict=True):
        free = size + 2 * padding - dilation * (taps - 1) - 1
        steps = (-(-free // stride) if ceil else free // stride) + 1
        yield steps - (ceil and (steps - 1) * stride >= size + padding)  # none begins behind the edge


def _normed(views: torch.Tensor, *_: Any) -> tuple[torch.Tensor, ...]:
    return views.new_empty(views.shape), views.new_empty(0), views.new_empty(0)


def _recurred(steps: torch.Tensor, start: Sequence[torch.Tensor], *given: Any) -> tuple[torch.Tensor, ...]:
    """What an LSTM makes; the gates of all steps are there beside it."""
    *_, both_ways, _ = given
    ways = 2 if both_ways else 1
    state, cell = start
    gates = steps.new_empty(*steps.shape[:-1], ways * 4 * cell.shape[-1])
    made = gates.new_empty(*steps.shape[:-1], ways * state.shape[-1])
    return made, state.new_empty(state.shape), cell.new_empty(cell.shape)


_aten = torch.ops.aten
OF_OTHERS = torch._C.DispatchKey.CompositeImplicitAutograd
POINTWISE = (
    *(_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.pow.Tensor_Scalar),
    *(_aten.neg.default, _aten.relu.default, _aten.round.default, _aten.clamp_min.default, _aten.log.default),
    *(_aten._softmax.default, _aten._log_softmax.default),
)
PLAIN: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys((_aten.sum.dim_IntList, _aten.mean.dim, _aten.logsumexp.default, _aten.amax.default), _reduced),
    **dict.fromkeys((_aten.sub_.Tensor, _aten.relu_.default), _in_place),
    _aten.div.Tensor: _divided,
    _aten.max.dim: _highest,
    _aten.topk.default: _topmost,
    _aten.index.Tensor: _picked,
    _aten.eq.Tensor: _compared,
    _aten.cat.default: _joined,
    _aten.stack.default: _stacked,
    _aten.addmm.default: _product_and_sum,
    _aten.mm.default: _product,
    _aten.bmm.default: _products,
    _aten.convolution.default: _convolved,
    _aten._adaptive_avg_pool2d.default: _averaged_to,
    _aten.avg_pool2d.default: _averaged,
    _aten.max_pool2d_with_indices.default: _largest,
    _aten.native_batch_norm.default: _normed,
    _aten.lstm.input: _recurred,
}
"""Sizes of what CapBench's own networks make: torch works them out, too, but imports its compiler for each, for seconds."""
