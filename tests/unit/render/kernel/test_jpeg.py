"""JPEG artefacts, compared with those of a JPEG file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from capbench.render.kernel.jpeg import compress, room


def drawn(height: int, width: int, channels: int) -> np.ndarray:
    """Return a picture with strokes and a gradient, uint8 [height, width, channel]."""
    chance = np.random.default_rng(height * width)
    picture = np.repeat(np.linspace(255, 180, width).astype(np.uint8)[None, :, None], height, axis=0).repeat(3, axis=2)
    for _ in range(5):
        (x1, x2), (y1, y2) = chance.integers(width, size=2).tolist(), chance.integers(height, size=2).tolist()
        cv2.line(picture, (x1, y1), (x2, y2), chance.integers(200, size=3).tolist(), 3, cv2.LINE_AA)
    return np.ascontiguousarray(picture[..., :channels])


def in_a_file(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return a picture as a JPEG file of that quality holds it."""
    _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    kind = cv2.IMREAD_GRAYSCALE if picture.shape[2] == 1 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(content, kind)).reshape(picture.shape)[..., ::-1]


def compressed(picture: np.ndarray, quality: int, rest: float = np.nan) -> np.ndarray:
    """Return a picture with the artefacts of that quality; `rest` is what the buffer holds before."""
    result = picture.copy()
    compress(quality, result, np.full(room(*picture.shape), rest, dtype=np.float32))
    return result


@pytest.mark.parametrize("quality", [1, 20, 49, 50, 75, 100])
@pytest.mark.parametrize(("height", "width"), [(48, 160), (37, 83)])
@pytest.mark.parametrize("channels", [1, 3])
def test_artefacts_are_those_of_a_jpeg_file(height: int, width: int, channels: int, quality: int) -> None:
    """A file's frequencies lie in whole numbers, so a few of them are rounded to another step."""
    picture = drawn(height, width, channels)
    expected, actual = (
        np.asarray(made, dtype=float) for made in (in_a_file(picture, quality), compressed(picture, quality))
    )
    artefacts = np.abs(expected - picture).mean()
    assert np.abs(actual - expected).mean() < 0.15 * artefacts + 0.6


def test_what_the_buffer_held_does_not_matter() -> None:
    for shape in [(37, 83, 1), (37, 83, 3), (8, 9, 3)]:
        picture = drawn(*shape)
        assert (compressed(picture, 60) == compressed(picture, 60, rest=7.0)).all()


def test_a_picture_of_one_colour_keeps_it() -> None:
    picture = np.full((20, 30, 3), 255, dtype=np.uint8)
    assert (compressed(picture, 75) == picture).all()
