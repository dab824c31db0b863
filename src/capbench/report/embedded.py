"""Pictures embedded in a single-file page."""

from __future__ import annotations

import base64
from typing import Literal

import cv2
import numpy as np


def data_uri(picture: np.ndarray, kind: Literal["png", "webp"] = "png") -> str:
    """Return a picture, uint8 [height, width, 3], as a data URI; WebP is lossy and much smaller than PNG."""
    options = [cv2.IMWRITE_WEBP_QUALITY, 75] if kind == "webp" else []
    _, content = cv2.imencode(f".{kind}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return f"data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}"
