"""Images, and their readings without a server."""

from __future__ import annotations

from typing import Any

import cv2
import hydra
import numpy as np

from capbench import images
from capbench.export.graph import Graph, Read
from capbench.render.painter import Painter
from capbench.settings import build, conf_dir, plain

GOOD = 240  # different images


def known(graph: Graph) -> tuple[list[bytes], list[Read]]:
    """Return image files, and the graph's readings of them in this process."""
    *_, height, width, _ = graph.described.input
    painter = Painter(build(style()), graph.alphabet, 4, 4, seed=1)
    files = []
    for number, drawn in enumerate(painter.pictures(np.arange(GOOD))):
        pixels = cv2.cvtColor(cv2.resize(drawn, (width, height)), cv2.COLOR_RGB2BGR)
        files.append(cv2.imencode((".png", ".jpg", ".bmp")[number % 3], pixels)[1].tobytes())
    return files, graph.read([images.decode(file, graph.exif) for file in files])


def style() -> dict[str, Any]:
    """Return the settings of the default style."""
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plain(hydra.compose("train"))["style"]


def same(told: dict[str, Any], read: Read | None) -> bool:
    """Return whether a server's entry for an image equals the reading without a server, except for rounding."""
    if read is None:
        return told["error"] is not None
    (reading,) = told["readings"]
    sure = [reading["confidence"], *(one["confidence"] for one in reading["characters"])]
    expected = [read.confidence, *(one.confidence for one in read.characters)]
    return reading["text"] == read.text and np.allclose(sure, expected, atol=1e-4)
