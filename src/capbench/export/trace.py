"""Tracing of a run's recogniser to an ONNX graph."""

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

GREY = (9798 / 2**15, 19235 / 2**15, 3735 / 2**15)  # OpenCV's weights of red, green and blue


def traced(reader: Reader) -> bytes:
    """Return the run as an ONNX file for any batch size."""
    network = Prepared(reader.model, reader.view).eval()
    example = torch.zeros(2, *taken(reader), dtype=torch.uint8)
    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
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
    """Return the shape of one image as the graph takes it, channels last."""
    channels, height, width = reader.shape
    if takes_image(reader.view):
        return [height, width, 4 if reader.view.channel == "alpha" else 3]
    return [*([reader.codec.longest] if reader.view.cuts else []), height, width, channels]


def takes_image(view: View) -> TypeGuard[Whole]:
    """Return whether the graph can do all of the view's work; resizing, cleaning and cutting by OpenCV stay outside."""
    return isinstance(view, Whole) and view.size is None


def kind(reader: Reader) -> str:
    """Return the class name of the run's model."""
    model = reader.model
    return type(model.model if isinstance(model, PerCharacter) else model).__name__


class Prepared(nn.Module):
    """Recogniser with the preprocessing that a graph can do: bytes in, probabilities out."""

    def __init__(self, model: Model, view: View) -> None:
        super().__init__()
        self.model = model
        self.channel = view.channel if takes_image(view) else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return float32 [image, position or time, class] for uint8 [image, (character,) height, width, channel]."""
        return self.model(self._picked(images) / 255).softmax(-1)

    def _picked(self, images: torch.Tensor) -> torch.Tensor:
        """Return the view's channels as float32 [..., channel, height, width].

        Grey is computed from single planes: in onnxruntime, a product over three channels in the last dimension takes
        as long as a whole network.
        """
        if self.channel is None or self.channel == "colour":
            return torch.movedim(images.float(), -1, -3)
        planes = [plane.unsqueeze(-3).float() for plane in images.unbind(-1)]
        if self.channel == "grey":  # exact: products of 8 and 15 bits fit float32's 24 bits
            red, green, blue = (plane * weight for plane, weight in zip(planes, GREY, strict=True))
            return torch.floor(red + green + blue + 0.5)
        return planes[("red", "green", "blue", "alpha").index(self.channel)]


def _without_notes(model: Any) -> bytes:
    """Return the ONNX file without the exporter's notes, which contain folder names of this machine."""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    model.producer_name, model.producer_version = "capbench", version("capbench")
    return model.SerializeToString()
