"""Buffers of the kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.layout import TILE
from capbench.render.kernel.pasted import room
from capbench.render.kernel.points import RUN


class Scratch(NamedTuple):
    """Buffers of one thread, reused for all its pictures."""

    planes: np.ndarray
    """uint8 [channel, height, width]: the picture before smoothing"""
    sums: np.ndarray
    """float32 [width]: sums of three pixels above each other"""
    lines: np.ndarray
    """uint8 [channel, width]: a finished row"""
    tiles: np.ndarray
    """TILE [tile]: characters and spaces"""
    runs: np.ndarray
    """RUN [height]: pixels of the character being drawn"""
    tables: np.ndarray
    """int32 [channel + 1, 256]: by coverage, what to add to each channel, and last what to keep of it; times 65,536"""
    levels: np.ndarray
    """float64 [channel]: colour being drawn, as the planes have it"""
    bent: np.ndarray
    """uint8 [2, pixels of the largest character]: buffers of pasted.bend"""


@njit
def new_scratch(look, atlas, pictures, longest):
    """Return buffers for pictures of such a shape, with texts of at most `longest` characters."""
    _, height, width, channels = pictures.shape
    largest = room(atlas.sizes, look.warp_x, look.warp_y) if look.fade else 0
    return Scratch(
        planes=np.empty((channels, height, width), dtype=np.uint8),
        sums=np.empty(width, dtype=np.float32),
        lines=np.empty((channels, width), dtype=np.uint8),
        tiles=np.empty(2 * longest, dtype=TILE),
        runs=np.empty(height, dtype=RUN),
        tables=np.empty((channels + 1, 256), dtype=np.int32),
        levels=np.empty(channels, dtype=np.float64),
        bent=np.empty((2, largest), dtype=np.uint8),
    )
