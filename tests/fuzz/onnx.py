"""ONNX files with damage to their bytes or to their protobuf messages, each with a JSON that describes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from capbench.export import trial
from capbench.export.description import beside, sha256
from capbench.export.export import export
from capbench.export.graph import Graph
from tests.fuzz.mutations import changed, damaged, generator, pick
from tests.fuzz.warm import WarmTrials
from tests.helpers.graphs import graph
from tests.helpers.untrained import untrained

RUNS = [("model=cnn",), ("model=crnn", "data.length=[3,5]"), ("model=ensemble",)]
NUMBERS = [
    0,
    1,
    2,
    3,
    4,
    7,
    11,
    16,
    64,
    255,
    4096,
    2**16,
    2**20,
    2**28,
    2**31 - 1,
    2**31,
    2**40,
    2**63 - 1,
    -1,
    -2,
    -(2**63),
]
OPERATORS = [
    *(
        "Loop",
        "If",
        "Scan",
        "Range",
        "Tile",
        "Expand",
        "ConstantOfShape",
        "Resize",
        "Upsample",
        "Pad",
        "Concat",
        "Gather",
    ),
    *(
        "Conv",
        "ConvTranspose",
        "MatMul",
        "Gemm",
        "Einsum",
        "LSTM",
        "GRU",
        "NonZero",
        "Unique",
        "TopK",
        "OneHot",
        "Compress",
    ),
    *(
        "RandomNormal",
        "RandomUniform",
        "Multinomial",
        "StringNormalizer",
        "SequenceConstruct",
        "SplitToSequence",
        "DFT",
        "STFT",
    ),
    *(
        "Reshape",
        "Identity",
        "Cast",
        "Softmax",
        "Split",
        "Slice",
        "ImageDecoder",
        "RegexFullMatch",
        "MaxPool",
        "LpPool",
        "Optional",
    ),
]
WORDS = [
    "images",
    "probabilities",
    "batch",
    "weights",
    "scale",
    "",
    "ai.onnx",
    "com.microsoft",
    "ai.onnx.ml",
    "location",
    "/etc/passwd",
    "x" * 3000,
    "ü",
    "\x1b[2J",
]
JSON_WORDS = [
    "capbench.data.views.Whole",
    "capbench.data.views.Characters",
    "os.system",
    "image",
    "view",
    "time",
    "positions",
    "grey",
    "colour",
]
MOST_REPEATS = 300


class door:
    """Door that inspects a graph, loads it into onnxruntime, and reads a picture with it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._seed, self._folder, self._number = seed, folder, 0
        self._trials = WarmTrials(folder)
        trial.in_a_process = self._trials
        paths = [graph(folder / "small.onnx"), graph(folder / "any.onnx", any_size=True)]
        for number, overrides in enumerate(RUNS):
            paths.append(folder / f"{number}.onnx")
            export(untrained(folder / str(number), *overrides), paths[-1])
        self._files = [path.read_bytes() for path in paths]
        self._described = [json.loads(beside(path).read_text()) for path in paths]
        self.sound = [self._with(file, described) for file, described in zip(self._files, self._described, strict=True)]

    @staticmethod
    def _with(file: bytes, described: Any) -> bytes:
        """Return one line of JSON and the graph that belongs to it."""
        if isinstance(described, dict) and "graph" in described:
            described = described | {"graph": sha256(file)}
        return json.dumps(described, default=str, skipkeys=True).encode() + b"\n" + file

    def made(self, number: int) -> bytes:
        random = generator("onnx", self._seed, number)
        which = int(random.integers(len(self._files)))
        file, described = self._files[which], self._described[which]
        way = int(random.integers(8))
        if way == 0:
            return self._with(damaged(file, random, self._files), described)
        if way == 1:
            return self._with(file, changed(described, random, self._described, JSON_WORDS))
        if way == 2:
            return self._with(damaged(file[:3000], random) + file[3000:], described)
        model = onnx.load_model_from_string(file)
        for _ in range(random.integers(1, 4)):
            (meddle if way <= 5 else rewire)(model, random)
        return self._with(model.SerializeToString(), described)

    def open(self, content: bytes) -> None:
        described, _, file = content.partition(b"\n")
        self._number += 1
        path = self._folder / f"odd{self._number}.onnx"
        path.write_bytes(file)
        beside(path).write_bytes(described)
        try:
            opened = Graph.open(path)
            height, width = opened.described.input[-3:-1] if opened.described.takes == "image" else (60, 160)
            opened.read([np.full((height, width, 3), 200, np.uint8)])
        finally:
            path.unlink()
            beside(path).unlink()

    def close(self) -> None:
        self._trials.close()


def _messages(message: Message) -> Iterator[Message]:
    """Yield a protobuf message and all messages within it."""
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                yield from _messages(inner)


def meddle(model: Any, random: np.random.Generator) -> None:
    """Change one field of one message, mostly one that is set."""
    message = pick(random, list(_messages(model)))
    fields = [field for field, _ in message.ListFields()] if random.random() < 0.7 else []
    field = pick(random, fields or list(message.DESCRIPTOR.fields))
    with suppress(ValueError, TypeError, DecodeError):  # a value that the field cannot hold leaves it unchanged
        _change(message, field, random)


def _change(message: Any, field: FieldDescriptor, random: np.random.Generator) -> None:
    """Change, clear or repeat the values of a field."""
    if field.is_repeated:
        values = getattr(message, field.name)
        way = random.integers(4)
        if way == 0 and len(values):
            del values[int(random.integers(len(values)))]
        elif way == 1 and len(values):
            one = values[int(random.integers(len(values)))]
            values.extend([one] * int(10 ** random.uniform(0, np.log10(MOST_REPEATS))))
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            values.add()
        elif way == 2 and len(values):
            values[int(random.integers(len(values)))] = _value(field, random)
        else:
            values.append(_value(field, random))
    elif random.random() < 0.2:
        message.ClearField(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _value(field, random))


def _value(field: FieldDescriptor, random: np.random.Generator) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return pick(random, [*WORDS, *OPERATORS])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return pick(random, [b"", b"\0" * 8, b"\xff" * 8, bytes(4096), np.int64(2**40).tobytes()])
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return float(pick(random, [0, 1, -1, 1e30, -1e30, np.inf, np.nan]))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return pick(random, list(field.enum_type.values_by_number))
    return int(pick(random, NUMBERS))


def rewire(model: Any, random: np.random.Generator) -> None:
    """Change a node's operator, inputs, outputs or attributes, insert a chain of nodes, or change a weight's size."""
    nodes, weights = model.graph.node, model.graph.initializer
    node = nodes[int(random.integers(len(nodes)))]
    names = [name for one in nodes for name in (*one.input, *one.output)]
    way = random.integers(7)
    if way == 0:
        node.op_type = pick(random, [*OPERATORS, *{one.op_type for one in nodes}])
    elif way == 1 and node.input:
        node.input[int(random.integers(len(node.input)))] = pick(random, names)
    elif way == 2 and node.output:
        node.output[int(random.integers(len(node.output)))] = pick(random, names)
    elif way == 3:
        before = node.input[0] if node.input else "images"
        for number in range(int(10 ** random.uniform(0, 2))):  # a chain of nodes before this one
            link = nodes.add(op_type=pick(random, ["Identity", "Relu", "Concat", "Add"]), output=[f"link{number}"])
            link.input.extend([before, before] if link.op_type in ("Concat", "Add") else [before])
            if link.op_type == "Concat":
                link.attribute.append(onnx.helper.make_attribute("axis", 0 if random.random() < 0.2 else 1))
            nodes.insert(0, nodes.pop())
            before = f"link{number}"
        if node.input:
            node.input[0] = before
    elif way == 4:
        name = pick(
            random,
            [
                "kernel_shape",
                "pads",
                "strides",
                "dilations",
                "group",
                "axis",
                "axes",
                "to",
                "allowzero",
                "perm",
                "value",
                "hidden_size",
            ],
        )
        value = pick(
            random,
            [
                NUMBERS[int(random.integers(len(NUMBERS)))],
                [1, 1],
                [1, 1, 1, 1],
                [10**5] * 4,
                [2**31] * 2,
                [-1, -1],
                [0, 0],
            ],
        )
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])
    else:
        whole = [weight for weight in weights if weight.data_type == onnx.TensorProto.INT64]
        weight = pick(random, whole if whole and way == 5 else list(weights))
        if weight.data_type == onnx.TensorProto.INT64:
            sizes = onnx.numpy_helper.to_array(weight).copy()
            sizes.reshape(-1)[int(random.integers(max(1, sizes.size))) :][:1] = pick(random, NUMBERS)
            weight.CopyFrom(onnx.numpy_helper.from_array(sizes, weight.name))
        elif len(weight.dims):
            weight.dims[int(random.integers(len(weight.dims)))] = pick(random, NUMBERS)
