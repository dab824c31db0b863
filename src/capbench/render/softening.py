"""Last changes of drawn pictures: a user's own ingredients, then blur by OpenCV, then JPEG artefacts."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from capbench.render import kernel
from capbench.render.ingredient import Ingredient, add_own
from capbench.render.kernel import jpeg
from capbench.render.kernel.draws import PICTURE, SOFTENING, Range, between, draw
from capbench.render.kernel.scratch import Pictures


def picture_of(pictures: Pictures, rows: np.ndarray, number: int) -> np.ndarray:
    """Return one of the Pictures, uint8 [height, width, channel]; their sizes are those of LOOK [sample or 1]."""
    height, width = rows["height"][number % len(rows)], rows["width"][number % len(rows)]
    start = pictures.starts[number]
    pixels = pictures.pixels[start : start + height * width * pictures.channels]
    return pixels.reshape(height, width, pictures.channels)


def soften(rows: np.ndarray, own: Sequence[Ingredient], seed: int, indices: np.ndarray, pictures: Pictures) -> None:
    """Add a user's own ingredients to the Pictures, and blur and JPEG as LOOK [sample or 1] says, in place."""
    wanted = (rows["blur"]["high"] > 0) | bool(own)
    for number in np.flatnonzero(np.broadcast_to(wanted, len(indices))).tolist():
        row, picture = rows[number % len(rows)], picture_of(pictures, rows, number)
        add_own(own, seed, int(indices[number]), picture)
        spread, _, _, _ = draw(seed, int(indices[number]), PICTURE, SOFTENING)
        sigma = between(_range(row["blur"]), spread)
        if sigma > 0:
            picture[...] = cv2.GaussianBlur(picture, (0, 0), sigma).reshape(picture.shape)
    if (rows["jpeg"]["high"] > 0).any():
        room = jpeg.room(int(rows["height"].max()), int(rows["width"].max()), pictures.channels)
        kernel.compress(rows, seed, indices, pictures, np.empty(room, dtype=np.float32))


def _range(entry: np.void) -> Range:
    return Range(float(entry["low"]), float(entry["high"]))
