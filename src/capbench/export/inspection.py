"""Checks of an untrusted ONNX file before onnxruntime loads it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from capbench.errors import Mistake
from capbench.export.description import BATCH, IMAGES, PROBABILITIES, Description, sha256
from capbench.inference.budget import images_at_once, most
from capbench.utils import bounded
from capbench.utils.extras import needed

MOST_BYTES = 2**30
MOST_NUMBERS = 2**28  # in any one tensor, for one image
MANY = 4  # onnxruntime may go through the layers in another order and keep more of what they make, but not all of it
FEW = 64
WIDEST = 16  # bytes of a number
FLOATS = (1, 10, 11, 16)  # TensorProto.FLOAT, FLOAT16, DOUBLE and BFLOAT16
WHOLE = (6, 7)  # TensorProto.INT32 and INT64, which tell sizes; other weights need not be looked at for them
REARRANGING = {  # these give as many numbers as they take
    *("Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
}


def inspected(path: Path, described: Description) -> tuple[bytes, int]:
    """The file's content, if it is the one described and holds nothing but plain layers and weights.

    And how many images it may be given at once.
    """
    try:
        content = bounded.content(path, MOST_BYTES)
    except Mistake as mistake:
        raise Mistake(f"{mistake}; give a graph that export wrote") from mistake
    if sha256(content) != described.graph:
        raise Mistake(f"{path}: is not the graph that its JSON describes; export the run again")
    onnx = needed("onnx", "export")
    try:
        try:
            model = onnx.load_model_from_string(content)
        except Exception as error:  # protobuf's own
            raise Mistake(f"it is no ONNX ({' '.join(str(error).split())})") from error
        fault = next(faults(onnx, model, described), None)
        if fault:
            raise Mistake(fault)
        given = most(sum(math.prod(tensor.dims) for tensor in model.graph.initializer))
        _forget_content(model)
        return content, images_at_once(BATCH, lambda images: taken(onnx, model, images), given)
    except Mistake as mistake:
        raise Mistake(f"{path}: is no graph of CapBench's: {mistake}") from mistake


def faults(onnx: Any, model: Any, described: Description) -> Iterator[str]:
    """What no graph that `export` writes would hold."""
    graph = model.graph
    # Subgraphs and functions could escape these checks or loop for ever; exported graphs have none.
    strange = sorted({domain.domain for domain in model.opset_import} | {node.domain for node in graph.node})
    strange = [domain for domain in strange if domain not in ("", "ai.onnx")]
    if strange or model.functions:
        yield f"it wants operators of its own ({', '.join(strange) or 'functions'})"
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield f"{node.op_type} {node.name!r} holds a graph of its own"
            for tensor in _tensors(attribute):
                yield from _of_tensor(tensor, f"{node.op_type} {node.name!r}")
    for tensor in graph.initializer:
        yield from _of_tensor(tensor, f"weight {tensor.name!r}")
        if not _is_finite(onnx, tensor):
            yield f"weight {tensor.name!r} holds what is infinite or no number"
    if graph.sparse_initializer or model.training_info:
        yield "it holds sparse weights or a training"
    yield from _of_ends(graph, described)


def _tensors(attribute: Any) -> list[Any]:
    sparse = [*attribute.sparse_tensors, *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else [])]
    own = [attribute.t] if attribute.HasField("t") else []
    return [*own, *attribute.tensors, *(part for s in sparse for part in (s.values, s.indices))]


def _of_tensor(tensor: Any, where: str) -> Iterator[str]:
    if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
        yield f"{where} lies in another file"
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MOST_NUMBERS:
        yield f"{where} has the size {'×'.join(map(str, tensor.dims))}; at most {MOST_NUMBERS:,} numbers are taken"


def _of_ends(graph: Any, described: Description) -> Iterator[str]:
    """Yield a fault unless the graph has exactly one input and one output, as described."""
    for ends, name, kind, sizes in (
        (graph.input, IMAGES, 2, described.input),  # TensorProto.UINT8
        (graph.output, PROBABILITIES, 1, described.output),  # TensorProto.FLOAT
    ):
        found = [(end.name, end.type.tensor_type.elem_type, _sizes(end)) for end in ends]
        if found != [(name, kind, [None, *sizes])]:
            yield f"it should have {name} [batch, {', '.join(map(str, sizes))}] alone"


def _is_finite(onnx: Any, tensor: Any) -> bool:
    """Whether weights are numbers that can be reckoned with; a single one may stand for infinity."""
    if tensor.data_type not in FLOATS or math.prod(tensor.dims) <= 1:
        return True
    try:
        return bool(np.isfinite(onnx.numpy_helper.to_array(tensor)).all())
    except ValueError:  # as many bytes as there should not be: onnxruntime says so
        return True


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
                raise Mistake(f"the size of what {node.op_type} {node.name!r} makes cannot be told")
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
    sizes = ((value.name, _sizes(value)) for value in values)
    return {
        name: math.prod(size or 0 for size in some) for name, some in sizes if some is not None and None not in some
    }


def _width(onnx: Any, value: Any) -> int:
    """How many bytes a number of it takes."""
    kind = value.type.tensor_type.elem_type
    return WIDEST if kind in (0, onnx.TensorProto.STRING) else onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize


def _sizes(value: Any) -> list[int | None] | None:
    """Return the size of each dimension, None for a free one; None where no shape is known."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
