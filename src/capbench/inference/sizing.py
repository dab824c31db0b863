"""Size of a run's network, found before it takes any memory: a run may come from a stranger.

Its parameters are held against the heading of the weights while it is built, and the memory that it reads with is
counted on torch's meta device, where tensors have a size and no content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError, safe_open
from torch.nn.modules.module import register_module_parameter_registration_hook

from capbench.errors import Mistake, first_line
from capbench.inference.budget import SPARE, images_at_once, most
from capbench.inference.tally import Tally
from capbench.models import Model
from capbench.runs import RunFolder
from capbench.utils import bounded

Weights = dict[str, torch.Tensor]
"""By name, tensors on the meta device"""
Read = Callable[[Model, torch.Tensor], object]
"""Reads views, uint8 [image, ...view]"""


def sized(
    folder: RunFolder, make: Callable[[], Model], read: Read, view: tuple[int, ...], wished: int
) -> tuple[Model, int]:
    """The run's network, whose weights are still to be loaded, and how many images it may read at once.

    `view` is the shape of one image's views. Mistake where it is larger than the weights, where these are not its own,
    or where one image takes more memory than is given.
    """
    weights = heading(folder)
    given = most(_count(weights))
    model = _outline(make, weights, folder, given)
    try:
        model.load_state_dict(weights)
        count = images_at_once(wished, lambda images: _taken(model, read, (images, *view)), given)
    except Mistake as mistake:
        raise Mistake(f"{folder.config}: model {mistake}") from mistake
    except (RuntimeError, IndexError) as error:
        raise Mistake(f"{folder.weights}: does not fit the run ({first_line(error)})") from error
    if _is_all_weights(model):
        # As to_empty does it, which asks torch's slow likeness of meta tensors.
        return model._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype)), count
    with _no_more_than(weights, folder):  # what else it holds is worked out anew
        return make().eval(), count


def _outline(make: Callable[[], Model], weights: Weights, folder: RunFolder, given: int) -> Model:
    """The network without content.

    A few of timm's reckon with numbers while they are built, which have no content then: such a one is built for real
    first, and of it the parameters alone are bounded.
    """
    with _no_more_than(weights, folder):
        try:
            with torch.device("meta"), Tally() as tally:
                model = make().eval()
        except Mistake:
            raise
        except Exception:
            model = None
        if tally.most > given:
            raise Mistake(f"takes {tally.most:,} bytes; at most {given:,} are allowed")
    if model is not None:
        return model
    with _no_more_than(weights, folder):
        return make().eval().to("meta")


def _is_all_weights(model: Model) -> bool:
    """Whether it holds no tensors but those that the weights' file gives it."""
    buffers = {name for name, _ in model.named_buffers()}
    others = (value for module in model.modules() for value in vars(module).values())
    return buffers <= model.state_dict().keys() and not any(isinstance(value, torch.Tensor) for value in others)


def heading(folder: RunFolder) -> Weights:
    """The weights without their content, by the heading of their file."""
    try:
        bounded.check_heading(folder.weights)
        with safe_open(folder.weights, "pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            kinds = {part.get_dtype() for part in parts.values()}
            if unknown := sorted(kinds - KINDS.keys()):
                raise Mistake(f"{folder.weights}: holds numbers of type {unknown[0]}; accepted are {', '.join(KINDS)}")
            return {
                name: torch.empty(part.get_shape(), dtype=KINDS[part.get_dtype()], device="meta")
                for name, part in parts.items()
            }
    except (OSError, SafetensorError) as error:
        raise Mistake(f"{folder.weights}: is not a safetensors file ({first_line(error)})") from error


def _taken(model: Model, read: Read, views: tuple[int, ...]) -> int:
    """How many bytes are alive at once, beside the weights, while views of this shape are read."""
    with torch.inference_mode(), Tally((*model.parameters(), *model.buffers())) as tally:
        read(model, torch.empty(views, dtype=torch.uint8, device="meta"))
    return tally.most


KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""The types of numbers by their names in a file of safetensors"""


@contextmanager
def _no_more_than(weights: Weights, folder: RunFolder) -> Iterator[None]:
    """A network that is built meanwhile may take up little more than the weights; its errors are reported."""
    numbers, tensors = SPARE * _count(weights), SPARE * len(weights)

    def count(_: torch.nn.Module, __: str, parameter: torch.Tensor) -> None:
        nonlocal numbers, tensors
        numbers -= parameter.numel()
        tensors -= 1
        if numbers < 0 or tensors < 0:
            raise Mistake("is larger than the weights beside it")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except Exception as error:
        raise Mistake(f"{folder.config}: model cannot be built: {first_line(error)}") from error
    finally:
        hook.remove()


def _count(weights: Weights) -> int:
    """How many numbers they are."""
    return sum(map(torch.numel, weights.values()))
