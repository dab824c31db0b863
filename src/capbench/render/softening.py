"""Last changes of drawn pictures: a user's own ingredients, then blur and JPEG artefacts by OpenCV."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from capbench.render.ingredient import Ingredient, add_own
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
    wanted = (rows["blur"]["high"] > 0) | (rows["jpeg"]["high"] > 0) | bool(own)
    for number in np.flatnonzero(np.broadcast_to(wanted, len(indices))).tolist():
        row, picture = rows[number % len(rows)], picture_of(pictures, rows, number)
        add_own(own, seed, int(indices[number]), picture)
        spread, quality, _, _ = draw(seed, int(indices[number]), PICTURE, SOFTENING)
        sigma = between(_range(row["blur"]), spread)
        if sigma > 0:
            picture[...] = cv2.GaussianBlur(picture, (0, 0), sigma).reshape(picture.shape)
        if row["jpeg"]["high"] > 0:
            picture[...] = _compressed(picture, round(between(_range(row["jpeg"]), quality)))


def _range(entry: np.void) -> Range:
    return Range(float(entry["low"]), float(entry["high"]))


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return a picture, uint8 [height, width, channel], after JPEG of that quality."""
    _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    kind = cv2.IMREAD_GRAYSCALE if picture.shape[2] == 1 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(content, kind)).reshape(picture.shape)[..., ::-1]
