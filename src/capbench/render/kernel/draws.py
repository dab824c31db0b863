"""Random numbers as a pure function of (seed, sample, stream, place).

The generator is Philox 4×32 with ten rounds (Salmon et al., 2011). Each random number of a sample has a fixed place, so
that leaving out the dots does not move the characters. A draw gives four numbers. Their meaning, by stream and place,
with p for a character's position in the text, k for a layer of noise and i for an item in it ("-": unused):

stream and place             first             second           third            fourth
TEXT, LENGTH                 length            -                -                -
TEXT, FIRST_SYMBOL + p       symbol            -                -                -
PICTURE, TEXT_COLOUR         text's red        text's green     text's blue      -
PICTURE, SHIFT               -                 -                -                shift of the text (play)
PICTURE, BACKGROUND          background's red  its green        its blue         angle of the gradient
PICTURE, GRADIENT            gradient's red    its green        its blue         -
PICTURE, GRAIN               salt of the grain -                -                -
PICTURE, SOFTENING           blur              JPEG quality     -                -
PICTURE, SWAY                reach of sway     period of sway   phase of sway    -
PICTURE, TEXTURE             salt of texture   its period       its depth        its phase
PICTURE, TEXTURE_TURN        its angle         -                -                -
PICTURE, INK                 shadow's distance its direction    pattern's period its angle
PICTURE, SECOND_COLOUR       second red        second green     second blue      -
PICTURE, DISTORT             bend              taper            swirl            -
PICTURE, REDUCE              levels of palette zoom             -                -
CHARACTER p, FACE            face              space before     overlap          outlined
CHARACTER p, TURN            turn              limit of x warp  limit of y warp  lift
CHARACTER p, CORNERS         corner x1         corner y1        corner x2        corner y2
CHARACTER p, OWN_COLOUR      own red           own green        own blue         opacity
CHARACTER p, SPACE           face of the space -                -                overlap of the space
CHARACTER p, PLAY            -                 play with SPREAD -                -
CHARACTER p, SCATTER         salt of scatter   scatter          -                -
CHARACTER p, SLANT           slant             -                -                -
MIX, VARIANT + a             variant of axis a -                -                -
MIX, SIZE                    height            size of text     width            zoom
MIX, FONT                    first font        several fonts    several sizes    height on the picture
MIX, CALM                    calmness          -                -                -
NOISE k, COUNT               count             -                -                -
NOISE k i, SHAPE             a                 b                c                size
NOISE k i, ITEM_COLOUR       own red           own green        own blue         -
NOISE k i, MORE_SHAPE        d                 e                f                -

Where a colour has a saturation, brightest level, saturation and hue stand for red, green and blue. The numbers a to f
are: x and y of specks and dots; x and y of the middle, length and tilt of a line; left, right, top, bottom, first and
last angle of an arc; left end, height of the middle, length, amplitude, period and phase of a wave; x and y of the
middle and radius of a ring; x and y of one crossing of a grid, and the distance to the next.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

# Streams, one for each purpose of the numbers. Noise layer k has the stream NOISE + k.
TEXT, PICTURE, CHARACTER, MIX, NOISE = 0, 1, 2, 3, 16

# Places in the stream TEXT.
LENGTH, FIRST_SYMBOL = 0, 1

# Places in the stream PICTURE.
TEXT_COLOUR, BACKGROUND, GRADIENT, GRAIN, SOFTENING, SWAY = range(6)
TEXTURE, TEXTURE_TURN, INK, SECOND_COLOUR, DISTORT, REDUCE = range(6, 12)
SHIFT = TEXT_COLOUR  # shares its place; the colour leaves the fourth number

# Places in the stream MIX.
SIZE, FONT, CALM, VARIANT = range(4)

# Slots of a character: places in the stream CHARACTER, from CHARACTER_SLOTS times its position on.
CHARACTER_SLOTS = 8
FACE, TURN, CORNERS, OWN_COLOUR, SPACE, SCATTER, SLANT = range(7)
PLAY = SPACE  # shares its slot; the space leaves the second number

# Slots of an item of noise: places in the layer's stream, after the one of COUNT.
COUNT, FIRST_ITEM = 0, 1
ITEM_SLOTS = 4
SHAPE, ITEM_COLOUR, MORE_SHAPE = range(3)


class Sample(NamedTuple):
    """One sample of a stream of samples."""

    seed: int
    number: int
    """of the sample in its stream"""


class Range(NamedTuple):
    """Range to draw from, both ends included."""

    low: float
    high: float


RANGE = np.dtype([("low", "f8"), ("high", "f8")], align=True)
"""A Range, as an entry of an array"""

_MULTIPLY_0 = np.uint64(0xD2511F53)
_MULTIPLY_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_UNIT = 1.0 / 4294967296.0


@njit(inline="always")
def philox(key, counter_low, counter_high):
    """Return four 32-bit numbers for a 64-bit key and a 128-bit counter."""
    k0 = np.uint64(key) & _LOW
    k1 = np.uint64(key) >> _HALF
    c0 = np.uint64(counter_low) & _LOW
    c1 = np.uint64(counter_low) >> _HALF
    c2 = np.uint64(counter_high) & _LOW
    c3 = np.uint64(counter_high) >> _HALF
    for _ in range(10):
        p0 = _MULTIPLY_0 * c0
        p1 = _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@njit(nogil=True, cache=True)
def draw(seed, index, stream, place):
    """Return four numbers from 0 to below 1."""
    a, b, c, d = philox(np.uint64(seed), np.uint64(index), (np.uint64(stream) << _HALF) | np.uint64(place))
    return a * _UNIT, b * _UNIT, c * _UNIT, d * _UNIT


@njit
def draw_picture(sample, place):
    """Return the four numbers at a place of the stream PICTURE."""
    return draw(sample.seed, sample.number, PICTURE, place)


@njit
def draw_character(sample, position, slot):
    """Return the four numbers of a slot of the character at a position in the text."""
    return draw(sample.seed, sample.number, CHARACTER, position * CHARACTER_SLOTS + slot)


@njit
def draw_count(sample, layer):
    """Return the number that gives the count of items in a layer of noise."""
    count, _, _, _ = draw(sample.seed, sample.number, NOISE + layer, COUNT)
    return count


@njit
def draw_item(sample, layer, item, slot):
    """Return the four numbers of a slot of an item in a layer of noise."""
    return draw(sample.seed, sample.number, NOISE + layer, FIRST_ITEM + item * ITEM_SLOTS + slot)


@njit(nogil=True, cache=True, inline="always")
def between(span, share):
    """Return the number that lies at `share`, 0 to 1, of the way through a range."""
    return span.low + (span.high - span.low) * share


@njit(inline="always")
def whole_between(span, share):
    """Return a whole number of a range, for a `share` from 0 to below 1."""
    return int(span.low + math.floor((span.high - span.low + 1.0) * share))


@njit
def scramble_row(salt, row, first, beyond, rolls):
    """Fill `rolls`, uint32, from a place to before another with numbers hashed from a drawn number, row and place."""
    start = np.uint32(np.uint32(salt * 4294967296.0) ^ np.uint32(row * 0x27D4EB2F))
    for place in range(np.uint64(first), np.uint64(beyond)):
        mixed = np.uint32(np.uint32(np.uint32(place) * np.uint32(0x9E3779B1)) ^ start)
        mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B))
        mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35))
        rolls[place] = np.uint32(mixed ^ np.uint32(mixed >> np.uint32(16)))


@njit(inline="always")
def scramble(salt, place):
    """Return a number from 0 to below 1 for a place, hashed from one drawn number."""
    mixed = np.uint64(salt * 4294967296.0) ^ (np.uint64(place) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(11)) * (1.0 / 9007199254740992.0)
