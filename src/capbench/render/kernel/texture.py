"""Texture of a background: stripes, checks, a mesh or clouds."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import TEXTURE, TEXTURE_TURN, between, draw_picture, scramble

NO_TEXTURE, STRIPES, CHECKS, MESH, CLOUDS = range(5)  # kinds of texture
LATTICE = 4096  # columns of the lattice of clouds, more than any picture is wide


@njit
def add_texture(look, sample, scratch):
    """Shift each pixel of the planes by the texture, all its channels alike."""
    planes, values = scratch.planes, scratch.sums
    salt, long, deep, moved = draw_picture(sample, TEXTURE)
    turned, _, _, _ = draw_picture(sample, TEXTURE_TURN)
    period, depth = max(2.0, between(look.texture_period, long)), np.float32(between(look.texture_depth, deep))
    angle = math.pi * turned
    for y in range(planes.shape[1]):
        if look.texture == STRIPES:
            _stripe(math.cos(angle) / period, y * math.sin(angle) / period + moved, values)
        elif look.texture == CHECKS:
            _check(period, int(y / period), values)
        elif look.texture == MESH:
            _mesh(int(period), y, values)
        else:
            _cloud(salt, period, y, scratch.trail[0], values)
        for channel in range(len(planes)):
            _shift(planes[channel, y], values, depth)


@njit
def _shift(row, values, depth):
    """Shift the pixels of a row by -depth to depth at values from 0 to 1."""
    one, two, half = np.float32(1.0), np.float32(2.0), np.float32(0.5)
    least, most = np.float32(0.0), np.float32(255.0)
    for x in range(np.uint64(len(row))):
        row[x] = np.uint8(min(most, max(least, np.float32(row[x]) + (two * values[x] - one) * depth + half)))


@njit
def _stripe(step, start, values):
    """Fill a row with a wave of straight lines whose period is 1, in steps from a start on."""
    step, start = np.float32(step), np.float32(start - math.floor(start))
    one, two = np.float32(1.0), np.float32(2.0)
    for x in range(np.int32(len(values))):
        at = start + step * np.float32(x)
        values[np.uint64(x)] = abs(two * (at - np.float32(np.int32(at + np.float32(4096.0)) - 4096)) - one)


@njit
def _check(period, row, values):
    """Fill a row of a chessboard, 0 and 1, whose squares are `period` wide."""
    share = np.float32(1.0 / period)
    for x in range(np.int32(len(values))):
        values[np.uint64(x)] = np.float32((np.int32(np.float32(x) * share) + np.int32(row)) & 1)


@njit
def _mesh(period, y, values):
    """Fill a row of a mesh of lines, 1 on them and 0 in between."""
    values[:] = 1.0 if y % period == 0 else 0.0
    for x in range(0, len(values), period):
        values[x] = 1.0


@njit
def _cloud(salt, period, y, nodes, values):
    """Fill a row with random numbers, 0 to 1, of the places of a lattice, mixed in between; `nodes` is a buffer."""
    top = int(y / period)
    below = y / period - top
    for place in range(int(len(values) / period) + 2):
        upper, lower = scramble(salt, top * LATTICE + place), scramble(salt, (top + 1) * LATTICE + place)
        nodes[place] = upper + (lower - upper) * below
    for x in range(len(values)):
        left = int(x / period)
        values[x] = nodes[left] + (nodes[left + 1] - nodes[left]) * (x / period - left)
