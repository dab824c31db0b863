"""Small graph that is made without a training, the images that it takes, and its readings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from capbench import images
from capbench.export.graph import Graph, Read
from tests.helpers.rounding import apart

HEIGHT, WIDTH, LENGTH, SYMBOLS = 20, 50, 4, "0123456789"


def graph(path: Path, name: str = "small", seed: int = 1, any_size: bool = False, exif: str = "ignore") -> Path:
    """Write a graph with random weights and its JSON; its readings are meaningless, but always the same."""
    inputs, classes = HEIGHT * WIDTH * 3, LENGTH * len(SYMBOLS)
    weights = np.random.default_rng(seed).normal(0, 0.1, (inputs, classes)).astype(np.float32)
    constants = {"weights": weights, "scale": np.float32(255), "flat": np.array([-1, inputs])}
    constants["shape"] = np.array([-1, LENGTH, len(SYMBOLS)])
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "scale"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["products"]),
        helper.make_node("Reshape", ["products", "shape"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=-1),
    ]
    taken, given = [HEIGHT, WIDTH, 3], [LENGTH, len(SYMBOLS)]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *taken])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", *given])],
            [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    content = model.SerializeToString()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    view = {
        "_target_": "capbench.data.views.Whole",
        "channel": "colour",
        "size": [HEIGHT, WIDTH] if any_size else None,
        "fit": "stretch",
    }
    described = {
        "capbench_graph": 1, "name": name, "alphabet": SYMBOLS, "fold": None, "length": [LENGTH, LENGTH],
        "over": "positions", "blank": None, "exif": exif, "takes": "view" if any_size else "image", "view": view, "input": taken, "output": given,
        "int8": False, "graph": hashlib.sha256(content).hexdigest(), "run": "0" * 64, "versions": {},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(described))
    return path


def picture(seed: int, kind: str = ".png", height: int = HEIGHT, width: int = WIDTH) -> bytes:
    """Return an image file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(kind, pixels)[1].tobytes()


def offline(path: Path, *files: bytes) -> list[Read]:
    """Return the readings of image files by a graph in this process."""
    opened = Graph.open(path)
    return opened.read([images.decode(file, opened.exif) for file in files])


def agrees(reading: dict[str, Any], read: Read) -> bool:
    """Return whether a server's reading equals one without a server, except for rounding, which differs in batches."""
    answered = [[one["symbol"], one["runner_up"]["symbol"]] for one in reading["characters"]]
    sure = [[one["confidence"], one["runner_up"]["confidence"]] for one in reading["characters"]]
    return (
        reading["text"] == read.text
        and answered == [[symbol, other] for symbol, _, other, _ in read.characters]
        and apart(sure, [[one, other] for _, one, _, other in read.characters]) < 1e-3
        and apart(reading["confidence"], read.confidence) < 1e-3
    )
