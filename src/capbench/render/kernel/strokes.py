"""Pen that draws straight pieces and dots."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit


class Pen(NamedTuple):
    """What draws an item of noise."""

    planes: np.ndarray
    levels: np.ndarray  # float64 [channel], its colour as the planes have it
    size: float  # width of a stroke or diameter of a dot in pixels
    hard: bool  # no half-tones at edges


@njit
def draw_line(pen, x1, y1, x2, y2):
    """Draw a straight piece between two points.

    Below a size of 1.5 it is one pixel thick without half-tones, as Pillow draws it; otherwise it has soft edges.
    """
    if pen.size >= 1.5:
        draw_capsule(pen, x1, y1, x2, y2)
        return
    planes, levels = pen.planes, pen.levels
    steps = int(max(abs(math.floor(x2 + 0.5) - math.floor(x1 + 0.5)), abs(math.floor(y2 + 0.5) - math.floor(y1 + 0.5))))
    for step in range(steps + 1):
        part = step / max(steps, 1)
        x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
        draw_dot(planes, levels, math.floor(x + 0.5), math.floor(y + 0.5), 1.0)


@njit
def draw_capsule(pen, x1, y1, x2, y2):
    """Draw all points within half of the pen's size of a straight piece; a piece without length makes a dot."""
    planes, levels = pen.planes, pen.levels
    _, height, width = planes.shape
    half = pen.size / 2
    along_x, along_y = x2 - x1, y2 - y1
    length = along_x * along_x + along_y * along_y
    for y in range(max(0, math.floor(min(y1, y2) - half - 1)), min(height, math.ceil(max(y1, y2) + half + 1))):
        for x in range(max(0, math.floor(min(x1, x2) - half - 1)), min(width, math.ceil(max(x1, x2) + half + 1))):
            off_x, off_y = x + 0.5 - x1, y + 0.5 - y1
            part = 0.0
            if length > 0:
                part = min(1.0, max(0.0, (off_x * along_x + off_y * along_y) / length))
            off_x -= part * along_x
            off_y -= part * along_y
            coverage = half + 0.5 - math.sqrt(off_x * off_x + off_y * off_y)
            if pen.hard:
                coverage = 1.0 if coverage >= 0.5 else 0.0
            if coverage > 0:
                draw_dot(planes, levels, x, y, min(1.0, coverage))


@njit(inline="always")
def draw_dot(planes, levels, x, y, coverage):
    """Blend one pixel with a colour at a coverage from 0 to 1; a place outside the picture is ignored."""
    channels, height, width = planes.shape
    if not (0 <= x < width and 0 <= y < height):
        return
    for channel in range(channels):
        old = float(planes[channel, y, x])
        planes[channel, y, x] = np.uint8(old + (levels[channel] - old) * coverage + 0.5)
