"""A trained run as an ONNX graph that needs no torch, held against torch before it is handed out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from capbench.data.views import View, Whole
from capbench.errors import Mistake
from capbench.files import replacing
from capbench.models import Model
from capbench.reader import Reader
from capbench.runs import RunFolder, provenance
from capbench.serving.description import IMAGES, PROBABILITIES, Description, at, sha256
from capbench.serving.graph import Graph
from capbench.text import Codec

GREY = (9798, 19235, 3735)  # what OpenCV weighs red, green and blue with, of 2**15


def schema(*, run: str, out: str) -> None:
    """The settings of the verb, by name and type; the check reads this signature."""


class Prepared(nn.Module):
    """The recogniser behind what can be done for it in a graph: bytes in, probabilities out."""

    def __init__(self, model: Model, view: View) -> None:
        super().__init__()
        self.model = model
        self.channel = view.channel if takes_image(view) else None
        self.register_buffer("grey", torch.tensor(GREY, dtype=torch.float32), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From uint8 [image, (character,) height, width, channel] to [image, position or time, class]."""
        pixels = self._picked(images.float())
        return self.model(torch.movedim(pixels, -1, -3) / 255).softmax(-1)

    def _picked(self, pixels: torch.Tensor) -> torch.Tensor:
        """The view's channels; every number here is whole and small enough for float32 to hold it exactly."""
        if self.channel == "grey":
            return torch.floor(((pixels * self.grey).sum(-1, keepdim=True) + 2**14) / 2**15)
        if self.channel == "alpha":
            return pixels[..., 3:]
        if self.channel in ("red", "green", "blue"):
            number = ("red", "green", "blue").index(self.channel)
            return pixels[..., number : number + 1]
        return pixels


def takes_image(view: View) -> bool:
    """Whether the graph can do all that the view does: OpenCV's resizing, cleaning and cutting stay outside."""
    return isinstance(view, Whole) and view.size is None


def export(run: RunFolder, out: Path) -> Path:
    """Write the graph and its JSON."""
    reader = Reader.of(run)
    channels, height, width = reader.shape
    lead = [reader.codec.longest] if reader.view.cuts else []
    if takes_image(reader.view):
        channels = 4 if reader.view.channel == "alpha" else 3
    shape = [*lead, height, width, channels]
    content = graph_of(Prepared(reader.model, reader.view), shape)
    codec = reader.codec
    result = run.read_result()
    description = Description(
        capbench_graph=1,
        name=result["name"],
        alphabet=codec.alphabet.symbols,
        fold=codec.alphabet.fold,
        length=[codec.shortest, codec.longest],
        over=codec.over,
        blank=codec.blank if codec.classes > codec.blank else None,
        takes="image" if takes_image(reader.view) else "view",
        view=run.settings()["view"],
        input=shape,
        output=output_shape(content),
        int8=False,
        graph=sha256(content),
        run=sha256(run.weights.read_bytes()),
        versions=versions(),
    )
    with replacing(out, "wb") as file:
        file.write(content)
    with replacing(at(out)) as file:
        file.write(description.model_dump_json(indent=1) + "\n")
    return out


def output_shape(content: bytes) -> list[int]:
    import onnx

    (output,) = onnx.load_model_from_string(content).graph.output
    return [dimension.dim_value for dimension in output.type.tensor_type.shape.dim][1:]


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in ("capbench", "torch", "onnx", "onnxscript", "onnxruntime")}


def graph_of(network: nn.Module, shape: list[int]) -> bytes:
    """The network as ONNX for uint8 [batch, *shape], any number of them at once."""
    import onnx  # noqa: F401

    example = torch.zeros(2, *shape, dtype=torch.uint8)
    exported = torch.onnx.export(
        network.eval(),
        (example,),
        dynamo=True,
        input_names=[IMAGES],
        output_names=[PROBABILITIES],
        dynamic_shapes={"images": {0: "batch"}},
        verbose=False,
    )
    return exported.model_proto.SerializeToString()
