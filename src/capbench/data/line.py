"""View of any image as one line of text: found, brought to one height, and levelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal

import cv2
import numpy as np

from capbench.data.views import Size, View, pick, resize

MOST_HEIGHT = 4  # times the height of the view, to which a larger image is shrunk before the text is looked for
LEAST_EDGE = 10  # difference of neighbouring pixels that may be an edge of a character, of 255
LEAST_STRENGTH = 8  # difference from the background below which nothing is made stronger, of 255
MOST_OF_HEIGHT = 0.75  # share of the rows; text that needs more keeps them all
SAMPLED = 3  # every third row and column is looked at for the background
NEAREST = 0.6  # share of the pixels that the background is fitted to
SINGLE = np.eye(3, dtype=np.float32)  # added to the sums of a fit, since a single row or column has no slope
FITS = 3  # times that it is fitted
BACKGROUND = 128  # level of the background in a view
INK = 96  # difference of the text from the background in a view


@dataclass(frozen=True, kw_only=True)
class Line(View):
    """One line of text, found in an image of any size, brought to one height and levelled.

    Margins without edges are cut off. The aspect ratio is kept, but a line that is too wide for `size`, [height, width]
    in pixels, loses the gaps between its characters, and is squeezed where that is not enough. The background becomes mid-grey, also where it is a gradient, the text becomes darker than it, and
    low contrast is raised.
    """

    channel: Literal["grey", "colour"]
    size: Size

    cuts = False

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        height, width = self.size
        pixels = _shrunk(pick(image, self.channel), MOST_HEIGHT * height)
        rows, columns = text_rows_and_columns(pixels, width / height)
        found = pixels[rows][:, columns]
        wide = min(width, max(1, round(found.shape[1] * height / found.shape[0])))
        view = np.full((height, width, pixels.shape[2]), BACKGROUND, dtype=np.uint8)
        start = (width - wide) // 2
        view[:, start : start + wide] = levelled(resize(found, height, wide, "stretch"))
        return view


def _shrunk(pixels: np.ndarray, height: int) -> np.ndarray:
    """Return an image, [height, width, channel], that is at most `height` pixels high."""
    rows, columns = pixels.shape[:2]
    return pixels if rows <= height else resize(pixels, height, max(1, round(columns * height / rows)), "stretch")


def text_rows_and_columns(pixels: np.ndarray, most: float) -> tuple[slice, slice | np.ndarray]:
    """Return the rows and the columns of a text in an image, uint8 [height, width, channel].

    They are where upright edges are. Lines that cross an image have few, so that rows with such lines alone are no text.
    Rows are kept whole where edges are nearly everywhere. Where a text is wider than `most` times its height, gaps
    between its characters are cut, too.
    """
    height, width = pixels.shape[:2]
    if width < 2:
        return slice(height), slice(width)
    steps = _largest(cv2.absdiff(pixels[:, 1:], pixels[:, :-1]))
    edges = cv2.threshold(steps, max(LEAST_EDGE, _quantile(_counts(steps), 0.98) // 4), 1, cv2.THRESH_BINARY)[1]
    across = cv2.blur(cv2.reduce(edges, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F), (1, 1 + height // 16)).ravel()
    low = float(np.partition(across, height // 10)[height // 10])
    inked = np.flatnonzero(across > low + 0.2 * (float(across.max()) - low))
    top, bottom = (int(inked[0]), int(inked[-1]) + 1) if len(inked) else (0, height)
    room = 1 + (bottom - top) // 5
    top, bottom = max(0, top - room), min(height, bottom + room)
    if bottom - top > MOST_OF_HEIGHT * height:
        top, bottom = 0, height
    return slice(top, bottom), _columns(edges[top:bottom], width, most)


def _columns(edges: np.ndarray, width: int, most: float) -> slice | np.ndarray:
    """Return the columns that hold text, from the edges in its rows, uint8 [height, width - 1]."""
    height = len(edges)
    counts = cv2.reduce(edges, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
    counts = cv2.blur(counts, (1 + height // 2, 1)).ravel()
    room = np.ones((1, 2 * (1 + height // 8) + 1), np.uint8)
    inked = np.zeros((1, width), np.uint8)
    inked[0, :-1] = counts > 0.1 * float(counts.max())
    numbers = np.flatnonzero(cv2.dilate(inked, room))
    if not len(numbers):
        return slice(width)
    first, last = int(numbers[0]), int(numbers[-1]) + 1
    return numbers if last - first > most * height else slice(first, last)


def levelled(pixels: np.ndarray) -> np.ndarray:
    """Return an image, uint8 [height, width, channel], with mid-grey background and dark text of full contrast."""
    plane = background(pixels)
    apart = _largest(cv2.absdiff(pixels.astype(np.float32), plane).astype(np.uint8))
    strength = _quantile(_counts(apart), 0.95)
    gain = INK / max(strength, LEAST_STRENGTH)
    view = cv2.addWeighted(pixels, gain, plane, -gain, BACKGROUND, dtype=cv2.CV_8U)
    if view.mean() > BACKGROUND:  # the text is lighter than its background
        view = cv2.addWeighted(pixels, -gain, plane, gain, BACKGROUND, dtype=cv2.CV_8U)
    return view.reshape(pixels.shape)


def background(pixels: np.ndarray) -> np.ndarray:
    """Return the plane that the background of an image, uint8 [height, width, channel], lies on, float32 of that shape.

    It is fitted to the pixels that are nearest to it, beginning with the median: a gradient takes part, text does not.
    """
    height, width, channels = pixels.shape
    at = _places(height, width)
    some = pixels[::SAMPLED, ::SAMPLED].reshape(-1, channels).T.astype(np.float32, order="C")
    both = np.concatenate([at, some])
    pixel_count = some.shape[1]
    nearest = max(1, int(NEAREST * pixel_count))
    level = np.float32(1e-3 * nearest) * SINGLE
    plane = np.zeros((3, channels), dtype=np.float32)
    plane[0] = np.partition(some, pixel_count // 2)[:, pixel_count // 2]
    for _ in range(FITS):
        apart = np.abs(some - plane.T @ at).max(0)
        near = apart <= np.partition(apart, nearest - 1)[nearest - 1]
        sums = (at * near) @ both.T  # products of places with places, [3, 3], and of places with levels, [3, channel]
        of_places = sums[:, :3]
        plane += cv2.solve(of_places + level, sums[:, 3:] - of_places @ plane, flags=cv2.DECOMP_CHOLESKY)[1]
    middle = plane[0] + _along(width)[:, None] * plane[2]  # of the row in the middle, [width, channel]
    slopes = np.tile(plane[1], width)
    return (middle.ravel() + _along(height)[:, None] * slopes).reshape(height, width, channels)


@lru_cache(maxsize=512)
def _places(height: int, width: int) -> np.ndarray:
    """Return 1, the row and the column of each pixel that is looked at for the background, float32 [3, pixel]."""
    down, across = np.meshgrid(_along(height)[::SAMPLED], _along(width)[::SAMPLED], indexing="ij")
    return np.stack([np.ones_like(down), down, across]).reshape(3, -1)


@lru_cache(maxsize=512)
def _along(length: int) -> np.ndarray:
    """Return the places of rows or columns, float32 from -1 to 1."""
    return np.linspace(-1, 1, length, dtype=np.float32)


def _largest(pixels: np.ndarray) -> np.ndarray:
    """Return the largest value of the channels, uint8 [height, width, channel] to [height, width]."""
    return reduce(cv2.max, cv2.split(pixels))


def _counts(pixels: np.ndarray) -> np.ndarray:
    """Return how many pixels, uint8 [height, width], have each level."""
    return cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel()


def _quantile(counts: np.ndarray, share: float) -> int:
    """Return the lowest level that at least `share` of the pixels are not above."""
    below = counts.cumsum()
    return int(below.searchsorted(share * below[-1]))
