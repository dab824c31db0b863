"""Layout of a text: which faces, where on the line."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.draws import FACE, PLAY, SHIFT, SPACE, between, draw_character, draw_picture
from capbench.render.kernel.look import CENTRE, LEFT, SPREAD

TILE = np.dtype(
    [
        ("place", "i8"),  # of the character in the text, or -1 for a space
        ("face", "i8"),
        ("symbol", "i8"),
        ("width", "f8"),  # pixels
        ("near", "f8"),  # draw for the overlap with the next tile
        ("begin", "f8"),  # left edge in pixels from the first tile's
    ],
    align=True,
)
"""One character or space on the line"""


class Line(NamedTuple):
    """Line of text in a picture."""

    begin: float  # left edge of the first tile in pixels, before the text is narrowed
    squeeze: float  # factor by which the text is narrowed


class Spot(NamedTuple):
    """Place of a character on the line, in pixels before the text is narrowed."""

    left: float
    advance: float  # width
    squeeze: float  # factor by which the text is narrowed


@njit
def choose_tiles(look, sizes, sample, classes, length, tiles):
    """Fill `tiles` with the characters and the spaces before them, without their left edges; return their number."""
    space = sizes.shape[1] - 1
    count = 0
    for place in range(length):
        share, gap, near, kind = draw_character(sample, place, FACE)
        if gap < look.spaces:
            share_of_space, _, _, near_space = draw_character(sample, place, SPACE)
            _fill_tile(tiles[count], sizes, -1, filled_face(look, share_of_space), space, near_space)
            count += 1
        _fill_tile(tiles[count], sizes, place, face_of(look, share, kind), classes[place], near)
        count += 1
    return count


@njit
def _fill_tile(tile, sizes, place, face, symbol, near):
    """Fill a tile, but for its left edge."""
    tile.place, tile.face, tile.symbol = place, face, symbol
    tile.width, tile.near = sizes[face, symbol].tile_w, near


@njit(inline="always")
def filled_face(look, share):
    """Return the number of a filled face from a draw."""
    return look.face + int(share * look.faces) * look.face_step


@njit(inline="always")
def face_of(look, share, kind):
    """Return the number of a character's face from its draws for the face and for the outline."""
    return filled_face(look, share) + (look.outlined_from if kind < look.outline else 0)


@njit
def line_up(look, sample, length, width, tiles):
    """Fill the left edges of the tiles and return the line on which they stand in a picture of that width."""
    total = 0.0
    for number in range(len(tiles)):
        total += tiles[number].width
    average = math.floor(total / length)
    extent = 0.0
    for number in range(len(tiles)):
        tiles[number].begin = extent
        extent += tiles[number].width
        if number < len(tiles) - 1 or look.align == LEFT:
            extent -= math.floor(average * between(look.overlap, tiles[number].near) + 0.5)
    _, _, _, shift = draw_picture(sample, SHIFT)
    shift = between(look.play, shift)
    if look.align == LEFT:
        return Line(math.floor(average * look.margin) + shift, min(1.0, width / total))
    if look.align == CENTRE:
        squeeze = min(1.0, width * (1.0 - 2.0 * look.margin) / extent)
        room = width / squeeze - extent
        return Line(min(max(room / 2 + shift, 0.0), room), squeeze)
    return Line(0.0, 1.0)


@njit
def spot_of(look, sample, length, width, line, tile):
    """Return the place of a character on the line, or with SPREAD in its cell, an even share of the width."""
    if look.align != SPREAD:
        return Spot(line.begin + tile.begin, tile.width, line.squeeze)
    cell = width * (1.0 - 2.0 * look.margin) / length
    _, play, _, _ = draw_character(sample, tile.place, PLAY)
    left = width * look.margin + (tile.place + 0.5) * cell - tile.width / 2
    return Spot(left + between(look.play, play), tile.width, line.squeeze)
