"""Compiled kernel that draws a range of samples into an array.

Every function is a pure function of its arguments and releases the GIL, so that threads can share a batch. A picture is
drawn into planes, uint8 [channel, height, width]: one plane of luminance, or three of colour. Drawing is linear in the
colours, so the one plane is the grey of the three.

All randomness comes from `draws`, whose docstring lists what is drawn where.

Parameters that several functions share:

- look: the style as numbers.
- ink, start, shape, sizes: the fields of Atlas, or in functions for one character the entries of its glyph.
- seed, indices: the stream of samples, and the samples' numbers in it, int64 [sample]; sample: one of them.
- classes, lengths: symbol numbers, int64 [sample, longest] with -1 beyond a text's end, and lengths, int64 [sample].
- planes: the picture; text: the Colour of the text; levels: float64 [channel], a colour as the planes have it.
- tables: see Scratch; salt: a drawn number from which `_scramble` derives a number for each pixel.
- size: width of a stroke or diameter of a dot in pixels; hard: no half-tones at edges.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render import pasted
from capbench.render.draws import (
    BACKGROUND,
    CORNERS,
    FACE,
    FIRST_SYMBOL,
    GRADIENT,
    GRAIN,
    ITEM_COLOUR,
    LENGTH,
    MORE_SHAPE,
    OWN_COLOUR,
    PLAY,
    SCATTER,
    SHAPE,
    SHIFT,
    SLANT,
    SPACE,
    SWAY,
    TEXT,
    TEXT_COLOUR,
    TURN,
    Range,
    Sample,
    between,
    draw,
    draw_character,
    draw_count,
    draw_item,
    draw_picture,
    whole_between,
)
from capbench.render.glyphs import BORDER, DROP, ENLARGED, INK_H, INK_W, TILE_H, TILE_W

# Kinds of noise.
SPECKS, DOTS, ARC, LINE, WAVE = range(5)
LEFT, CENTRE, SPREAD = range(3)
FIXED = np.uint64(16)  # fractional bits of a fixed-point coordinate

ARC_STEPS = 40
WAVE_STEP = 3.0  # pixels between the points of a wave
POSE = 8  # numbers on each character in `poses`
NATURAL_ROOM = 0.35  # share of the tile by which a warped glyph may extend beyond it


class Colour(NamedTuple):
    """Colour as levels from 0 to 255."""

    red: float
    green: float
    blue: float


BLACK = Colour(0.0, 0.0, 0.0)


class ColourRange(NamedTuple):
    """Range of colours to draw from."""

    levels: Range
    """0 to 255, of each channel, or with `by_hue` of the brightest one"""
    saturation: Range
    """0 to 1; unused without `by_hue`"""
    by_hue: bool
    """draw brightest level, saturation and hue instead of red, green and blue"""
    hue_of_text: bool
    """take the hue of the text instead of one of its own"""


class Look(NamedTuple):
    """Style as numbers."""

    outlined_from: int  # number of the first outlined face, which is the number of filled faces
    outline: float  # share of characters that are drawn as outlines
    stretch: bool  # stretch the turned ink to the tile, as the captcha package does
    tilt: Range  # degrees
    slant: Range  # shares of the ink's height
    warp_x: float  # furthest move of a corner, as a share of the tile's width
    warp_y: float  # furthest move of a corner, as a share of the tile's height
    align: int  # LEFT, CENTRE or SPREAD
    margin: float  # share of a character's width with LEFT, else of the picture's width
    overlap: Range  # shares of the average tile's width
    spaces: float  # chance of a space before a character
    play: Range  # pixels to the right, of the text, or with SPREAD of each character
    lift: Range  # pixels downwards
    own_colours: bool  # a colour for each character
    opacity: Range  # 0 to 1
    fade: bool  # bend and paste characters as the captcha package does
    hard: bool  # no half-tones at edges
    scatter: Range  # pixels
    hatch: int  # leave every n-th pixel of every n-th row of characters out; 0: none
    sway: Range  # pixels
    period: Range  # pixels, of the sway
    gradient: bool
    angle: Range  # degrees, of the gradient
    grain: float  # furthest shift of a background pixel in grey levels
    smooth: bool
    text: ColourRange
    background: ColourRange
    gradient_to: ColourRange
    noise: np.ndarray
    """LAYER [layer]"""
    specks: np.ndarray
    """int64 [size, pixel, 2]: the pixels of a speck, as x and y; unused entries lie far outside any picture"""


RANGE = np.dtype([("low", "f8"), ("high", "f8")], align=True)
COLOUR_RANGE = np.dtype([("levels", RANGE), ("saturation", RANGE), ("by_hue", "?"), ("hue_of_text", "?")], align=True)
LAYER = np.dtype(
    [
        ("kind", "i8"),  # SPECKS, DOTS, ARC, LINE or WAVE
        ("behind", "?"),  # drawn before the text
        ("count", RANGE),
        ("size", RANGE),  # pixels
        ("own_colour", "?"),  # a colour for each item, else the text's
        ("colour", COLOUR_RANGE),
        ("length", RANGE),  # of a line or wave, as a share of the width
        ("tilt", RANGE),  # of a line, in degrees
        ("amplitude", RANGE),  # of a wave, as a share of the height
        ("period", RANGE),  # of a wave, as a share of the width
        ("middle", RANGE),  # of a wave, as a share of the height; 0: any
    ],
    align=True,
)
"""One layer of noise, as an entry of an array, so that the kernel is the same for any number of layers"""
TILE = np.dtype(
    [
        ("place", "i8"),  # of the character in the text, or -1 for a space
        ("face", "i8"),
        ("width", "f8"),  # pixels
        ("near", "f8"),  # draw for the overlap with the next tile
        ("begin", "f8"),  # left edge in pixels from the first tile's
    ],
    align=True,
)
"""One character or space on the line"""


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
    tables: np.ndarray
    """int32 [channel + 1, 256]: by coverage, what to add to each channel, and last what to keep of it; times 65,536"""
    levels: np.ndarray
    """float64 [channel]: colour being drawn, as the planes have it"""
    bent: np.ndarray
    """uint8 [2, pixels of the largest character]: buffers of pasted.bend"""


@njit(nogil=True, cache=True)
def texts(seed, indices, symbols, shortest, longest, classes, lengths):
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
def poses(look, sizes, seed, indices, classes, lengths, out):
    """Fill `out`, float32 [sample, longest, POSE], with how each character is drawn.

    The numbers are the tile's width and height in pixels, the turn in radians, the slant as a share of the height, and
    the moves x1, y1, x2, y2 of the tile's corners in pixels, as `_pose` returns them.
    """
    for row in range(len(indices)):
        sample = Sample(seed, indices[row])
        for place in range(lengths[row]):
            share, _, _, kind = draw_character(sample, place, FACE)
            size = sizes[_face(look, share, kind), classes[row, place]]
            angle, slant, _, tile_w, tile_h, x1, y1, x2, y2 = _pose(look, size, sample, place)
            told = out[row, place]
            told[0], told[1], told[2], told[3] = tile_w, tile_h, angle, slant
            told[4], told[5], told[6], told[7] = x1, y1, x2, y2


@njit(nogil=True, cache=True)
def paint(look, ink, start, shape, sizes, seed, indices, classes, lengths, pictures, boxes):
    """Draw uint8 pictures [sample, height, width, 1 or 3] and fill the boxes of their characters.

    Boxes are float32 [sample, longest, 4]: left, top, right, bottom of each character's tile in pixels. The order of
    drawing is: background, noise behind the text, text, sway, noise before the text, smoothing.
    """
    _, height, width, channels = pictures.shape
    room = pasted.room(sizes, look.warp_x, look.warp_y) if look.fade else 0
    scratch = Scratch(
        np.empty((channels, height, width), dtype=np.uint8),
        np.empty(width, dtype=np.float32),
        np.empty((channels, width), dtype=np.uint8),
        np.empty(2 * boxes.shape[1], dtype=TILE),
        np.empty((channels + 1, 256), dtype=np.int32),
        np.empty(channels, dtype=np.float64),
        np.empty((2, room), dtype=np.uint8),
    )
    planes, levels = scratch.planes, scratch.levels
    for row in range(len(indices)):
        sample = Sample(seed, indices[row])
        colour = pick_colour(look.text, draw_picture(sample, TEXT_COLOUR), BLACK)
        _fill(look, sample, colour, planes, levels)
        for layer in range(len(look.noise)):
            if look.noise[layer].behind:
                _draw_noise(look, layer, sample, colour, planes, levels)
        _write(look, ink, start, shape, sizes, sample, classes[row], lengths[row], colour, scratch, boxes[row])
        if look.sway.high > 0:
            _sway(look, sample, planes)
        for layer in range(len(look.noise)):
            if not look.noise[layer].behind:
                _draw_noise(look, layer, sample, colour, planes, levels)
        _finish(look.smooth, scratch, pictures[row].reshape(height, width * channels))


@njit(nogil=True, cache=True)
def pick_colour(source, shares, text):
    """Return a random colour of a ColourRange from a draw, whose first three numbers are used; `text` is the text's."""
    if not source.by_hue:
        return Colour(
            float(whole_between(source.levels, shares[0])),
            float(whole_between(source.levels, shares[1])),
            float(whole_between(source.levels, shares[2])),
        )
    brightest = whole_between(source.levels, shares[0])
    saturation = between(source.saturation, shares[1])
    hue = hue_of(text) if source.hue_of_text else shares[2]
    return Colour(
        _channel(brightest, saturation, hue, 0),
        _channel(brightest, saturation, hue, 1),
        _channel(brightest, saturation, hue, 2),
    )


@njit(nogil=True, cache=True)
def _channel(brightest, saturation, hue, channel):
    """Return the level of a channel of the colour that has this brightest level, this saturation and this hue."""
    # Distance of the hue from the channel's pure hue, on a wheel whose circumference is six.
    distance = abs((hue * 6.0 - 2.0 * channel + 3.0) % 6.0 - 3.0)
    strength = min(1.0, max(0.0, 2.0 - distance))
    return np.round(brightest * (1.0 - saturation * (1.0 - strength)))


@njit(nogil=True, cache=True)
def hue_of(colour):
    """Return the hue of a colour as its place on the colour wheel, 0 to 1; 0 for a grey."""
    red, green, blue = colour.red, colour.green, colour.blue
    highest, lowest = max(red, green, blue), min(red, green, blue)
    if highest == lowest:
        return 0.0
    span = highest - lowest
    if highest == red:
        return ((green - blue) / span % 6.0) / 6.0
    if highest == green:
        return ((blue - red) / span + 2.0) / 6.0
    return ((red - green) / span + 4.0) / 6.0


@njit(nogil=True, cache=True)
def grey_of(colour):
    """Return the grey level of a colour."""
    return 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue


@njit(nogil=True, cache=True)
def fill_levels(colour, levels):
    """Fill `levels`, float64 [channel], with a colour as the planes have it: its grey where there is one channel."""
    if len(levels) == 1:
        levels[0] = grey_of(colour)
    else:
        levels[0], levels[1], levels[2] = colour.red, colour.green, colour.blue


@njit(nogil=True, cache=True)
def _fill(look, sample, text, planes, levels):
    """Fill the planes with the background: one colour or a gradient, with grain on it."""
    channels, height, width = planes.shape
    drawn = draw_picture(sample, BACKGROUND)
    fill_levels(pick_colour(look.background, drawn, text), levels)
    if not look.gradient:
        for channel in range(channels):
            planes[channel] = np.uint8(levels[channel] + 0.5)
    else:
        ends = np.empty(channels, dtype=np.float64)
        fill_levels(pick_colour(look.gradient_to, draw_picture(sample, GRADIENT), text), ends)
        angle = math.radians(between(look.angle, drawn[3]))
        across, down = math.cos(angle), math.sin(angle)
        reach = abs(across) * width + abs(down) * height
        for channel in range(channels):
            low, high = levels[channel], ends[channel]
            for y in range(height):
                part = 0.5 + (down * (y + 0.5 - height / 2) - across * width / 2) / reach
                for x in range(width):
                    planes[channel, y, x] = np.uint8(low + (high - low) * (part + across * (x + 0.5) / reach) + 0.5)
    if look.grain > 0:
        salt, _, _, _ = draw_picture(sample, GRAIN)
        for y in range(height):
            for x in range(width):
                shift = (2.0 * _scramble(salt, y * width + x) - 1.0) * look.grain
                for channel in range(channels):
                    planes[channel, y, x] = np.uint8(min(255.0, max(0.0, planes[channel, y, x] + shift + 0.5)))


@njit(nogil=True, cache=True, inline="always")
def _scramble(salt, place):
    """Return a number from 0 to below 1 for each place, hashed from one drawn number: cheaper than a draw per pixel."""
    mixed = np.uint64(salt * 4294967296.0) ^ (np.uint64(place) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(nogil=True, cache=True)
def _write(look, ink, start, shape, sizes, sample, classes, length, text, scratch, boxes):
    """Draw the text: choose the faces and places of all characters, then draw each one's pixels and fill its box."""
    width = scratch.planes.shape[2]
    tiles = scratch.tiles
    space = sizes.shape[1] - 1
    count = 0
    total = 0.0
    for place in range(length):
        share, gap, near, kind = draw_character(sample, place, FACE)
        face = _face(look, share, kind)
        if gap < look.spaces:
            other_face, _, _, gap_near = draw_character(sample, place, SPACE)
            other_face = int(other_face * look.outlined_from)
            tiles[count].place = -1
            tiles[count].width = sizes[other_face, space, TILE_W]
            tiles[count].near = gap_near
            total += tiles[count].width
            count += 1
        tiles[count].place = place
        tiles[count].width = sizes[face, classes[place], TILE_W]
        tiles[count].near = near
        tiles[count].face = face
        total += tiles[count].width
        count += 1
    average = math.floor(total / length)
    extent = 0.0
    for tile in range(count):
        tiles[tile].begin = extent
        extent += tiles[tile].width
        if tile < count - 1 or look.align == LEFT:
            extent -= math.floor(average * between(look.overlap, tiles[tile].near) + 0.5)
    _, _, _, shift = draw_picture(sample, SHIFT)
    shift = between(look.play, shift)
    squeeze = 1.0
    begin = 0.0
    if look.align == LEFT:
        squeeze = min(1.0, width / total)
        begin = math.floor(average * look.margin) + shift
    elif look.align == CENTRE:
        squeeze = min(1.0, width * (1.0 - 2.0 * look.margin) / extent)
        room = width / squeeze - extent
        begin = min(max(room / 2 + shift, 0.0), room)
    for tile in range(count):
        place = tiles[tile].place
        if place < 0:
            continue
        advance = tiles[tile].width
        left = begin + tiles[tile].begin
        if look.align == SPREAD:
            cell = width * (1.0 - 2.0 * look.margin) / length
            _, play, _, _ = draw_character(sample, place, PLAY)
            left = width * look.margin + (place + 0.5) * cell - advance / 2
            left += between(look.play, play)
        if place == 0 or look.own_colours or look.opacity.low < look.opacity.high:
            drawn = draw_character(sample, place, OWN_COLOUR)
            colour = pick_colour(look.text, drawn, BLACK) if look.own_colours else text
            _mix(look, colour, between(look.opacity, drawn[3]), scratch)
        face = tiles[tile].face
        symbol = classes[place]
        _stamp(
            look, ink, start[face, symbol], shape[face, symbol], sizes[face, symbol], sample, place,
            left, advance, squeeze, scratch, boxes[place],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _mix(look, colour, opacity, scratch):
    """Fill the tables with what to add to each channel at a coverage from 0 to 255, and last with what to keep of it.

    Both are times 65,536. `fade` imitates the captcha package: the darker the ink, the more transparent it is, and
    there are no half-tones, so only coverages 0 and 255 are filled. `hard` counts a coverage of at least 128 as full,
    else as none.
    """
    tables, levels = scratch.tables, scratch.levels
    channels = len(levels)
    fill_levels(colour, levels)
    for coverage in range(0, 256, 255 if look.fade else 1):
        strength = coverage / 255.0 * opacity
        if look.fade:
            grey = math.floor(grey_of(colour) + 0.5)
            strength = min(255.0, math.floor(grey * 1.97)) / 255.0 if coverage > 0 else 0.0
        elif look.hard:
            strength = opacity if coverage >= 128 else 0.0
        tables[channels, coverage] = int((1.0 - strength) * 65536.0 + 0.5)
        for channel in range(channels):
            tables[channel, coverage] = int(strength * levels[channel] * 65536.0 + 0.5)


@njit(nogil=True, cache=True)
def _sway(look, sample, planes):
    """Shift the pixels along a wave: each column up or down, each row to a side."""
    channels, height, width = planes.shape
    share, length, start, _ = draw_picture(sample, SWAY)
    reach = between(look.sway, share)
    turns = 2.0 * math.pi / between(look.period, length)
    start = 2.0 * math.pi * start
    down = np.empty(width, dtype=np.int64)
    for x in range(width):
        down[x] = math.floor(reach * math.cos(start + turns * x) + 0.5)
    for channel in range(channels):
        still = planes[channel].copy()
        for y in range(height):
            aside = math.floor(reach * math.sin(start + turns * y) + 0.5)
            for x in range(width):
                from_y, from_x = min(max(y + down[x], 0), height - 1), min(max(x + aside, 0), width - 1)
                planes[channel, y, x] = still[from_y, from_x]


@njit(nogil=True, cache=True, inline="always")
def _face(look, share, kind):
    """Return the number of a character's face from its draws for the face and for the outline."""
    return int(share * look.outlined_from) + (look.outlined_from if kind < look.outline else 0)


@njit(nogil=True, cache=True)
def _pose(look, sizes, sample, place):
    """Return angle, slant and lift of a character, width and height of its tile, and the moves of the tile's corners.

    The angle is in radians, the slant a share of the height, all else in pixels. The moves x1 and x2 belong to the left
    and right corners, y1 and y2 to the upper and lower ones.
    """
    turn, move_x, move_y, lift = draw_character(sample, place, TURN)
    corner_x1, corner_y1, corner_x2, corner_y2 = draw_character(sample, place, CORNERS)
    angle = math.radians(between(look.tilt, turn))
    tile_w, tile_h = sizes[TILE_W], sizes[TILE_H]
    if not look.stretch:
        tile_w, tile_h = pasted.turned_size(sizes[INK_W], sizes[INK_H], math.cos(angle), math.sin(angle))
    reach_x, reach_y = tile_w * look.warp_x * move_x, tile_h * look.warp_y * move_y
    aside, down = Range(-reach_x, reach_x), Range(-reach_y, reach_y)
    x1, x2 = math.trunc(between(aside, corner_x1)), math.trunc(between(aside, corner_x2))
    y1, y2 = math.trunc(between(down, corner_y1)), math.trunc(between(down, corner_y2))
    lean, _, _, _ = draw_character(sample, place, SLANT)
    slant, lift = between(look.slant, lean), between(look.lift, lift)
    return angle, slant, lift, tile_w, tile_h, x1, y1, x2, y2


@njit(nogil=True, cache=True)
def _stamp(look, ink, start, shape, sizes, sample, place, left, advance, squeeze, scratch, box):
    """Draw one character: each pixel of its tile looks up the point of the glyph that falls on it.

    The mapping from tile to glyph passes through a quadrilateral with moved corners, the turned ink stretched to the
    quadrilateral's size, and the turn. Along a row, both coordinates of the glyph, u and v in texels, change at a
    constant rate. With `fade` the stretched ink is drawn first, and the lookup is in its pixels. `left` and `advance`
    are left edge and width of the character's place on the line, in pixels before the text is narrowed by the factor
    `squeeze`.
    """
    planes, tables = scratch.planes, scratch.tables
    channels, height, width = planes.shape
    angle, slant, lift, tile_w, tile_h, x1, y1, x2, y2 = _pose(look, sizes, sample, place)
    cos, sin = math.cos(angle), math.sin(angle)
    ink_w, ink_h = sizes[INK_W], sizes[INK_H]
    turned_w, turned_h = pasted.turned_size(ink_w, ink_h, cos, sin)
    room = 0.0
    if look.stretch:
        top = math.trunc((height - tile_h) / 2)
    else:
        room = NATURAL_ROOM
        left += (advance - tile_w) / 2
        top = (height - tile_h) / 2 + sizes[DROP]
    top += lift
    left += slant * ink_h / 2  # keeps the character's head in place
    full_w, full_h = tile_w + abs(x1) + abs(x2), tile_h + abs(y1) + abs(y2)

    box[0], box[1] = left * squeeze, top
    box[2], box[3] = (left + tile_w) * squeeze, top + tile_h
    room_x = room * tile_w + abs(slant) * tile_h / 2
    first_x = max(0, math.floor((left - room_x) * squeeze))
    last_x = min(width, math.ceil((left + tile_w + room_x) * squeeze))
    first_y = max(0, math.floor(top - room * tile_h))
    last_y = min(height, math.ceil(top + (1.0 + room) * tile_h))
    rows, columns = shape[0], shape[1]
    if look.fade:
        other, bent = scratch.bent[0], scratch.bent[1]
        columns = pasted.bend(
            ink, start, rows, columns, cos, sin, turned_w, turned_h, int(full_w), int(full_h), other, bent
        )
        ink, start, rows = bent, 0, int(full_h)
    salt, strewn, _, _ = draw_character(sample, place, SCATTER)
    scatter = between(look.scatter, strewn)
    rough = scatter > 0 or look.hatch > 0
    for y in range(first_y, last_y):
        down = y + 0.5 - top
        # Point (u, v) of the quadrilateral at tile column 0, and its change per tile column.
        u = x1 - 2.0 * x1 * down / tile_h
        v = y1 + (full_h - y2 - y1) * down / tile_h
        du = (full_w - x2 - x1) / tile_w + 2.0 * (x1 + x2) * down / (tile_w * tile_h)
        dv = -2.0 * y1 / tile_w + 2.0 * (y1 + y2) * down / (tile_w * tile_h)
        if not look.fade:
            # Shrink to the turned ink, undo the turn and the slant, and enlarge to texels.
            at_x, at_y = u * turned_w / full_w - turned_w / 2, v * turned_h / full_h - turned_h / 2
            step_x, step_y = du * turned_w / full_w, dv * turned_h / full_h
            u, v = cos * at_x + sin * at_y, cos * at_y - sin * at_x
            du, dv = cos * step_x + sin * step_y, cos * step_y - sin * step_x
            u, v = (u - slant * v + ink_w / 2) * ENLARGED + BORDER, (v + ink_h / 2) * ENLARGED + BORDER
            du, dv = (du - slant * dv) * ENLARGED, dv * ENLARGED
        # Convert from tile columns to columns of the picture.
        du, dv = du / squeeze, dv / squeeze
        u += du * (0.5 - left * squeeze)
        v += dv * (0.5 - left * squeeze)
        low, high = pasted.inside(u, du, columns, float(first_x), float(last_x))
        low, high = pasted.inside(v, dv, rows, low, high)
        x_from, x_to = math.ceil(low), math.floor(high) + 1
        x_to = min(x_to, last_x)
        if x_from >= x_to:
            continue
        if rough:
            _rough_row(look, scatter, ink, start, rows, columns, u, v, du, dv, x_from, x_to, y, salt, planes, tables)
            continue
        u_now, v_now = np.uint64((u + du * x_from) * 65536.0), np.uint64((v + dv * x_from) * 65536.0)
        du_fixed, dv_fixed = np.uint64(np.int64(du * 65536.0)), np.uint64(np.int64(dv * 65536.0))
        begin, stride = np.uint64(start), np.uint64(columns)
        first, last = planes[0, y, x_from:x_to], planes[channels - 1, y, x_from:x_to]
        middle = planes[channels // 2, y, x_from:x_to]
        for x in range(len(first)):
            coverage = ink[begin + (v_now >> FIXED) * stride + (u_now >> FIXED)]
            u_now += du_fixed
            v_now += dv_fixed
            kept = tables[channels, coverage]
            first[x] = _mixed(first[x], kept, tables[0, coverage])
            if channels > 1:
                middle[x] = _mixed(middle[x], kept, tables[1, coverage])
                last[x] = _mixed(last[x], kept, tables[2, coverage])


@njit(nogil=True, cache=True, inline="always")
def _mixed(pixel, kept, added):
    """Return a pixel of which `kept` is kept and to which `added` is added, both times 65,536."""
    return np.uint8((np.int32(pixel) * kept + added + np.int32(32768)) >> 16)


@njit(nogil=True, cache=True, inline="always")
def _blend(planes, y, x, coverage, tables):
    """Draw one pixel at a coverage from 0 to 255 into all planes, by the tables."""
    channels = len(planes)
    for channel in range(channels):
        kept = np.int32(planes[channel, y, x]) * tables[channels, coverage]
        planes[channel, y, x] = np.uint8((kept + tables[channel, coverage] + np.int32(32768)) >> 16)


@njit(nogil=True, cache=True)
def _rough_row(look, scatter, ink, start, rows, columns, u, v, du, dv, x_from, x_to, y, salt, planes, tables):
    """Draw a row of a character with scattered points, or with pixels left out on a hatch."""
    width = planes.shape[2]
    for x in range(x_from, x_to):
        if look.hatch > 0 and x % look.hatch == 0 and y % look.hatch == 0:
            continue
        u_now, v_now = u + du * x, v + dv * x
        if scatter > 0:
            u_now += (2.0 * _scramble(salt, 2 * (y * width + x)) - 1.0) * scatter * ENLARGED
            v_now += (2.0 * _scramble(salt, 2 * (y * width + x) + 1) - 1.0) * scatter * ENLARGED
        if 0 <= u_now < columns and 0 <= v_now < rows:
            _blend(planes, y, x, ink[start + int(v_now) * columns + int(u_now)], tables)


@njit(nogil=True, cache=True)
def _draw_noise(look, layer, sample, text, planes, levels):
    """Draw one layer of noise."""
    _, height, width = planes.shape
    settings = look.noise[layer]
    kind = settings.kind
    for item in range(whole_between(settings.count, draw_count(sample, layer))):
        a, b, c, big = draw_item(sample, layer, item, SHAPE)
        size = between(settings.size, big)
        if settings.own_colour:
            fill_levels(pick_colour(settings.colour, draw_item(sample, layer, item, ITEM_COLOUR), text), levels)
        else:
            fill_levels(text, levels)
        if kind == SPECKS:
            x, y = int(a * (width + 1)), int(b * (height + 1))
            pixels = look.specks[min(int(size + 0.5), len(look.specks) - 1)]
            for pixel in range(len(pixels)):
                _dot(planes, x + pixels[pixel, 0], y + pixels[pixel, 1], levels, 1.0)
        elif kind == DOTS:
            _capsule(planes, a * width, b * height, a * width, b * height, size, levels, look.hard)
        elif kind == ARC:
            d, e, f, _ = draw_item(sample, layer, item, MORE_SHAPE)
            _arc(planes, a, b, c, d, e, f, size, levels, look.hard)
        elif kind == LINE:
            d, _, _, _ = draw_item(sample, layer, item, MORE_SHAPE)
            half = between(settings.length, c) * width / 2
            angle = math.radians(between(settings.tilt, d))
            x, y, across, down = a * width, b * height, half * math.cos(angle), half * math.sin(angle)
            _line(planes, x - across, y - down, x + across, y + down, size, levels, look.hard)
        else:
            d, e, f, _ = draw_item(sample, layer, item, MORE_SHAPE)
            _wave(planes, settings, a, b, c, d, e, f, size, levels, look.hard)


@njit(nogil=True, cache=True)
def _arc(planes, a, b, c, d, e, f, size, levels, hard):
    """Draw the lower part of an ellipse whose box and angles are chosen as in the captcha package, from six draws."""
    _, height, width = planes.shape
    fifth_w, fifth_h = width // 5, height // 5
    left = int(a * (fifth_w + 1))
    right = int(b * (width - fifth_w + 1)) + fifth_w
    top = int(c * (height - 2 * fifth_h + 1)) + fifth_h
    bottom = int(d * (height - top - fifth_h + 1)) + top
    begin, end = math.radians(int(e * 21)), math.radians(160 + int(f * 41))
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    radius_x, radius_y = (right - left) / 2, (bottom - top) / 2
    step = (end - begin) / ARC_STEPS
    turn_cos, turn_sin = math.cos(step), math.sin(step)
    cos, sin = math.cos(begin), math.sin(begin)
    x, y = middle_x + radius_x * cos, middle_y + radius_y * sin
    for _ in range(ARC_STEPS):
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
        next_x, next_y = middle_x + radius_x * cos, middle_y + radius_y * sin
        _line(planes, x, y, next_x, next_y, size, levels, hard)
        x, y = next_x, next_y


@njit(nogil=True, cache=True)
def _wave(planes, layer, a, b, c, d, e, f, size, levels, hard):
    """Draw a sine wave of the ranges in `layer` from six draws."""
    _, height, width = planes.shape
    length = between(layer.length, c) * width
    amplitude = between(layer.amplitude, d) * height
    period = between(layer.period, e) * width
    left = a * (width - length)
    if layer.middle.high > 0:
        base = between(layer.middle, b) * height
    else:
        base = amplitude + b * max(0.0, height - 2 * amplitude)
    steps = math.ceil(length / WAVE_STEP)
    turn = 2 * math.pi * f
    x, y = left, base + amplitude * math.sin(turn)
    for step in range(1, steps + 1):
        next_x = left + length * step / steps
        next_y = base + amplitude * math.sin(turn + 2 * math.pi * (next_x - left) / period)
        _line(planes, x, y, next_x, next_y, size, levels, hard)
        x, y = next_x, next_y


@njit(nogil=True, cache=True)
def _line(planes, x1, y1, x2, y2, size, levels, hard):
    """Draw a straight piece between two points.

    Below a `size` of 1.5 it is one pixel thick without half-tones, as Pillow draws it; otherwise it has soft edges.
    """
    if size >= 1.5:
        _capsule(planes, x1, y1, x2, y2, size, levels, hard)
        return
    steps = int(max(abs(math.floor(x2 + 0.5) - math.floor(x1 + 0.5)), abs(math.floor(y2 + 0.5) - math.floor(y1 + 0.5))))
    for step in range(steps + 1):
        part = step / max(steps, 1)
        x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
        _dot(planes, math.floor(x + 0.5), math.floor(y + 0.5), levels, 1.0)


@njit(nogil=True, cache=True)
def _capsule(planes, x1, y1, x2, y2, size, levels, hard):
    """Draw all points within half of `size` of a straight piece; a piece without length makes a dot."""
    _, height, width = planes.shape
    half = size / 2
    along_x, along_y = x2 - x1, y2 - y1
    length = along_x * along_x + along_y * along_y
    for y in range(max(0, math.floor(min(y1, y2) - half - 1)), min(height, math.ceil(max(y1, y2) + half + 1))):
        for x in range(max(0, math.floor(min(x1, x2) - half - 1)), min(width, math.ceil(max(x1, x2) + half + 1))):
            off_x, off_y = x + 0.5 - x1, y + 0.5 - y1
            part = 0.0
            if length > 0:
                part = min(1.0, max(0.0, (off_x * along_x + off_y * along_y) / length))
            off_x -= part * along_x
            off_y -= part * along_y
            coverage = half + 0.5 - math.sqrt(off_x * off_x + off_y * off_y)
            if hard:
                coverage = 1.0 if coverage >= 0.5 else 0.0
            if coverage > 0:
                _dot(planes, x, y, levels, min(1.0, coverage))


@njit(nogil=True, cache=True, inline="always")
def _dot(planes, x, y, levels, coverage):
    """Blend one pixel with a colour at a coverage from 0 to 1; a place outside the picture is ignored."""
    channels, height, width = planes.shape
    if not (0 <= x < width and 0 <= y < height):
        return
    for channel in range(channels):
        old = float(planes[channel, y, x])
        planes[channel, y, x] = np.uint8(old + (levels[channel] - old) * coverage + 0.5)


@njit(nogil=True, cache=True)
def _finish(smooth, scratch, picture):
    """Copy the planes, smoothed or not, to a picture, uint8 [height, width · channels]."""
    channels, height, _ = scratch.planes.shape
    for y in range(height):
        for channel in range(channels):
            plane = scratch.planes[channel]
            line = picture[y] if channels == 1 else scratch.lines[channel]
            if smooth and 0 < y < height - 1:
                _smooth(plane[y - 1], plane[y], plane[y + 1], scratch.sums, line)
            else:
                line[:] = plane[y]
        if channels > 1:
            _interleave(scratch.lines[0], scratch.lines[1], scratch.lines[2], picture[y])


@njit(nogil=True, cache=True)
def _smooth(above, here, below, sums, line):
    """Fill `line` with a row smoothed by Pillow's SMOOTH: a 3×3 filter with a weight of 5 in the middle.

    The outermost pixels stay unchanged.
    """
    share, half, four = np.float32(1.0 / 13.0), np.float32(0.5), np.float32(4.0)
    width = len(line)
    for x in range(width):
        sums[x] = np.float32(above[x]) + np.float32(here[x]) + np.float32(below[x])
    line[0], line[width - 1] = here[0], here[width - 1]
    for x in range(1, width - 1):
        whole = sums[x - 1] + sums[x] + sums[x + 1] + four * np.float32(here[x])
        line[x] = np.uint8(whole * share + half)


@njit(nogil=True, cache=True)
def _interleave(red, green, blue, pixels):
    """Fill a row of pixels, uint8 [3 · width], from three rows of channels."""
    for x in range(len(red)):
        pixels[3 * x] = red[x]
        pixels[3 * x + 1] = green[x]
        pixels[3 * x + 2] = blue[x]
