"""Texture of a background: stripes, checks, a mesh or clouds."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import TEXTURE, TEXTURE_TURN, between, draw_picture, scramble

NO_TEXTURE, STRIPES, CHECKS, MESH, CLOUDS = range(5)  # kinds of texture
LATTICE = 4096  # columns of the lattice of clouds, more than any picture is wide


@njit
def add_texture(look, sample, planes):
    """Shift each pixel of the planes by the texture, all its channels alike."""
    salt, long, deep, moved = draw_picture(sample, TEXTURE)
    turned, _, _, _ = draw_picture(sample, TEXTURE_TURN)
    period, depth = max(2.0, between(look.texture_period, long)), between(look.texture_depth, deep)
    angle = math.pi * turned
    across, down = math.cos(angle) / period, math.sin(angle) / period
    channels, height, width = planes.shape
    for y in range(height):
        for x in range(width):
            if look.texture == STRIPES:
                value = _slope(x * across + y * down + moved)
            elif look.texture == CHECKS:
                value = float((int(x / period) + int(y / period)) % 2)
            elif look.texture == MESH:
                value = 1.0 if x % int(period) == 0 or y % int(period) == 0 else 0.0
            else:
                value = _cloud(salt, x / period, y / period)
            shift = (2.0 * value - 1.0) * depth
            for channel in range(channels):
                planes[channel, y, x] = np.uint8(min(255.0, max(0.0, planes[channel, y, x] + shift + 0.5)))


@njit(inline="always")
def _slope(at):
    """Return a wave of straight lines between 0 and 1 whose period is 1."""
    return abs(2.0 * (at - math.floor(at)) - 1.0)


@njit(inline="always")
def _cloud(salt, x, y):
    """Return random numbers of the whole places, 0 to 1, mixed at a place between four of them."""
    left, top = int(x), int(y)
    right, below = x - left, y - top
    upper = _mixed(scramble(salt, top * LATTICE + left), scramble(salt, top * LATTICE + left + 1), right)
    lower = _mixed(scramble(salt, (top + 1) * LATTICE + left), scramble(salt, (top + 1) * LATTICE + left + 1), right)
    return _mixed(upper, lower, below)


@njit(inline="always")
def _mixed(one, two, part):
    """Return the number that lies at `part`, 0 to 1, of the way from one to the other."""
    return one + (two - one) * part
