"""Int8 quantisation of an exported graph."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from capbench.export.description import IMAGES
from capbench.utils.extras import needed

BATCH = 16  # images
LAYERS = ["Conv", "Gemm", "MatMul"]  # where the weights and nearly all the work are


class Shown:
    """Batches of images, as onnxruntime asks for them."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.batches = iter([images[start : start + BATCH] for start in range(0, len(images), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {IMAGES: np.stack(batch)}


def int8(content: bytes, images: Sequence[np.ndarray]) -> bytes:
    """The graph with these layers on eight bits, their ranges learned from images as it takes them.

    Weights keep seven bits, a scale for each channel: on processors without instructions of their own for it, sums of
    products of eight bits overflow.
    """
    onnx, quantization = needed("onnx", "export"), needed("onnxruntime.quantization", "export")
    preparation = needed("onnxruntime.quantization.shape_inference", "export")

    with tempfile.TemporaryDirectory(prefix="capbench-") as name:
        folder = Path(name)
        (folder / "whole.onnx").write_bytes(content)
        preparation.quant_pre_process(str(folder / "whole.onnx"), str(folder / "plain.onnx"), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(folder / "plain.onnx"),
            str(folder / "int8.onnx"),
            Shown(images),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=LAYERS,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},  # what multiplies two results has no weights
        )
        model = onnx.load(folder / "int8.onnx")
    used = {node.domain for node in model.graph.node}
    kept = [domain for domain in model.opset_import if domain.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model.SerializeToString()
