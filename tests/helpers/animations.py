"""Animated image files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

KINDS: dict[str, dict[str, Any]] = {"GIF": {}, "PNG": {"default_image": False}, "WEBP": {"lossless": True}}
"""Formats of animations, and how Pillow writes them without a loss; colours of a GIF may be changed."""


def animation(frames: Sequence[np.ndarray], kind: str = "PNG") -> bytes:
    """Return a file of these frames, each uint8 [height, width, 3]."""
    first, *others = map(Image.fromarray, frames)
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others, duration=100, **KINDS[kind])
    return file.getvalue()


def halves(picture: np.ndarray) -> bytes:
    """Return an animation that shows the left half of a picture, then the right half, each beside white."""
    middle = picture.shape[1] // 2
    left, right = picture.copy(), picture.copy()
    left[:, middle:], right[:, :middle] = 255, 255
    return animation([left, right])
