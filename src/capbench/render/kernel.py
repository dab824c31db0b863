"""Compiled kernel that draws a range of samples into an array.

Every function is a pure function of its arguments and releases the GIL, so that threads can share a batch. A picture is
drawn into planes, uint8 [channel, height, width]: one plane of luminance, or three of colour. Drawing is linear in the
colours, so the one plane is the grey of the three.

All randomness comes from `draws`, whose docstring lists what is drawn where.

Parameters that several functions share:

- look: the style as numbers.
- atlas: the glyphs, an Atlas; sizes: their measures, SIZE [face, symbol], or of one glyph its `size`.
- seed, indices: the stream of samples, and the samples' numbers in it, int64 [sample]; sample: one of them.
- classes, lengths: symbol numbers, int64 [sample, longest] with -1 beyond a text's end, and lengths, int64 [sample].
- planes: the picture; text: the Colour of the text; levels: float64 [channel], a colour as the planes have it.
- tables: see Scratch; salt: a drawn number from which `_scramble` derives a number for each pixel.
- shape, more: the draws SHAPE and MORE_SHAPE of an item of noise.
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
from capbench.render.glyphs import BORDER, ENLARGED
from capbench.render.pasted import FIXED, Texels

# Kinds of noise.
SPECKS, DOTS, ARC, LINE, WAVE = range(5)
LEFT, CENTRE, SPREAD = range(3)

ARC_STEPS = 40
WAVE_STEP = 3.0  # pixels between the points of a wave
POSE = 8  # numbers of a character in `poses`
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
        ("symbol", "i8"),
        ("width", "f8"),  # pixels
        ("near", "f8"),  # draw for the overlap with the next tile
        ("begin", "f8"),  # left edge in pixels from the first tile's
    ],
    align=True,
)
"""One character or space on the line"""


class Pen(NamedTuple):
    """What draws an item of noise."""

    planes: np.ndarray
    levels: np.ndarray
    size: float  # width of a stroke or diameter of a dot in pixels
    hard: bool  # no half-tones at edges


class Line(NamedTuple):
    """Line of text in a picture."""

    begin: float  # left edge of the first tile in pixels, before the text is narrowed
    squeeze: float  # factor by which the text is narrowed


class Spot(NamedTuple):
    """Place of a character on the line, in pixels before the text is narrowed."""

    left: float
    advance: float  # width
    squeeze: float  # factor by which the text is narrowed


class Pose(NamedTuple):
    """How a character is drawn; sizes and moves in pixels."""

    width: float  # of its tile
    height: float
    angle: float  # radians
    slant: float  # share of the ink's height
    x1: float  # move of the tile's left corners
    y1: float  # of the upper ones
    x2: float  # of the right ones
    y2: float  # of the lower ones
    lift: float  # downwards


class Frame(NamedTuple):
    """Where a character's tile lies in the picture, in pixels."""

    left: float  # before the text is narrowed
    top: float
    squeeze: float  # factor by which the text is narrowed


class Clip(NamedTuple):
    """Pixels of the picture that a character may touch: columns left to below right, rows top to below bottom."""

    left: int
    top: int
    right: int
    bottom: int


class Points(NamedTuple):
    """Points that fall on a row: at its column x (u + du·x, v + dv·x), across and down."""

    u: float
    v: float
    du: float
    dv: float


class Roughness(NamedTuple):
    """How a character's pixels are scattered or left out."""

    scatter: float  # pixels
    salt: float
    hatch: int


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
    """Fill `out`, float32 [sample, longest, POSE], with how each character is drawn: the numbers of its Pose but lift."""
    for row in range(len(indices)):
        sample = Sample(seed, indices[row])
        for place in range(lengths[row]):
            share, _, _, kind = draw_character(sample, place, FACE)
            size = sizes[_face(look, share, kind), classes[row, place]]
            pose = _pose(look, size, sample, place)
            told = out[row, place]
            told[0], told[1], told[2], told[3] = pose.width, pose.height, pose.angle, pose.slant
            told[4], told[5], told[6], told[7] = pose.x1, pose.y1, pose.x2, pose.y2


@njit(nogil=True, cache=True)
def paint(look, atlas, seed, indices, classes, lengths, pictures, boxes):
    """Draw uint8 pictures [sample, height, width, 1 or 3] and fill the boxes of their characters.

    Boxes are float32 [sample, longest, 4]: left, top, right, bottom of each character's tile in pixels. The order of
    drawing is: background, noise behind the text, text, sway, noise before the text, smoothing.
    """
    _, height, width, channels = pictures.shape
    room = pasted.room(atlas.sizes, look.warp_x, look.warp_y) if look.fade else 0
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
        _draw_noise(look, True, sample, colour, planes, levels)
        _write(look, atlas, sample, classes[row], lengths[row], colour, scratch, boxes[row])
        if look.sway.high > 0:
            _sway(look, sample, planes)
        _draw_noise(look, False, sample, colour, planes, levels)
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
def _write(look, atlas, sample, classes, length, text, scratch, boxes):
    """Draw the text: choose the faces and places of all characters, then draw each one's pixels and fill its box."""
    width = scratch.planes.shape[2]
    tiles = scratch.tiles[: _choose_tiles(look, atlas.sizes, sample, classes, length, scratch.tiles)]
    line = _line_up(look, sample, length, width, tiles)
    for number in range(len(tiles)):
        tile = tiles[number]
        if tile.place < 0:
            continue
        spot = _spot(look, sample, length, width, line, tile)
        if tile.place == 0 or look.own_colours or look.opacity.low < look.opacity.high:
            drawn = draw_character(sample, tile.place, OWN_COLOUR)
            colour = pick_colour(look.text, drawn, BLACK) if look.own_colours else text
            _mix(look, colour, between(look.opacity, drawn[3]), scratch)
        _stamp(look, atlas, sample, tile, spot, scratch, boxes[tile.place])


@njit(nogil=True, cache=True)
def _choose_tiles(look, sizes, sample, classes, length, tiles):
    """Fill `tiles` with the characters and the spaces before them, without their left edges; return their number."""
    space = sizes.shape[1] - 1
    count = 0
    for place in range(length):
        share, gap, near, kind = draw_character(sample, place, FACE)
        if gap < look.spaces:
            share_of_space, _, _, near_space = draw_character(sample, place, SPACE)
            _fill_tile(tiles[count], sizes, -1, int(share_of_space * look.outlined_from), space, near_space)
            count += 1
        _fill_tile(tiles[count], sizes, place, _face(look, share, kind), classes[place], near)
        count += 1
    return count


@njit(nogil=True, cache=True)
def _fill_tile(tile, sizes, place, face, symbol, near):
    """Fill a tile, but for its left edge."""
    tile.place, tile.face, tile.symbol = place, face, symbol
    tile.width, tile.near = sizes[face, symbol].tile_w, near


@njit(nogil=True, cache=True)
def _line_up(look, sample, length, width, tiles):
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


@njit(nogil=True, cache=True)
def _spot(look, sample, length, width, line, tile):
    """Return the place of a character on the line, or with SPREAD in its cell, an even share of the width."""
    if look.align != SPREAD:
        return Spot(line.begin + tile.begin, tile.width, line.squeeze)
    cell = width * (1.0 - 2.0 * look.margin) / length
    _, play, _, _ = draw_character(sample, tile.place, PLAY)
    left = width * look.margin + (tile.place + 0.5) * cell - tile.width / 2
    return Spot(left + between(look.play, play), tile.width, line.squeeze)


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
def _pose(look, size, sample, place):
    """Return the pose of the character at a place in the text, of a glyph with these measures."""
    turn, move_x, move_y, lift = draw_character(sample, place, TURN)
    corner_x1, corner_y1, corner_x2, corner_y2 = draw_character(sample, place, CORNERS)
    lean, _, _, _ = draw_character(sample, place, SLANT)
    angle = math.radians(between(look.tilt, turn))
    width, height = size.tile_w, size.tile_h
    if not look.stretch:
        turned = pasted.turn_of(size, angle)
        width, height = float(turned.width), float(turned.height)
    reach_x, reach_y = width * look.warp_x * move_x, height * look.warp_y * move_y
    aside, down = Range(-reach_x, reach_x), Range(-reach_y, reach_y)
    return Pose(
        width=width,
        height=height,
        angle=angle,
        slant=between(look.slant, lean),
        x1=float(math.trunc(between(aside, corner_x1))),
        y1=float(math.trunc(between(down, corner_y1))),
        x2=float(math.trunc(between(aside, corner_x2))),
        y2=float(math.trunc(between(down, corner_y2))),
        lift=between(look.lift, lift),
    )


@njit(nogil=True, cache=True)
def _frame(look, size, pose, spot, height):
    """Return where a character's tile lies in a picture of that height."""
    left = spot.left + pose.slant * size.ink_h / 2  # keeps the character's head in place
    if look.stretch:
        return Frame(left, math.trunc((height - pose.height) / 2) + pose.lift, spot.squeeze)
    left = spot.left + (spot.advance - pose.width) / 2 + pose.slant * size.ink_h / 2
    return Frame(left, (height - pose.height) / 2 + size.drop + pose.lift, spot.squeeze)


@njit(nogil=True, cache=True)
def _clip(look, pose, frame, height, width):
    """Return the pixels of a picture of that height and width that a character may touch."""
    room = 0.0 if look.stretch else NATURAL_ROOM
    left, top = frame.left, frame.top
    room_x = room * pose.width + abs(pose.slant) * pose.height / 2
    return Clip(
        left=max(0, math.floor((left - room_x) * frame.squeeze)),
        top=max(0, math.floor(top - room * pose.height)),
        right=min(width, math.ceil((left + pose.width + room_x) * frame.squeeze)),
        bottom=min(height, math.ceil(top + (1.0 + room) * pose.height)),
    )


@njit(nogil=True, cache=True)
def _points_of_tile(pose, full_w, full_h, down):
    """Return the points of a character's quadrilateral along a row of its tile, `down` pixels below the tile's top.

    The quadrilateral is the tile with its corners moved, `full_w` × `full_h` pixels.
    """
    width, height, x1, y1, x2, y2 = pose.width, pose.height, pose.x1, pose.y1, pose.x2, pose.y2
    return Points(
        u=x1 - 2.0 * x1 * down / height,
        v=y1 + (full_h - y2 - y1) * down / height,
        du=(full_w - x2 - x1) / width + 2.0 * (x1 + x2) * down / (width * height),
        dv=-2.0 * y1 / width + 2.0 * (y1 + y2) * down / (width * height),
    )


@njit(nogil=True, cache=True)
def _points_of_glyph(points, full_w, full_h, turn, slant, size):
    """Return the texels of a glyph, from points of its quadrilateral.

    The quadrilateral is shrunk to the turned ink, the turn and the slant are undone, and pixels enlarged to texels.
    """
    at_x, at_y = points.u * turn.width / full_w - turn.width / 2, points.v * turn.height / full_h - turn.height / 2
    step_x, step_y = points.du * turn.width / full_w, points.dv * turn.height / full_h
    u, v = turn.cos * at_x + turn.sin * at_y, turn.cos * at_y - turn.sin * at_x
    du, dv = turn.cos * step_x + turn.sin * step_y, turn.cos * step_y - turn.sin * step_x
    return Points(
        u=(u - slant * v + size.ink_w / 2) * ENLARGED + BORDER,
        v=(v + size.ink_h / 2) * ENLARGED + BORDER,
        du=(du - slant * dv) * ENLARGED,
        dv=dv * ENLARGED,
    )


@njit(nogil=True, cache=True)
def _points_of_picture(points, frame):
    """Return points along a row of the picture, from points along a row of a tile."""
    du, dv = points.du / frame.squeeze, points.dv / frame.squeeze
    before = 0.5 - frame.left * frame.squeeze
    return Points(points.u + du * before, points.v + dv * before, du, dv)


@njit(nogil=True, cache=True)
def _stamp(look, atlas, sample, tile, spot, scratch, box):
    """Draw one character and fill its box: each pixel of its tile looks up the point of the glyph that falls on it.

    The mapping from tile to glyph passes through a quadrilateral with moved corners, the turned ink stretched to the
    quadrilateral's size, and the turn. Along a row, both coordinates of the glyph change at a constant rate. With
    `fade` the stretched ink is drawn first, and the lookup is in its pixels.
    """
    _, height, width = scratch.planes.shape
    size = atlas.sizes[tile.face, tile.symbol]
    pose = _pose(look, size, sample, tile.place)
    turn = pasted.turn_of(size, pose.angle)
    frame = _frame(look, size, pose, spot, height)
    box[0], box[1] = frame.left * frame.squeeze, frame.top
    box[2], box[3] = (frame.left + pose.width) * frame.squeeze, frame.top + pose.height
    full_w, full_h = pose.width + abs(pose.x1) + abs(pose.x2), pose.height + abs(pose.y1) + abs(pose.y2)
    texels = _texels(atlas, tile)
    if look.fade:
        texels = pasted.bend(texels, turn, int(full_w), int(full_h), scratch.bent)
    salt, strewn, _, _ = draw_character(sample, tile.place, SCATTER)
    rough = Roughness(between(look.scatter, strewn), salt, look.hatch)
    clip = _clip(look, pose, frame, height, width)
    for y in range(clip.top, clip.bottom):
        points = _points_of_tile(pose, full_w, full_h, y + 0.5 - frame.top)
        if not look.fade:
            points = _points_of_glyph(points, full_w, full_h, turn, pose.slant, size)
        points = _points_of_picture(points, frame)
        first, beyond = _seen(points, texels, clip)
        if first >= beyond:
            continue
        if rough.scatter > 0 or rough.hatch > 0:
            _stamp_rough_row(rough, texels, points, y, first, beyond, scratch)
        else:
            _stamp_row(texels, points, y, first, beyond, scratch)


@njit(nogil=True, cache=True)
def _texels(atlas, tile):
    """Return the enlarged glyph of a tile."""
    start = atlas.start[tile.face, tile.symbol]
    rows, columns = atlas.shape[tile.face, tile.symbol, 0], atlas.shape[tile.face, tile.symbol, 1]
    return Texels(atlas.ink[start : start + rows * columns], rows, columns)


@njit(nogil=True, cache=True)
def _seen(points, texels, clip):
    """Return the first column of a row that shows a texel, and the column after the last."""
    low, high = pasted.inside(points.u, points.du, texels.columns, float(clip.left), float(clip.right))
    low, high = pasted.inside(points.v, points.dv, texels.rows, low, high)
    return math.ceil(low), min(math.floor(high) + 1, clip.right)


@njit(nogil=True, cache=True)
def _stamp_row(texels, points, y, first, beyond, scratch):
    """Draw a row of a character, from column `first` to before column `beyond`."""
    planes, tables, ink = scratch.planes, scratch.tables, texels.ink
    channels = len(planes)
    u, v = np.uint64((points.u + points.du * first) * 65536.0), np.uint64((points.v + points.dv * first) * 65536.0)
    du, dv = np.uint64(np.int64(points.du * 65536.0)), np.uint64(np.int64(points.dv * 65536.0))
    stride = np.uint64(texels.columns)
    head, tail = planes[0, y, first:beyond], planes[channels - 1, y, first:beyond]
    middle = planes[channels // 2, y, first:beyond]
    for x in range(len(head)):
        coverage = ink[(v >> FIXED) * stride + (u >> FIXED)]
        u += du
        v += dv
        kept = tables[channels, coverage]
        head[x] = _mixed(head[x], kept, tables[0, coverage])
        if channels > 1:
            middle[x] = _mixed(middle[x], kept, tables[1, coverage])
            tail[x] = _mixed(tail[x], kept, tables[2, coverage])


@njit(nogil=True, cache=True)
def _stamp_rough_row(rough, texels, points, y, first, beyond, scratch):
    """Draw a row of a character with scattered points, or with pixels left out on a hatch."""
    planes, tables = scratch.planes, scratch.tables
    channels, _, width = planes.shape
    for x in range(first, beyond):
        if rough.hatch > 0 and x % rough.hatch == 0 and y % rough.hatch == 0:
            continue
        u, v = points.u + points.du * x, points.v + points.dv * x
        if rough.scatter > 0:
            u += (2.0 * _scramble(rough.salt, 2 * (y * width + x)) - 1.0) * rough.scatter * ENLARGED
            v += (2.0 * _scramble(rough.salt, 2 * (y * width + x) + 1) - 1.0) * rough.scatter * ENLARGED
        if 0 <= u < texels.columns and 0 <= v < texels.rows:
            coverage = texels.ink[int(v) * texels.columns + int(u)]
            for channel in range(channels):
                pixel = planes[channel, y, x]
                planes[channel, y, x] = _mixed(pixel, tables[channels, coverage], tables[channel, coverage])


@njit(nogil=True, cache=True, inline="always")
def _mixed(pixel, kept, added):
    """Return a pixel of which `kept` is kept and to which `added` is added, both times 65,536."""
    return np.uint8((np.int32(pixel) * kept + added + np.int32(32768)) >> 16)


@njit(nogil=True, cache=True)
def _draw_noise(look, behind, sample, text, planes, levels):
    """Draw all layers of noise behind the text, or all before it."""
    for number in range(len(look.noise)):
        layer = look.noise[number]
        if layer.behind != behind:
            continue
        for item in range(whole_between(layer.count, draw_count(sample, number))):
            shape = draw_item(sample, number, item, SHAPE)
            colour = text
            if layer.own_colour:
                colour = pick_colour(layer.colour, draw_item(sample, number, item, ITEM_COLOUR), text)
            fill_levels(colour, levels)
            pen = Pen(planes, levels, between(layer.size, shape[3]), look.hard)
            if layer.kind == SPECKS:
                _speck(pen, look.specks, shape)
            elif layer.kind == DOTS:
                _disc(pen, shape)
            else:
                _curve(pen, layer, shape, draw_item(sample, number, item, MORE_SHAPE))


@njit(nogil=True, cache=True)
def _speck(pen, specks, shape):
    """Draw a short diagonal stroke as Pillow does."""
    _, height, width = pen.planes.shape
    x, y = int(shape[0] * (width + 1)), int(shape[1] * (height + 1))
    pixels = specks[min(int(pen.size + 0.5), len(specks) - 1)]
    for pixel in range(len(pixels)):
        _dot(pen, x + pixels[pixel, 0], y + pixels[pixel, 1], 1.0)


@njit(nogil=True, cache=True)
def _disc(pen, shape):
    """Draw a round dot."""
    _, height, width = pen.planes.shape
    x, y = shape[0] * width, shape[1] * height
    _capsule(pen, x, y, x, y)


@njit(nogil=True, cache=True)
def _curve(pen, layer, shape, more):
    """Draw an arc, a straight stroke or a wave from two draws."""
    if layer.kind == ARC:
        _arc(pen, shape, more)
    elif layer.kind == LINE:
        _stroke(pen, layer, shape, more)
    else:
        _wave(pen, layer, shape, more)


@njit(nogil=True, cache=True)
def _arc(pen, shape, more):
    """Draw the lower part of an ellipse whose box and angles are chosen as in the captcha package."""
    _, height, width = pen.planes.shape
    fifth_w, fifth_h = width // 5, height // 5
    left = int(shape[0] * (fifth_w + 1))
    right = int(shape[1] * (width - fifth_w + 1)) + fifth_w
    top = int(shape[2] * (height - 2 * fifth_h + 1)) + fifth_h
    bottom = int(more[0] * (height - top - fifth_h + 1)) + top
    begin, end = math.radians(int(more[1] * 21)), math.radians(160 + int(more[2] * 41))
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    radius_x, radius_y = (right - left) / 2, (bottom - top) / 2
    step = (end - begin) / ARC_STEPS
    turn_cos, turn_sin = math.cos(step), math.sin(step)
    cos, sin = math.cos(begin), math.sin(begin)
    x, y = middle_x + radius_x * cos, middle_y + radius_y * sin
    for _ in range(ARC_STEPS):
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
        next_x, next_y = middle_x + radius_x * cos, middle_y + radius_y * sin
        _line(pen, x, y, next_x, next_y)
        x, y = next_x, next_y


@njit(nogil=True, cache=True)
def _stroke(pen, layer, shape, more):
    """Draw a straight stroke of the layer's lengths and tilts."""
    _, height, width = pen.planes.shape
    half = between(layer.length, shape[2]) * width / 2
    angle = math.radians(between(layer.tilt, more[0]))
    x, y, across, down = shape[0] * width, shape[1] * height, half * math.cos(angle), half * math.sin(angle)
    _line(pen, x - across, y - down, x + across, y + down)


@njit(nogil=True, cache=True)
def _wave(pen, layer, shape, more):
    """Draw a sine wave of the layer's lengths, amplitudes, periods and middles."""
    _, height, width = pen.planes.shape
    length = between(layer.length, shape[2]) * width
    amplitude = between(layer.amplitude, more[0]) * height
    period = between(layer.period, more[1]) * width
    left = shape[0] * (width - length)
    if layer.middle.high > 0:
        base = between(layer.middle, shape[1]) * height
    else:
        base = amplitude + shape[1] * max(0.0, height - 2 * amplitude)
    steps = math.ceil(length / WAVE_STEP)
    phase = 2 * math.pi * more[2]
    x, y = left, base + amplitude * math.sin(phase)
    for step in range(1, steps + 1):
        next_x = left + length * step / steps
        next_y = base + amplitude * math.sin(phase + 2 * math.pi * (next_x - left) / period)
        _line(pen, x, y, next_x, next_y)
        x, y = next_x, next_y


@njit(nogil=True, cache=True)
def _line(pen, x1, y1, x2, y2):
    """Draw a straight piece between two points.

    Below a size of 1.5 it is one pixel thick without half-tones, as Pillow draws it; otherwise it has soft edges.
    """
    if pen.size >= 1.5:
        _capsule(pen, x1, y1, x2, y2)
        return
    steps = int(max(abs(math.floor(x2 + 0.5) - math.floor(x1 + 0.5)), abs(math.floor(y2 + 0.5) - math.floor(y1 + 0.5))))
    for step in range(steps + 1):
        part = step / max(steps, 1)
        x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
        _dot(pen, math.floor(x + 0.5), math.floor(y + 0.5), 1.0)


@njit(nogil=True, cache=True)
def _capsule(pen, x1, y1, x2, y2):
    """Draw all points within half of the pen's size of a straight piece; a piece without length makes a dot."""
    _, height, width = pen.planes.shape
    half = pen.size / 2
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
            if pen.hard:
                coverage = 1.0 if coverage >= 0.5 else 0.0
            if coverage > 0:
                _dot(pen, x, y, min(1.0, coverage))


@njit(nogil=True, cache=True, inline="always")
def _dot(pen, x, y, coverage):
    """Blend one pixel with the pen's colour at a coverage from 0 to 1; a place outside the picture is ignored."""
    channels, height, width = pen.planes.shape
    if not (0 <= x < width and 0 <= y < height):
        return
    for channel in range(channels):
        old = float(pen.planes[channel, y, x])
        pen.planes[channel, y, x] = np.uint8(old + (pen.levels[channel] - old) * coverage + 0.5)


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
