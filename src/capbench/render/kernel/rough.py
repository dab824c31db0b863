"""Masks whose points are scattered, or left out on a hatch."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.draws import scramble_row
from capbench.render.kernel.geometry import Clip
from capbench.render.kernel.mask import blocks, copy


@njit
def strew(reach, salt, clip, scratch):
    """Move each point of the mask by up to `reach` pixels, to a side and then up or down; return the Clip touched.

    Pixels look up where their point comes from: one of the two pixels around a place that is uniform within the reach,
    the more likely the nearer it is.
    """
    far = math.ceil(reach)
    if far == 0:
        return clip
    mask, line, rolls = scratch.mask, scratch.line, scratch.rolls
    height, width, columns = len(mask) - 1, scratch.width, mask.shape[1]
    strewn = scratch.spare[: (height + 1) * columns].reshape(height + 1, columns)
    strewn[height] = 0  # stands for the rows outside of the Clip
    line[: columns + 2 * far] = 0
    wider = Clip(
        max(0, clip.left - far), max(0, clip.top - far), min(width, clip.right + far), min(height, clip.bottom + far)
    )
    first, beyond = blocks(wider)
    bytes_of_rolls, beyond_rolls = rolls.view(np.uint8), (beyond + np.uint64(3)) // np.uint64(4)
    for y in range(clip.top, clip.bottom):
        scramble_row(salt, 2 * y, first // np.uint64(4), beyond_rolls, rolls)
        copy(mask[y], line[far:], width)
        for move in range(-far, far + 1):
            _take(line, far + move, bytes_of_rolls, _least(move, far, reach), first, beyond, strewn[y])
        strewn[y, width:] = 0
    for y in range(wider.top, wider.bottom):
        scramble_row(salt, 2 * y + 1, first // np.uint64(4), beyond_rolls, rolls)
        for move in range(-far, far + 1):
            source = strewn[y + move if clip.top <= y + move < clip.bottom else height]
            _take(source, 0, bytes_of_rolls, _least(move, far, reach), first, beyond, mask[y])
    return wider


@njit
def _least(move, far, reach):
    """Return the least roll, of 0 to 255, that moves a point by at least `move` pixels."""
    if move == -far:
        return 0
    chance = (_ramp(reach - move + 1.0) - _ramp(-reach - move + 1.0)) / (2.0 * reach)
    return min(255, math.floor(256.0 * (1.0 - chance) + 0.5))


@njit
def _ramp(to):
    """Return the integral up to a number of the number that grows from 0 at 0 to 1 at 1 and stays."""
    return 0.0 if to <= 0.0 else to * to / 2.0 if to < 1.0 else to - 0.5


@njit
def _take(source, shift, rolls, least, first, beyond, target):
    """Fill those pixels of blocks whose roll is at least `least`, from a row of which pixel `shift` is the first."""
    least, shift = np.uint8(least), np.uint64(shift)
    for x in range(first, beyond):
        new, old = source[x + shift], target[x]
        target[x] = new if rolls[x] >= least else old


@njit
def hatch(step, clip, mask):
    """Leave out every pixel whose row and column are multiples of `step`."""
    for y in range((clip.top + step - 1) // step * step, clip.bottom, step):
        for x in range((clip.left + step - 1) // step * step, clip.right, step):
            mask[y, x] = 0
