"""Compiled kernel that draws a range of samples into an array.

Every function is a pure function of its arguments, so that threads can share a batch. A picture is drawn into planes,
uint8 [channel, height, width]: one plane of luminance, or three of colour. Drawing is linear in the colours, so the one
plane is the grey of the three.

All randomness comes from `draws`, whose docstring lists what is drawn where.

Parameters that several functions share:

- look: the style as numbers.
- atlas: the glyphs, an Atlas; sizes: their measures, SIZE [face, symbol], or of one glyph its `size`.
- seed, indices: the stream of samples, and the samples' numbers in it, int64 [sample]; sample: one of them.
- classes, lengths: symbol numbers, int64 [sample, longest] with -1 beyond a text's end, and lengths, int64 [sample].
- planes: the picture; text: the Colour of the text; levels: float64 [channel], a colour as the planes have it.
- tables: see Scratch; salt: a drawn number from which `scramble` derives a number for each pixel.
- shape, more: the draws SHAPE and MORE_SHAPE of an item of noise.
- sources: never given; see sources.py.

Functions that Python calls are cached and release the GIL. Those that they call are compiled into them.
"""

from __future__ import annotations

from numba import njit

from capbench.render.kernel.background import fill
from capbench.render.kernel.colours import BLACK, pick_colour
from capbench.render.kernel.draws import (
    FACE,
    FIRST_SYMBOL,
    LENGTH,
    OWN_COLOUR,
    TEXT,
    TEXT_COLOUR,
    Range,
    Sample,
    between,
    draw,
    draw_character,
    draw_picture,
    whole_between,
)
from capbench.render.kernel.finish import finish, sway
from capbench.render.kernel.geometry import pose_of
from capbench.render.kernel.layout import choose_tiles, face_of, line_up, spot_of
from capbench.render.kernel.noise import draw_noise
from capbench.render.kernel.scratch import new_scratch
from capbench.render.kernel.sources import SOURCES
from capbench.render.kernel.stamp import fill_tables, stamp


@njit(nogil=True, cache=True)
def texts(seed, indices, symbols, shortest, longest, classes, lengths, sources=SOURCES):
    """Fill classes and lengths with random texts.

    Lengths are uniform from `shortest` to `longest`. Each symbol is uniform from 0 to below `symbols`, the size of the
    alphabet.
    """
    for row in range(len(indices)):
        index = indices[row]
        size, _, _, _ = draw(seed, index, TEXT, LENGTH)
        lengths[row] = whole_between(Range(shortest, longest), size)
        for place in range(longest):
            classes[row, place] = -1
        for place in range(lengths[row]):
            symbol, _, _, _ = draw(seed, index, TEXT, FIRST_SYMBOL + place)
            classes[row, place] = int(symbol * symbols)


@njit(nogil=True, cache=True)
def poses(look, sizes, seed, indices, classes, lengths, out, sources=SOURCES):
    """Fill `out`, float32 [sample, longest, POSE], with how each character is drawn: the numbers of its Pose but lift."""
    for row in range(len(indices)):
        sample = Sample(seed, indices[row])
        for place in range(lengths[row]):
            share, _, _, kind = draw_character(sample, place, FACE)
            size = sizes[face_of(look, share, kind), classes[row, place]]
            pose = pose_of(look, size, sample, place)
            numbers = out[row, place]
            numbers[0], numbers[1], numbers[2], numbers[3] = pose.width, pose.height, pose.angle, pose.slant
            numbers[4], numbers[5], numbers[6], numbers[7] = pose.x1, pose.y1, pose.x2, pose.y2


@njit(nogil=True, cache=True)
def paint(look, atlas, seed, indices, classes, lengths, pictures, boxes, sources=SOURCES):
    """Draw uint8 pictures [sample, height, width, 1 or 3] and fill the boxes of their characters.

    Boxes are float32 [sample, longest, 4]: left, top, right, bottom of each character's tile in pixels. The order of
    drawing is: background, noise behind the text, text, sway, noise before the text, smoothing.
    """
    scratch = new_scratch(look, atlas, pictures, boxes.shape[1])
    for row in range(len(indices)):
        sample = Sample(seed, indices[row])
        colour = pick_colour(look.text, draw_picture(sample, TEXT_COLOUR), BLACK)
        fill(look, sample, colour, scratch)
        draw_noise(look, sample, colour, scratch, behind=True)
        _write(look, atlas, sample, classes[row], lengths[row], colour, scratch, boxes[row])
        if look.sway.high > 0:
            sway(look, sample, scratch.planes)
        draw_noise(look, sample, colour, scratch, behind=False)
        finish(look.smooth, scratch, pictures[row])


@njit
def _write(look, atlas, sample, classes, length, text, scratch, boxes):
    """Draw the text: choose the faces and places of all characters, then draw each one's pixels and fill its box."""
    width = scratch.planes.shape[2]
    tiles = scratch.tiles[: choose_tiles(look, atlas.sizes, sample, classes, length, scratch.tiles)]
    line = line_up(look, sample, length, width, tiles)
    for number in range(len(tiles)):
        tile = tiles[number]
        if tile.place < 0:
            continue
        spot = spot_of(look, sample, length, width, line, tile)
        if tile.place == 0 or look.own_colours or look.opacity.low < look.opacity.high:
            drawn = draw_character(sample, tile.place, OWN_COLOUR)
            colour = pick_colour(look.text, drawn, BLACK) if look.own_colours else text
            fill_tables(look, colour, between(look.opacity, drawn[3]), scratch)
        stamp(look, atlas, sample, tile, spot, scratch, boxes[tile.place])
