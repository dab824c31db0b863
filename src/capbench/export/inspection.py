"""Checks of an untrusted ONNX file before onnxruntime loads it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from capbench.errors import Mistake
from capbench.export.description import IMAGES, PROBABILITIES, Description, sha256
from capbench.export.memory import MOST_NUMBERS, sizes_of
from capbench.utils import bounded
from capbench.utils.extras import needed

MOST_BYTES = 2**30
FLOATS = (1, 10, 11, 16)  # TensorProto.FLOAT, FLOAT16, DOUBLE and BFLOAT16


def inspected(path: Path, described: Description) -> bytes:
    """Return the file's content if it is the one described and holds nothing but plain layers and weights.

    What its layers make of these is left to the trial, which runs in a process of its own.
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
            raise Mistake(f"it is not ONNX ({' '.join(str(error).split())})") from error
        fault = next(faults(onnx, model, described), None)
        if fault:
            raise Mistake(fault)
        return content
    except Mistake as mistake:
        raise Mistake(f"{path}: is not a graph that CapBench wrote: {mistake}") from mistake


def faults(onnx: Any, model: Any, described: Description) -> Iterator[str]:
    """What no graph that `export` writes would hold."""
    graph = model.graph
    # Subgraphs and functions could escape these checks or loop for ever; exported graphs have none.
    domains = {domain.domain for domain in model.opset_import} | {node.domain for node in graph.node}
    strange = sorted(str(domain) for domain in domains - {"", "ai.onnx"})  # protobuf gives bytes for what is not UTF-8
    if strange or model.functions:
        yield f"it uses operators of its own ({', '.join(strange) or 'functions'})"
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield f"{node.op_type} {node.name!r} holds a graph of its own"
            for tensor in _tensors(attribute):
                yield from _of_tensor(tensor, f"{node.op_type} {node.name!r}")
    for tensor in graph.initializer:
        yield from _of_tensor(tensor, f"weight {tensor.name!r}")
        if not _is_finite(onnx, tensor):
            yield f"weight {tensor.name!r} holds infinite or NaN numbers"
    if graph.sparse_initializer or model.training_info:
        yield "it holds sparse weights or a training graph"
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
        found = [(end.name, end.type.tensor_type.elem_type, sizes_of(end)) for end in ends]
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
