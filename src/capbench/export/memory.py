"""Memory that an ONNX graph takes to read images, from the sizes of all tensors that its layers make."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from capbench.errors import Mistake
from capbench.inference.budget import images_at_once, most

MOST_NUMBERS = 2**28  # in any one tensor, for one image
MANY = 4  # onnxruntime may go through the layers in another order and keep more of what they make, but not all of it
FEW = 64  # numbers of a small weight
WIDEST = 16  # bytes of a number
WHOLE = (6, 7)  # TensorProto.INT32 and INT64, which tell sizes; other weights need not be looked at for them
REARRANGING = {  # these give as many numbers as they take
    *("Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
}


def batch_of(onnx: Any, model: Any, wished: int) -> int:
    """Return how many images the graph may read at once, at most `wished`; raise Mistake where one takes too much."""
    given = most(sum(math.prod(tensor.dims) for tensor in model.graph.initializer))
    _forget_content(model)
    return images_at_once(wished, lambda images: taken(onnx, model, images), given)


def _forget_content(model: Any) -> None:
    """Leave the sizes of the weights, and only that which tells sizes of other tensors."""
    for tensor in model.graph.initializer:
        if tensor.data_type not in WHOLE and math.prod(tensor.dims) > FEW:
            tensor.ClearField("raw_data")


def taken(onnx: Any, model: Any, images: int) -> int:
    """How many bytes so many images take, beside the weights: those alive at once as the layers follow each other.

    At least a part of all that is made, should onnxruntime follow another order. Mistake where a size is not known.
    """
    (given,), (answered,) = model.graph.input, model.graph.output
    given.type.tensor_type.shape.dim[0].dim_value = images
    answered.type.tensor_type.ClearField("shape")  # believe only what is worked out anew
    del model.graph.value_info[:]
    try:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception as error:  # its own
        raise Mistake(f"its layers do not fit together ({' '.join(str(error).split())[:200]})") from error
    weights = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    counts = {**weights, **_counts((*graph.input, *graph.value_info, *graph.output))}
    widths = {value.name: _width(onnx, value) for value in (*graph.input, *graph.value_info, *graph.output)}
    last = {name: place for place, node in enumerate(graph.node) for name in node.input}
    of_images = {graph.input[0].name}
    alive = total = highest = counts[graph.input[0].name] * widths[graph.input[0].name]
    sizes: dict[str, int] = {}
    for place, node in enumerate(graph.node):
        if node.op_type in REARRANGING and node.input[0] in counts:
            counts.setdefault(node.output[0], counts[node.input[0]])
        for name in filter(None, node.output):
            if name not in counts:
                raise Mistake(f"the size of what {node.op_type} {node.name!r} makes is unknown")
            if counts[name] > MOST_NUMBERS * images:
                raise Mistake(
                    f"{node.op_type} {node.name!r} makes {counts[name]:,} numbers; at most {MOST_NUMBERS * images:,} are taken"
                )
            sizes[name] = counts[name] * widths.get(name, WIDEST)
            alive += sizes[name]
            total += sizes[name]
        highest = max(highest, alive)
        if of_images.isdisjoint(node.input):
            continue  # it is worked out once and kept
        of_images.update(node.output)
        ended = [*(name for name in set(node.input) if last[name] == place), *(n for n in node.output if n not in last)]
        alive -= sum(sizes.get(name, 0) for name in ended if name in of_images)
    return max(highest, total // MANY)


def _counts(values: Iterable[Any]) -> dict[str, int]:
    """How many numbers each holds, of those that are known."""
    sizes = ((value.name, sizes_of(value)) for value in values)
    return {
        name: math.prod(size or 0 for size in some) for name, some in sizes if some is not None and None not in some
    }


def _width(onnx: Any, value: Any) -> int:
    """How many bytes a number of it takes."""
    kind = value.type.tensor_type.elem_type
    if kind not in onnx.TensorProto.DataType.values():
        raise Mistake(f"{value.name!r} holds numbers of type {kind}, which ONNX does not have")
    return WIDEST if kind in (0, onnx.TensorProto.STRING) else onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize


def sizes_of(value: Any) -> list[int | None] | None:
    """Return the size of each dimension, None for a free one; None where no shape is known."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
