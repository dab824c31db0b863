"""Planes drawn larger or smaller than the picture, brought to its size."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def rescale(source, target, blocky):
    """Fill `target`, uint8 [channel, height, width], with `source`, of any height and width.

    With `blocky` each pixel is that of its place. Otherwise a smaller target has the means of the pixels in its place,
    and a larger one mixes the four pixels around it.
    """
    _, rows, columns = source.shape
    _, height, width = target.shape
    if blocky:
        _pick(source, target)
    elif height < rows or width < columns:
        _shrink(source, target)
    else:
        _enlarge(source, target)


@njit
def _pick(source, target):
    channels, rows, columns = source.shape
    _, height, width = target.shape
    for channel in range(channels):
        for y in range(height):
            line = source[channel, (2 * y + 1) * rows // (2 * height)]
            for x in range(width):
                target[channel, y, x] = line[(2 * x + 1) * columns // (2 * width)]


@njit
def _shrink(source, target):
    channels, rows, columns = source.shape
    _, height, width = target.shape
    for y in range(height):
        top, bottom = y * rows // height, -(-(y + 1) * rows // height)
        for x in range(width):
            left, right = x * columns // width, -(-(x + 1) * columns // width)
            count = (bottom - top) * (right - left)
            for channel in range(channels):
                total = count // 2
                for row in range(top, bottom):
                    for column in range(left, right):
                        total += source[channel, row, column]
                target[channel, y, x] = np.uint8(total // count)


@njit
def _enlarge(source, target):
    channels, rows, columns = source.shape
    _, height, width = target.shape
    for y in range(height):
        top, below, low_part = _between(y, height, rows)
        for x in range(width):
            left, right, right_part = _between(x, width, columns)
            for channel in range(channels):
                plane = source[channel]
                upper = plane[top, left] * (256 - right_part) + plane[top, right] * right_part
                lower = plane[below, left] * (256 - right_part) + plane[below, right] * right_part
                target[channel, y, x] = np.uint8((upper * (256 - low_part) + lower * low_part + 32768) >> 16)


@njit(inline="always")
def _between(place, wide, narrow):
    """Return the two pixels around a place, of `narrow` that are enlarged to `wide`, and the second's part in 256ths."""
    at = min(max(((2 * place + 1) * narrow * 128) // wide - 128, 0), (narrow - 1) * 256)
    before = at >> 8
    return before, min(before + 1, narrow - 1), at & 255
