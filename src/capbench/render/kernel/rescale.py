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
    lefts, parts = np.empty(width, dtype=np.int32), np.empty(width, dtype=np.int32)
    for x in range(width):
        lefts[x], parts[x] = _between(x, width, columns)
    line = np.empty(columns + 1, dtype=np.int32)  # two rows mixed; the last pixel stands there twice
    for channel in range(channels):
        for y in range(height):
            top, part = _between(y, height, rows)
            upper, lower = source[channel, top], source[channel, min(top + 1, rows - 1)]
            for x in range(columns):
                line[x] = upper[x] * (256 - part) + lower[x] * part
            line[columns] = line[columns - 1]
            filled = target[channel, y]
            for x in range(width):
                left = lefts[x]
                filled[x] = np.uint8((line[left] * (256 - parts[x]) + line[left + 1] * parts[x] + 32768) >> 16)


@njit(inline="always")
def _between(place, wide, narrow):
    """Return the first of the two pixels around a place, of `narrow` that are enlarged to `wide`, and the other's part.

    The part is in 256ths.
    """
    at = min(max(((2 * place + 1) * narrow * 128) // wide - 128, 0), (narrow - 1) * 256)
    return at >> 8, at & 255
