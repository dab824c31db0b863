"""Pens that draw dots and curves."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.atlas import Outline
from capbench.render.kernel.filling import fill_soft
from capbench.render.kernel.geometry import clip_of, is_empty
from capbench.render.kernel.mask import blend, clear, harden

CAP = 3  # points of the round end of a stroke, between its corners


class Pen(NamedTuple):
    """What draws an item of noise."""

    planes: np.ndarray
    width: int  # of the picture
    levels: np.ndarray  # float64 [channel], its colour as the planes have it
    size: float  # width of a stroke or diameter of a dot in pixels
    hard: bool  # no half-tones at edges


@njit
def draw_trail(pen, count, scratch):
    """Draw a curve through the first `count` points of the trail.

    Below a size of 1.5 it is one pixel thick without half-tones, as Pillow draws it; otherwise it has soft edges.
    """
    trail = scratch.trail
    if pen.size < 1.5:
        for point in range(count - 1):
            _draw_thin(pen, trail[0, point], trail[1, point], trail[0, point + 1], trail[1, point + 1])
        return
    outline = _widened(pen.size / 2, count, scratch)
    clip = clip_of(outline, scratch.planes.shape[1], scratch.width)
    if is_empty(clip):
        return
    fill_soft(outline, clip, scratch.area, scratch.sums, scratch.mask)
    if pen.hard:
        harden(clip, scratch.mask)
    blend(scratch.planes, scratch.levels, 255, clip, scratch.mask)
    clear(clip, scratch.mask)


@njit
def _draw_thin(pen, x1, y1, x2, y2):
    """Draw a straight piece, one pixel thick."""
    steps = int(max(abs(math.floor(x2 + 0.5) - math.floor(x1 + 0.5)), abs(math.floor(y2 + 0.5) - math.floor(y1 + 0.5))))
    step_x, step_y = (x2 - x1) / max(steps, 1), (y2 - y1) / max(steps, 1)
    for step in range(steps + 1):
        set_pixel(pen, math.floor(x1 + step_x * step + 0.5), math.floor(y1 + step_y * step + 0.5))


@njit(inline="always")
def set_pixel(pen, x, y):
    """Give one pixel the pen's colour; a place outside the picture is ignored."""
    channels, height, _ = pen.planes.shape
    if 0 <= x < pen.width and 0 <= y < height:
        for channel in range(channels):
            pen.planes[channel, np.uint64(y), np.uint64(x)] = np.uint8(pen.levels[channel] + 0.5)


@njit
def draw_disc(pen, x, y):
    """Draw a round dot."""
    planes, levels, half = pen.planes, pen.levels, pen.size / 2
    channels, height, _ = planes.shape
    reach = half if pen.hard else half + 0.5
    for row in range(max(0, math.ceil(y - reach - 0.5)), min(height, math.floor(y + reach - 0.5) + 1)):
        down = (row + 0.5 - y) ** 2
        chord = math.sqrt(max(0.0, reach * reach - down))
        for column in range(max(0, math.ceil(x - chord - 0.5)), min(pen.width, math.floor(x + chord - 0.5) + 1)):
            covered = 1.0 if pen.hard else min(1.0, half + 0.5 - math.sqrt((column + 0.5 - x) ** 2 + down))
            for channel in range(channels):
                old = float(planes[channel, row, column])
                planes[channel, row, column] = np.uint8(old + (levels[channel] - old) * covered + 0.5)


@njit
def _widened(half, count, scratch):
    """Return the outline of a stroke with round ends that lies `half` pixels to both sides of the trail."""
    trail, placed, contours = scratch.trail, scratch.placed, scratch.contours
    total = 2 * (count + CAP) + 1
    for point in range(count):
        before, after = max(point - 1, 0), min(point + 1, count - 1)
        along_x, along_y = trail[0, after] - trail[0, before], trail[1, after] - trail[1, before]
        length = math.sqrt(along_x * along_x + along_y * along_y)
        along_x, along_y = (along_x * half / length, along_y * half / length) if length > 0 else (half, 0.0)
        x, y = trail[0, point], trail[1, point]
        _place(placed, point, x + along_y, y - along_x)
        _place(placed, 2 * count + CAP - 1 - point, x - along_y, y + along_x)
        if point == count - 1:
            _cap(placed, count, x, y, along_x, along_y)
        if point == 0:
            _cap(placed, 2 * count + CAP, x, y, -along_x, -along_y)
    _place(placed, total - 1, placed[0, 0], placed[1, 0])
    contours[0], contours[1] = 0, total
    return Outline(placed[0][:total], placed[1][:total], contours)


@njit
def _cap(placed, place, x, y, along_x, along_y):
    """Add the points of a round end, from the corner left of the direction to the one right of it."""
    turn = math.sqrt(0.5)
    _place(placed, place, x + (along_x + along_y) * turn, y + (along_y - along_x) * turn)
    _place(placed, place + 1, x + along_x, y + along_y)
    _place(placed, place + 2, x + (along_x - along_y) * turn, y + (along_y + along_x) * turn)


@njit(inline="always")
def _place(placed, point, x, y):
    """Set a point of the outline being drawn."""
    placed[0, point], placed[1, point] = x, y
