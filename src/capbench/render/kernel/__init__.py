"""Compiled kernel that draws a range of samples into an array.

Every function is a pure function of its arguments, so that threads can share a batch. A picture is drawn into planes,
uint8 [channel, height, width]: one plane of luminance, or three of colour. Drawing is linear in the colours, so the one
plane is the grey of the three.

All randomness comes from `draws`, whose docstring lists what is drawn where.

Parameters that several functions share:

- looks: the styles of the samples as numbers; look: that of one sample, LOOK; layers: its noise, LAYER [layer].
- atlas: the glyphs, an Atlas; sizes: their measures, SIZE [face, symbol], or of one glyph its `size`.
- seed, indices: the stream of samples, and the samples' numbers in it, int64 [sample]; sample: one of them.
- classes, lengths: symbol numbers, int64 [sample, longest] with -1 beyond a text's end, and lengths, int64 [sample].
- planes: the picture; text: the Colour of the text; levels: float64 [channel], a colour as the planes have it.
- salt: a drawn number from which `scramble_row` derives a number for each pixel.
- shape, more: the draws SHAPE and MORE_SHAPE of an item of noise.
- sources: never given; see sources.py.

Functions that Python calls are cached and release the GIL. Those that they call are compiled into them.
"""

from __future__ import annotations

from numba import njit

from capbench.render.kernel import jpeg
from capbench.render.kernel.background import fill, is_plain
from capbench.render.kernel.colours import BLACK, apart, fill_levels, pick_colour
from capbench.render.kernel.distort import distort
from capbench.render.kernel.draws import (
    FACE,
    FIRST_SYMBOL,
    LENGTH,
    OWN_COLOUR,
    SOFTENING,
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
from capbench.render.kernel.geometry import is_empty, pose_of
from capbench.render.kernel.ink import NO_INK, blend_inked, ink_of
from capbench.render.kernel.layout import choose_tiles, face_of, line_up, spot_of
from capbench.render.kernel.look import canvas_of, row_of, zoom_of
from capbench.render.kernel.mask import blend, clear
from capbench.render.kernel.noise import draw_noise
from capbench.render.kernel.palette import reduce
from capbench.render.kernel.rescale import rescale
from capbench.render.kernel.scratch import cut, new_buffers, part
from capbench.render.kernel.sources import SOURCES
from capbench.render.kernel.stamp import fill_mask, opacity_of


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
def draws_of(seed, indices, stream, out, sources=SOURCES):
    """Fill `out`, float64 [sample, place, 4], with the draws at the first places of a stream."""
    for row in range(len(indices)):
        for place in range(out.shape[1]):
            out[row, place] = draw(seed, indices[row], stream, place)


@njit(nogil=True, cache=True)
def poses(looks, sizes, seed, indices, classes, lengths, out, sources=SOURCES):
    """Fill `out`, float32 [sample, longest, POSE], with how each character is drawn: the numbers of its Pose but lift."""
    for row in range(len(indices)):
        sample, look = Sample(seed, indices[row]), row_of(looks.rows, row)
        for place in range(lengths[row]):
            share, _, _, kind = draw_character(sample, place, FACE)
            size = sizes[face_of(look, share, kind), classes[row, place]]
            pose = pose_of(look, size, sample, place)
            numbers = out[row, place]
            numbers[0], numbers[1], numbers[2], numbers[3] = pose.width, pose.height, pose.angle, pose.slant
            numbers[4], numbers[5], numbers[6], numbers[7] = pose.x1, pose.y1, pose.x2, pose.y2


def paint(looks, atlas, seed, indices, classes, lengths, pictures, boxes):
    """Draw Pictures and fill the boxes of their characters.

    Boxes are float32 [sample, longest, 4]: left, top, right, bottom of each character's tile in pixels, before sway and
    distortion. The order of drawing is: background, noise behind the text, text, sway, distortion, noise before the
    text, change of size, smoothing, palette.
    """
    memory = buffers(looks, atlas, pictures.channels, boxes.shape[1])
    paint_with(looks, atlas, seed, indices, classes, lengths, memory, pictures, boxes)


@njit(nogil=True, cache=True)
def buffers(looks, atlas, channels, longest, sources=SOURCES):
    """Return the buffers that these pictures need, with texts of at most `longest` characters."""
    return new_buffers(looks, atlas, channels, longest)


# Without numba's runtime no array can be allocated, and none is counted whenever a function receives or returns it,
# which would take as long as drawing does.
@njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]
def paint_with(looks, atlas, seed, indices, classes, lengths, memory, pictures, boxes, sources=SOURCES):
    """Draw Pictures as `paint` does, with its buffers."""
    for row in range(len(indices)):
        sample, look, layers = Sample(seed, indices[row]), row_of(looks.rows, row), row_of(looks.layers, row)
        zoom = zoom_of(look, sample)
        height, width = canvas_of(look, zoom)
        scratch = cut(memory, height, width)
        colour = pick_colour(look.text, draw_picture(sample, TEXT_COLOUR), BLACK)
        ground = fill(look, sample, colour, scratch)
        if look.contrasted:
            colour = apart(colour, ground, look.contrast)
        draw_noise(layers, look, looks.specks, sample, colour, scratch, behind=True)
        _write(look, atlas, sample, classes[row], lengths[row], colour, ground, scratch, boxes[row])
        if look.sway.high > 0:
            sway(look, sample, is_plain(look), scratch)
        if look.distorted:
            distort(look, sample, scratch)
        draw_noise(layers, look, looks.specks, sample, colour, scratch, behind=False)
        planes = scratch.planes
        if look.zoomed:
            planes = part(scratch.spare, len(planes), look.height, look.width)
            rescale(scratch, planes, look.width, look.blocky)
            _enlarge(zoom, boxes[row])
        picture = _picture(pictures, row, look)
        finish(look.smooth, planes, look.width, scratch, picture)
        if look.palette.high > 0:
            reduce(look, sample, scratch.errors, picture)


@njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]
def compress(rows, seed, indices, pictures, buffer, sources=SOURCES):
    """Give Pictures the artefacts of JPEG that LOOK [sample or 1] says; `buffer` is float32 [as jpeg.room says]."""
    for row in range(len(indices)):
        look = row_of(rows, row)
        if look.jpeg.high > 0:
            _, quality, _, _ = draw_picture(Sample(seed, indices[row]), SOFTENING)
            jpeg.compress(round(between(look.jpeg, quality)), _picture(pictures, row, look), buffer)


@njit(inline="always")
def _picture(pictures, row, look):
    """Return one of the Pictures, uint8 [height, width, channel]."""
    start, size = pictures.starts[row], look.height * look.width * pictures.channels
    return pictures.pixels[start : start + size].reshape(look.height, look.width, pictures.channels)


@njit
def _enlarge(zoom, boxes):
    """Multiply boxes by a factor."""
    for place in range(len(boxes)):
        for edge in range(4):
            boxes[place, edge] *= zoom


@njit
def _write(look, atlas, sample, classes, length, text, ground, scratch, boxes):
    """Draw the text: choose the faces and places of all characters, then draw each one's pixels and fill its box."""
    width = scratch.width
    tiles = scratch.tiles[: choose_tiles(look, atlas.sizes, sample, classes, length, scratch.tiles)]
    line = line_up(look, sample, length, width, tiles)
    ink = ink_of(look, sample, text, ground, scratch) if look.inked else NO_INK
    opacity = 0
    for number in range(len(tiles)):
        tile = tiles[number]
        if tile.place < 0:
            continue
        spot, box = spot_of(look, sample, length, width, line, tile), boxes[tile.place]
        if tile.place == 0 or look.own_colours or look.opacity.low < look.opacity.high:
            drawn = draw_character(sample, tile.place, OWN_COLOUR)
            colour = _own_colour(look, drawn, ground) if look.own_colours else text
            fill_levels(colour, scratch.levels)
            opacity = opacity_of(look, colour, between(look.opacity, drawn[3]))
        clip = fill_mask(look, atlas, sample, tile, spot, scratch, box)
        if is_empty(clip):
            continue
        if look.inked:
            blend_inked(look, ink, opacity, clip, box, scratch)
        else:
            blend(scratch.planes, scratch.levels, opacity, clip, scratch.mask)
            clear(clip, scratch.mask)


@njit
def _own_colour(look, drawn, ground):
    """Return the colour of one character from its draw."""
    colour = pick_colour(look.text, drawn, BLACK)
    return apart(colour, ground, look.contrast) if look.contrasted else colour
