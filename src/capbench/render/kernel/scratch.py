"""Buffers of the kernel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.atlas import most_points
from capbench.render.kernel.distort import TURNS
from capbench.render.kernel.layout import TILE
from capbench.render.kernel.look import largest_canvas
from capbench.render.kernel.mask import WORD, padded
from capbench.render.kernel.noise import TRAIL
from capbench.render.kernel.pasted import LANES, rooms


class Pictures(NamedTuple):
    """Pictures of any sizes, one after another."""

    pixels: np.ndarray
    """uint8, each picture as [height, width, channel]"""
    starts: np.ndarray
    """int64 [sample], the index in `pixels` at which each picture begins"""
    channels: int
    """1 or 3"""


class Buffers(NamedTuple):
    """Memory of one thread, as much as its largest picture needs; see Scratch, which has parts of the same names."""

    planes: np.ndarray
    words: np.ndarray
    area: np.ndarray
    spare: np.ndarray
    line: np.ndarray
    rolls: np.ndarray
    sums: np.ndarray
    triples: np.ndarray
    lines: np.ndarray
    offsets: np.ndarray
    asides: np.ndarray
    errors: np.ndarray
    tiles: np.ndarray
    placed: np.ndarray
    trail: np.ndarray
    turns: np.ndarray
    contours: np.ndarray
    levels: np.ndarray
    bent: np.ndarray
    runs: np.ndarray
    places: np.ndarray


class Scratch(NamedTuple):
    """Buffers as one picture uses them. Rows of pixels have room for whole blocks."""

    planes: np.ndarray
    """uint8 [channel, height, column]: the picture before smoothing; its first `width` columns"""
    width: int
    words: np.ndarray
    """uint64 [row, word]: eight pixels of the mask each"""
    mask: np.ndarray
    """uint8 [row, column]: the mask of what is being drawn, 0 in between; the same memory as `words`"""
    area: np.ndarray
    """float32 [row, column]: buffer of fill_soft, 0 in between"""
    spare: np.ndarray
    """uint8: a second mask, or a copy of the planes with a margin"""
    line: np.ndarray
    """uint8: a row of a mask that is being scattered, with a margin"""
    rolls: np.ndarray
    """uint32 [column]: random numbers of a row"""
    sums: np.ndarray
    """float32 [column]: buffer of fill_soft"""
    triples: np.ndarray
    """uint16 [column]: sums of three pixels above each other"""
    lines: np.ndarray
    """uint8 [channel, column]: a finished row"""
    offsets: np.ndarray
    """int64 [column]: how far each column sways, or which pixel it takes"""
    asides: np.ndarray
    """int64: how far each row sways, or parts in 256ths by column"""
    errors: np.ndarray
    """int32: see palette.reduce"""
    tiles: np.ndarray
    """TILE [tile]: characters and spaces"""
    placed: np.ndarray
    """float64 [2, point]: x and y of the outline being drawn"""
    trail: np.ndarray
    """float64 [2, point]: x and y of the curve being drawn"""
    turns: np.ndarray
    """float64 [turn, 2]: cosine and sine, from the edge of a swirl to its middle"""
    contours: np.ndarray
    """int64 [2]: the contours of a curve's outline"""
    levels: np.ndarray
    """float64 [channel]: colour being drawn, as the planes have it"""
    other: np.ndarray
    """float64 [channel]: a second colour"""
    bent: np.ndarray
    """uint8 [2, pixel]: buffers of pasted.paste"""
    runs: np.ndarray
    """int64 [6, line]: buffer of pasted.paste"""
    places: np.ndarray
    """uint32: buffer of pasted.paste"""


@njit
def new_buffers(looks, atlas, channels, longest):
    """Return buffers for the largest picture and canvas, with texts of at most `longest` characters."""
    height = width = pixels = spare = bent = lines = 0
    scatter = 0.0
    for number in range(len(looks.rows)):
        look = looks.rows[number]
        high, wide = largest_canvas(look)
        sway = 2 * math.ceil(look.sway.high + 1)
        height, width, pixels = max(height, high), max(width, wide), max(pixels, high * padded(wide))
        spare = max(spare, channels * high * padded(wide), (high + 1) * padded(wide), (high + sway) * (wide + sway))
        scatter = max(scatter, look.scatter.high)
        if look.fade:
            room, row = rooms(atlas.sizes, look.warp_x, look.warp_y)
            bent, lines = max(bent, room), max(lines, row)
    columns = padded(width)
    points = max(most_points(atlas), 2 * (width + TRAIL) + 8)
    return Buffers(
        planes=np.empty(channels * pixels, dtype=np.uint8),
        words=np.zeros((pixels + columns) // WORD, dtype=np.uint64),
        area=np.zeros(pixels + 2 * columns, dtype=np.float32),
        spare=np.empty(spare, dtype=np.uint8),
        line=np.zeros(columns + 2 * math.ceil(scatter + 1), dtype=np.uint8),
        rolls=np.empty(columns, dtype=np.uint32),
        sums=np.empty(columns, dtype=np.float32),
        triples=np.empty(columns, dtype=np.uint16),
        lines=np.empty((channels, columns), dtype=np.uint8),
        offsets=np.empty(columns, dtype=np.int64),
        asides=np.empty(max(height, columns), dtype=np.int64),
        errors=np.empty(2 * (width + 2) * channels, dtype=np.int32),
        tiles=np.empty(2 * longest, dtype=TILE),
        placed=np.empty((2, points), dtype=np.float64),
        trail=np.empty((2, width + TRAIL), dtype=np.float64),
        turns=np.empty((TURNS + 1, 2), dtype=np.float64),
        contours=np.empty(2, dtype=np.int64),
        levels=np.empty((2, channels), dtype=np.float64),
        bent=np.empty((2, bent), dtype=np.uint8),
        runs=np.empty((6, max(height, lines)), dtype=np.int64),
        places=np.empty(max(columns, lines) + LANES, dtype=np.uint32),
    )


@njit
def cut(buffers, height, width):
    """Return buffers for a picture of that height and width."""
    columns = padded(width)
    words = buffers.words[: (height + 1) * (columns // WORD)]
    return Scratch(
        planes=part(buffers.planes, len(buffers.lines), height, width),
        width=width,
        words=words.reshape(height + 1, columns // WORD),
        mask=words.view(np.uint8).reshape(height + 1, columns),
        area=buffers.area[: (height + 2) * columns].reshape(height + 2, columns),
        spare=buffers.spare,
        line=buffers.line,
        rolls=buffers.rolls[:columns],
        sums=buffers.sums[:columns],
        triples=buffers.triples,
        lines=buffers.lines,
        offsets=buffers.offsets,
        asides=buffers.asides,
        errors=buffers.errors,
        tiles=buffers.tiles,
        placed=buffers.placed,
        trail=buffers.trail,
        turns=buffers.turns,
        contours=buffers.contours,
        levels=buffers.levels[0],
        other=buffers.levels[1],
        bent=buffers.bent,
        runs=buffers.runs,
        places=buffers.places,
    )


@njit(inline="always")  # what is compiled without numba's runtime may return no part of an array
def part(store, channels, height, width):
    """Return the beginning of a flat buffer as planes of that width, uint8 [channel, height, column]."""
    columns = padded(width)
    return store[: channels * height * columns].reshape(channels, height, columns)
