"""Planes drawn larger or smaller than the picture, brought to its size."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def rescale(scratch, target, width, blocky):
    """Fill `target`, uint8 [channel, height, column] of that width, with the planes, of any height and width.

    With `blocky` each pixel is that of its place. Otherwise a smaller target has the means of the pixels in its place,
    and a larger one mixes the four pixels around it.
    """
    if blocky:
        _pick(scratch, target, width)
    elif target.shape[1] < scratch.planes.shape[1] or width < scratch.width:
        _shrink(scratch, target, width)
    else:
        _enlarge(scratch, target, width)


@njit
def _pick(scratch, target, width):
    source, lefts = scratch.planes, scratch.offsets
    channels, rows, _ = source.shape
    height = target.shape[1]
    for x in range(width):
        lefts[x] = (2 * x + 1) * scratch.width // (2 * width)
    for channel in range(channels):
        for y in range(height):
            line, filled = source[channel, (2 * y + 1) * rows // (2 * height)], target[channel, y]
            for x in range(np.uint64(width)):
                filled[x] = line[np.uint64(lefts[x])]


@njit
def _shrink(scratch, target, width):
    source, lefts, rights = scratch.planes, scratch.offsets, scratch.asides
    sums = scratch.triples[: source.shape[2]]
    channels, rows, _ = source.shape
    height = target.shape[1]
    for x in range(width):
        lefts[x], rights[x] = x * scratch.width // width, -(-(x + 1) * scratch.width // width)
    for channel in range(channels):
        for y in range(height):
            top, bottom = y * rows // height, -(-(y + 1) * rows // height)
            sums[:] = 0
            for row in range(top, bottom):
                _add(source[channel, row], sums)
            filled = target[channel, y]
            for x in range(np.uint64(width)):
                count = np.uint32((rights[x] - lefts[x]) * (bottom - top))
                total = count // np.uint32(2)
                for column in range(np.uint64(lefts[x]), np.uint64(rights[x])):
                    total += np.uint32(sums[column])
                filled[x] = np.uint8(total // count)


@njit
def _add(row, sums):
    """Add the pixels of a row to sums, uint16."""
    for x in range(np.uint64(len(row))):
        sums[x] = np.uint16(sums[x] + np.uint16(row[x]))


@njit
def _enlarge(scratch, target, width):
    source, lefts, parts = scratch.planes, scratch.offsets, scratch.asides
    channels, rows, _ = source.shape
    columns = scratch.width
    for x in range(width):
        lefts[x], parts[x] = _between(x, width, columns)
    line = scratch.errors[: columns + 1]  # two rows mixed; the last pixel stands there twice
    for channel in range(channels):
        for y in range(target.shape[1]):
            top, part = _between(y, target.shape[1], rows)
            _mix(source[channel, top], source[channel, min(top + 1, rows - 1)], np.int32(part), line)
            filled = target[channel, y]
            for x in range(np.uint64(width)):
                left, right_part = np.uint64(lefts[x]), np.int32(parts[x])
                mixed = line[left] * np.int32(256 - right_part) + line[left + np.uint64(1)] * right_part
                filled[x] = np.uint8(np.int32(mixed + 32768) >> np.int32(16))


@njit
def _mix(upper, lower, part, line):
    """Fill a line, int32, with a mean of two rows in which the lower one counts `part` of 256, times 256."""
    for x in range(np.uint64(len(line) - 1)):
        line[x] = np.int32(upper[x]) * np.int32(256 - part) + np.int32(lower[x]) * part
    line[len(line) - 1] = line[len(line) - 2]


@njit(inline="always")
def _between(place, wide, narrow):
    """Return the first of the two pixels around a place, of `narrow` that are enlarged to `wide`, and the other's part.

    The part is in 256ths.
    """
    at = min(max(((2 * place + 1) * narrow * 128) // wide - 128, 0), (narrow - 1) * 256)
    return at >> 8, at & 255
