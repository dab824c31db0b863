"""Last steps over the whole picture: sway and smoothing."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import SWAY, between, draw_picture


@njit
def sway(look, sample, planes):
    """Shift the pixels along a wave: each column up or down, each row to a side."""
    channels, height, width = planes.shape
    share, length, start, _ = draw_picture(sample, SWAY)
    reach = between(look.sway, share)
    turns = 2.0 * math.pi / between(look.period, length)
    start = 2.0 * math.pi * start
    down = np.empty(width, dtype=np.int64)
    for x in range(width):
        down[x] = math.floor(reach * math.cos(start + turns * x) + 0.5)
    for channel in range(channels):
        still = planes[channel].copy()
        for y in range(height):
            aside = math.floor(reach * math.sin(start + turns * y) + 0.5)
            for x in range(width):
                from_y, from_x = min(max(y + down[x], 0), height - 1), min(max(x + aside, 0), width - 1)
                planes[channel, y, x] = still[from_y, from_x]


@njit
def finish(smooth, scratch, picture):
    """Copy the planes, smoothed or not, to a picture, uint8 [height, width, channel]."""
    channels, height, width = scratch.planes.shape
    rows = picture.reshape(height, width * channels)
    for y in range(height):
        for channel in range(channels):
            plane = scratch.planes[channel]
            line = rows[y] if channels == 1 else scratch.lines[channel, :width]
            if smooth and 0 < y < height - 1:
                _smooth(plane[y - 1], plane[y], plane[y + 1], scratch.sums, line)
            else:
                line[:] = plane[y]
        if channels > 1:
            _interleave(scratch.lines[0, :width], scratch.lines[1, :width], scratch.lines[2, :width], rows[y])


@njit
def _smooth(above, here, below, sums, line):
    """Fill `line` with a row smoothed by Pillow's SMOOTH: a 3×3 filter with a weight of 5 in the middle.

    The outermost pixels stay unchanged.
    """
    share, half, four = np.float32(1.0 / 13.0), np.float32(0.5), np.float32(4.0)
    width = len(line)
    for x in range(width):
        sums[x] = np.float32(above[x]) + np.float32(here[x]) + np.float32(below[x])
    line[0], line[width - 1] = here[0], here[width - 1]
    for x in range(1, width - 1):
        whole = sums[x - 1] + sums[x] + sums[x + 1] + four * np.float32(here[x])
        line[x] = np.uint8(whole * share + half)


@njit
def _interleave(red, green, blue, pixels):
    """Fill a row of pixels, uint8 [3 · width], from three rows of channels."""
    for x in range(len(red)):
        pixels[3 * x] = red[x]
        pixels[3 * x + 1] = green[x]
        pixels[3 * x + 2] = blue[x]
