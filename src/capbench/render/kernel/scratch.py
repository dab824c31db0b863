"""Buffers of the kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.layout import TILE
from capbench.render.kernel.look import largest_canvas
from capbench.render.kernel.pasted import room
from capbench.render.kernel.points import RUN


class Pictures(NamedTuple):
    """Pictures of any sizes, one after another."""

    pixels: np.ndarray
    """uint8, each picture as [height, width, channel]"""
    starts: np.ndarray
    """int64 [sample], the index in `pixels` at which each picture begins"""
    channels: int
    """1 or 3"""


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
    store: np.ndarray
    """uint8 [channel · pixels of the largest canvas]: what `planes` is a part of"""
    spare: np.ndarray
    """uint8 [at least two and all channels · pixels of the largest canvas], or nothing where no look uses it"""


@njit
def new_scratch(looks, atlas, channels, longest):
    """Return buffers for the largest picture and canvas, with texts of at most `longest` characters."""
    rows = looks.rows
    height = width = pixels = spare = largest = 0
    for number in range(len(rows)):
        look = rows[number]
        high, wide = largest_canvas(look)
        height, width = max(height, high), max(width, wide)
        pixels = max(pixels, high * wide)
        if look.inked or look.distorted or look.zoomed:
            spare = max(spare, high * wide)
        if look.fade:
            largest = max(largest, room(atlas.sizes, look.warp_x, look.warp_y))
    store = np.empty(channels * pixels, dtype=np.uint8)
    return Scratch(
        planes=store[:0].reshape(channels, 0, 0),
        sums=np.empty(width, dtype=np.float32),
        lines=np.empty((channels, width), dtype=np.uint8),
        tiles=np.empty(2 * longest, dtype=TILE),
        runs=np.empty(height, dtype=RUN),
        tables=np.empty((channels + 1, 256), dtype=np.int32),
        levels=np.empty(channels, dtype=np.float64),
        bent=np.empty((2, largest), dtype=np.uint8),
        store=store,
        spare=np.empty(max(channels, 2) * spare, dtype=np.uint8),
    )


@njit
def part(store, channels, height, width):
    """Return the beginning of a flat buffer as planes, uint8 [channel, height, width]."""
    return store[: channels * height * width].reshape(channels, height, width)


@njit
def with_planes(scratch, planes, tables, levels):
    """Return the same buffers with another picture, and tables and levels for its channels."""
    return Scratch(
        planes=planes,
        sums=scratch.sums,
        lines=scratch.lines,
        tiles=scratch.tiles,
        runs=scratch.runs,
        tables=tables,
        levels=levels,
        bent=scratch.bent,
        store=scratch.store,
        spare=scratch.spare,
    )
