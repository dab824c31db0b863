"""Palette of few colours, with or without dithering."""

from __future__ import annotations

import numpy as np
from numba import njit

from capbench.render.kernel.draws import REDUCE, draw_picture, whole_between

PLAIN, ORDERED, DIFFUSED = range(3)  # kinds of dithering

# Order in which the pixels of a 4×4 square change, as a level grows.
SQUARE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])


@njit
def reduce(look, sample, errors, picture):
    """Replace the levels of each channel of a picture, uint8 [height, width, channel], by few levels from 0 to 255.

    `errors` is a buffer, int32 [two rows with two pixels to spare].
    """
    drawn, _, _, _ = draw_picture(sample, REDUCE)
    steps = whole_between(look.palette, drawn) - 1
    if look.dither == DIFFUSED:
        _diffuse(steps, errors, picture)
        return
    height, width, channels = picture.shape
    for y in range(height):
        for x in range(width):
            limit = 2 * SQUARE[y % 4, x % 4] + 1 if look.dither == ORDERED else 16
            for channel in range(channels):
                number = (picture[y, x, channel] * steps * 32 + 255 * limit) // (255 * 32)
                picture[y, x, channel] = np.uint8((255 * number + steps // 2) // steps)


@njit
def _diffuse(steps, errors, picture):
    """Round each level to one of `steps` + 1, and pass the difference on to the pixels to the right and below.

    The shares are those of Floyd and Steinberg.
    """
    height, width, channels = picture.shape
    errors = errors[: 2 * (width + 2) * channels].reshape(2, width + 2, channels)  # 16ths, of this row and of the next
    errors[0] = 0
    for y in range(height):
        here, below = errors[y % 2], errors[1 - y % 2]
        below[:] = 0
        for x in range(width):
            for channel in range(channels):
                wanted = picture[y, x, channel] + ((here[x + 1, channel] + 8) >> 4)
                number = min(max((wanted * steps + 127) // 255, 0), steps)
                level = (255 * number + steps // 2) // steps
                picture[y, x, channel] = np.uint8(level)
                error = wanted - level
                here[x + 2, channel] += 7 * error
                below[x, channel] += 3 * error
                below[x + 1, channel] += 5 * error
                below[x + 2, channel] += error
