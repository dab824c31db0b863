"""Int8 quantisation of an exported graph."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from capbench.export.description import IMAGES
from capbench.utils.extras import needed

BATCH = 16  # images of one calibration batch
LAYERS = ["Conv", "Gemm", "MatMul"]  # operators with the weights and nearly all the work


class Shown:
    """Calibration data reader for onnxruntime: batches of images."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.batches = iter([images[start : start + BATCH] for start in range(0, len(images), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch as the graph's input, or None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {IMAGES: np.stack(batch)}


def int8(content: bytes, images: Sequence[np.ndarray]) -> bytes:
    """Return an ONNX graph with its layers quantised to int8, with activation ranges calibrated on `images`.

    Weights use seven bits, with a scale for each channel: on processors without instructions for int8, sums of
    eight-bit products overflow.
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
            extra_options={"MatMulConstBOnly": True},  # a product of two activations has no weights
        )
        model = onnx.load(folder / "int8.onnx")
    used = {node.domain for node in model.graph.node}
    kept = [domain for domain in model.opset_import if domain.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model.SerializeToString()
