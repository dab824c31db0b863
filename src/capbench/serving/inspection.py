"""The look into an ONNX file before onnxruntime gets it: a stranger's may be anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capbench import bounded
from capbench.errors import Mistake
from capbench.extras import needed
from capbench.serving.description import BATCH, IMAGES, PROBABILITIES, Description, sha256

MOST_BYTES = 2**30
MOST_NUMBERS = 2**28  # in any one tensor, for a whole batch
FEW = 64
WHOLE = (6, 7)  # TensorProto.INT32 and INT64, which tell sizes; other weights need not be looked at for them
REARRANGING = {  # these give as many numbers as they take
    *("Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
}


def inspected(path: Path, described: Description) -> bytes:
    """The file's content, if it is the one described and holds nothing but plain layers and weights."""
    try:
        content = bounded.content(path, MOST_BYTES)
    except Mistake as mistake:
        raise Mistake(f"{mistake}; give a graph that export wrote") from mistake
    if sha256(content) != described.graph:
        raise Mistake(f"{path}: is not the graph that its JSON describes; export the run again")
    fault = next(faults(content, described), None)
    if fault:
        raise Mistake(f"{path}: is no graph of CapBench's: {fault}")
    return content


def faults(content: bytes, described: Description) -> Iterator[str]:
    """What no graph that `export` writes would hold."""
    onnx = needed("onnx", "export")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        yield f"it is no ONNX ({' '.join(str(error).split())})"
        return
    graph = model.graph
    # What lies in subgraphs and functions could hide, and loop for ever; ours are flat.
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
    if graph.sparse_initializer or model.training_info:
        yield "it holds sparse weights or a training"
    yield from _of_ends(graph, described)
    yield from _of_sizes(onnx, model)


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
    """One input and one output, as described."""
    for ends, name, kind, sizes in (
        (graph.input, IMAGES, 2, described.input),  # TensorProto.UINT8
        (graph.output, PROBABILITIES, 1, described.output),  # TensorProto.FLOAT
    ):
        found = [(end.name, end.type.tensor_type.elem_type, _sizes(end)) for end in ends]
        if found != [(name, kind, [None, *sizes])]:
            yield f"it should have {name} [batch, {', '.join(map(str, sizes))}] alone"


def _of_sizes(onnx: Any, model: Any) -> Iterator[str]:
    """Every tensor between, for a whole batch: what has no known size, or a huge one, could fill the memory."""
    (taken,), (given,) = model.graph.input, model.graph.output
    taken.type.tensor_type.shape.dim[0].dim_value = BATCH
    given.type.tensor_type.ClearField("shape")  # believe only what is worked out anew
    del model.graph.value_info[:]
    for tensor in model.graph.initializer:
        if tensor.data_type not in WHOLE and math.prod(tensor.dims) > FEW:
            tensor.ClearField("raw_data")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # its own
        yield f"its layers do not fit together ({' '.join(str(error).split())[:200]})"
        return
    counts = {tensor.name: math.prod(tensor.dims) for tensor in inferred.graph.initializer}
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        sizes = _sizes(value)
        if sizes is not None and None not in sizes:
            counts[value.name] = math.prod(sizes)
    for node in inferred.graph.node:
        if node.op_type in REARRANGING and node.input[0] in counts:
            counts.setdefault(node.output[0], counts[node.input[0]])
        for name in filter(None, node.output):
            if name not in counts:
                yield f"the size of what {node.op_type} {node.name!r} makes cannot be told"
                return  # nor that of what follows
            if counts[name] > MOST_NUMBERS:
                yield f"{node.op_type} {node.name!r} makes {counts[name]:,} numbers; at most {MOST_NUMBERS:,} are taken"


def _sizes(value: Any) -> list[int | None] | None:
    """The size of each dimension, None for one that is free; None where nothing is known."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
