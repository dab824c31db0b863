"""Tracing of a run's recogniser into an ONNX graph."""

from __future__ import annotations

import logging
import warnings
from importlib.metadata import version
from typing import Any, TypeGuard

import torch
from torch import nn

from capbench.data.views import View, Whole
from capbench.errors import Mistake
from capbench.export.description import IMAGES, PROBABILITIES
from capbench.inference.reader import Reader
from capbench.models import Model, PerCharacter

GREY = (9798 / 2**15, 19235 / 2**15, 3735 / 2**15)  # what OpenCV weighs red, green and blue with


def traced(reader: Reader) -> bytes:
    """The run as ONNX, for any number of images at once."""
    network = Prepared(reader.model, reader.view).eval()
    example = torch.zeros(2, *taken(reader), dtype=torch.uint8)
    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they tell of the exporter's own inside
        try:
            exported = torch.onnx.export(
                network,
                (example,),
                input_names=[IMAGES],
                output_names=[PROBABILITIES],
                dynamic_shapes={"images": {0: "batch"}},
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0]
            raise Mistake(f"run: {kind(reader)} cannot be exported, torch has no ONNX for it ({reason})") from error
    assert exported is not None
    return _without_notes(exported.model_proto)


def taken(reader: Reader) -> list[int]:
    """The shape of one image as the graph takes it, its channels last."""
    channels, height, width = reader.shape
    if takes_image(reader.view):
        return [height, width, 4 if reader.view.channel == "alpha" else 3]
    return [*([reader.codec.longest] if reader.view.cuts else []), height, width, channels]


def takes_image(view: View) -> TypeGuard[Whole]:
    """Whether the graph does all that the view does; OpenCV's resizing, cleaning and cutting are done before it."""
    return isinstance(view, Whole) and view.size is None


def kind(reader: Reader) -> str:
    model = reader.model
    return type(model.model if isinstance(model, PerCharacter) else model).__name__


class Prepared(nn.Module):
    """The recogniser behind what can be done for it in a graph: bytes in, probabilities out."""

    def __init__(self, model: Model, view: View) -> None:
        super().__init__()
        self.model = model
        self.channel = view.channel if takes_image(view) else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From uint8 [image, (character,) height, width, channel] to [image, position or time, class]."""
        return self.model(self._picked(images) / 255).softmax(-1)

    def _picked(self, images: torch.Tensor) -> torch.Tensor:
        """The view's channels, as float [..., channel, height, width].

        Each by itself: onnxruntime takes a network's time for a product over three channels that come last.
        """
        if self.channel is None or self.channel == "colour":
            return torch.movedim(images.float(), -1, -3)
        planes = [plane.unsqueeze(-3).float() for plane in images.unbind(-1)]
        if self.channel == "grey":  # exact: 8 and 15 bits in float32's 24
            red, green, blue = (plane * weight for plane, weight in zip(planes, GREY, strict=True))
            return torch.floor(red + green + blue + 0.5)
        return planes[("red", "green", "blue", "alpha").index(self.channel)]


def _without_notes(model: Any) -> bytes:
    """Without the exporter's notes, which tell of the folders of the machine that it ran on."""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    model.producer_name, model.producer_version = "capbench", version("capbench")
    return model.SerializeToString()
