"""Distortion of a picture: bend, perspective and swirl."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import DISTORT, between, draw_picture
from capbench.render.kernel.mask import copy

TURNS = 512  # steps of a swirl from its edge to its middle


@njit
def distort(look, sample, scratch):
    """Move the pixels of the planes.

    Each pixel shows the point of the undistorted picture that perspective, bend and swirl, in this order, bring to it.
    Points beyond an edge repeat it.
    """
    bent, tapered, swirled, _ = draw_picture(sample, DISTORT)
    bend, taper = between(look.bend, bent), between(look.taper, tapered)
    swirl = math.radians(between(look.swirl, swirled))
    planes, width, turns = scratch.planes, scratch.width, scratch.turns
    height = planes.shape[1]
    before = scratch.spare[: planes.size].reshape(planes.shape)
    flat = planes.reshape(planes.size)
    copy(flat, before.reshape(planes.size), planes.size)
    for turn in range(TURNS + 1):
        turns[turn, 0], turns[turn, 1] = math.cos(swirl * turn / TURNS), math.sin(swirl * turn / TURNS)
    for y in range(height):
        for x in range(width):
            across, down = x + 0.5 - width / 2, y + 0.5 - height / 2
            if swirl != 0.0:
                far = math.sqrt(across * across + down * down) / (width / 2)
                turn = int(max(0.0, 1.0 - far) * TURNS)
                cos, sin = turns[turn, 0], turns[turn, 1]
                across, down = cos * across - sin * down, sin * across + cos * down
            aside = 2.0 * across / width
            down = (down + bend * height * (aside * aside - 1.0 / 3.0)) * (1.0 + taper * aside)
            _show(before, width, across + width / 2 - 0.5, down + height / 2 - 0.5, planes, y, x)


@njit(inline="always")
def _show(before, width, x, y, planes, to_y, to_x):
    """Fill a pixel of the planes with the mean of the four pixels around a point of `before`, in 256ths of a pixel."""
    channels, height, _ = before.shape
    u = math.floor(min(max(x, 0.0), width - 1.0) * 256.0 + 0.5)
    v = math.floor(min(max(y, 0.0), height - 1.0) * 256.0 + 0.5)
    left, top, right_part, low_part = u >> 8, v >> 8, u & 255, v & 255
    right, below = min(left + 1, width - 1), min(top + 1, height - 1)
    for channel in range(channels):
        plane = before[channel]
        upper = plane[top, left] * (256 - right_part) + plane[top, right] * right_part
        lower = plane[below, left] * (256 - right_part) + plane[below, right] * right_part
        planes[channel, to_y, to_x] = np.uint8((upper * (256 - low_part) + lower * low_part + 32768) >> 16)
