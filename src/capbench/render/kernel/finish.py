"""Last steps over the whole picture: sway and smoothing."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import SWAY, between, draw_picture
from capbench.render.kernel.geometry import Clip, overlap
from capbench.render.kernel.mask import copy


@njit
def sway(look, sample, plain, scratch):
    """Shift the pixels along a wave: each column up or down, each row to a side.

    Where the background is `plain`, of one colour, only what lies on it is shifted.
    """
    planes, offsets = scratch.planes, scratch.offsets
    share, length, start, _ = draw_picture(sample, SWAY)
    reach = between(look.sway, share)
    turn = 2.0 * math.pi / between(look.period, length)
    start = 2.0 * math.pi * start
    far = math.floor(reach + 0.5)
    channels, height, _ = planes.shape
    stride = scratch.width + 2 * far
    still = scratch.spare[: (height + 2 * far) * stride]
    whole = Clip(0, 0, scratch.width, height)
    box = whole
    if plain:
        drawn = _drawn_on(planes, scratch.width, scratch.rolls)
        box = overlap(Clip(drawn.left - far, drawn.top - far, drawn.right + far, drawn.bottom + far), whole)
    _shifts(reach, start + turn * box.left, turn, offsets[box.left : box.right])
    for x in range(box.left, box.right):
        offsets[x] = offsets[x] * stride + x + far
    down, asides = offsets, scratch.asides
    _shifts(reach, start + turn * box.top - math.pi / 2, turn, asides[box.top : box.bottom])
    for channel in range(channels):
        _hold_still(planes[channel], far, box, scratch.width, still.reshape(height + 2 * far, stride))
        for y in range(box.top, box.bottom):
            first = (y + far) * stride + asides[y]
            for x in range(np.uint64(box.left), np.uint64(box.right)):
                planes[channel, np.uint64(y), x] = still[np.uint64(first + down[x])]


@njit
def _shifts(reach, start, turn, shifts):
    """Fill `shifts` with a cosine of that reach in whole pixels, from an angle on, in steps of `turn`."""
    cos, sin, turn_cos, turn_sin = math.cos(start), math.sin(start), math.cos(turn), math.sin(turn)
    for place in range(len(shifts)):
        shifts[place] = math.floor(reach * cos + 0.5)
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin


@njit
def _drawn_on(planes, width, used):
    """Return the smallest Clip outside of which a background of one colour is as it was filled; `used` is a buffer."""
    channels, height, columns = planes.shape
    top, bottom = height, 0
    used[:] = 0
    for channel in range(channels):
        ground = planes[channel, 0, columns - 1]  # nothing is drawn beyond the width
        for y in range(height):
            here = np.uint8(0)
            for x in range(np.uint64(columns)):
                other = planes[channel, np.uint64(y), x] ^ ground
                here |= other
                used[x] |= np.uint32(other)
            if here != 0:
                top, bottom = min(top, y), max(bottom, y + 1)
    left, right = 0, width
    while left < right and used[left] == 0:
        left += 1
    while right > left and used[right - 1] == 0:
        right -= 1
    return Clip(left, min(top, bottom), right, bottom)


@njit
def _hold_still(plane, far, box, width, still):
    """Copy the rows that a Clip may take pixels from, with their outermost pixels repeated `far` times around them."""
    for y in range(box.top - far, box.bottom + far):
        row, source = still[y + far], plane[min(max(y, 0), len(plane) - 1)]
        row[:far] = source[0]
        copy(source, row[far:], width)
        row[far + width :] = source[width - 1]


@njit
def finish(smooth, planes, width, scratch, picture):
    """Copy planes of that width, smoothed or not, to a picture, uint8 [height, width, channel]."""
    channels, height, columns = planes.shape
    rows, lines, triples = picture.reshape(height, width * channels), scratch.lines, scratch.triples[:columns]
    for y in range(height):
        smoothed = smooth and 0 < y < height - 1
        if smoothed:
            for channel in range(channels):
                plane = planes[channel]
                _add_up(plane[y - 1], plane[y], plane[y + 1], triples)
                _smooth(plane[y], triples, width, lines[channel])
        if channels > 1:
            if smoothed:
                _interleave(lines[0], lines[1], lines[2], rows[y])
            else:
                _interleave(planes[0, y], planes[1, y], planes[2, y], rows[y])
        elif smoothed:
            copy(lines[0], rows[y], width)
        else:
            copy(planes[0, y], rows[y], width)


@njit
def _add_up(above, here, below, triples):
    """Fill `triples` with the sums of three pixels above each other."""
    for x in range(np.uint64(len(here))):
        triples[x] = np.uint16(np.uint16(above[x]) + np.uint16(here[x])) + np.uint16(below[x])


@njit
def _smooth(here, triples, width, line):
    """Fill `line` with a row smoothed by Pillow's SMOOTH: a 3×3 filter with a weight of 5 in the middle.

    The outermost pixels stay unchanged. The sum, up to 13 · 255, is divided by 13 and rounded in 16 bits.
    """
    one = np.uint64(1)
    for x in range(one, np.uint64(len(here)) - one):
        whole = np.uint16(triples[x - one] + triples[x] + triples[x + one] + np.uint16(4 * np.uint16(here[x])))
        line[x] = np.uint8(
            np.uint16((np.uint32(np.uint16(2 * whole + 13)) * np.uint32(20165)) >> np.uint32(16)) >> np.uint16(3)
        )
    line[0], line[width - 1] = here[0], here[width - 1]


@njit
def _interleave(red, green, blue, pixels):
    """Fill a row of pixels, uint8 [3 · width], from three rows of channels."""
    for x in range(len(pixels) // 3):
        pixels[3 * x] = red[x]
        pixels[3 * x + 1] = green[x]
        pixels[3 * x + 2] = blue[x]
