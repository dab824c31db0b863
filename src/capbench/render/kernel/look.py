"""Style as the kernel reads it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.colours import COLOUR_RANGE
from capbench.render.kernel.draws import RANGE, REDUCE, between, draw_picture

LEFT, CENTRE, SPREAD = range(3)  # alignments of the text

LOOK = np.dtype(
    [
        ("height", "i8"),  # of the picture, in pixels
        ("width", "i8"),
        ("zoomed", "?"),  # drawn on a canvas of another size than the picture
        ("zoom", RANGE),  # factor from the canvas's size to the picture's
        ("blocky", "?"),  # each pixel of the picture is one of the canvas
        ("face", "i8"),  # number of the first filled face
        ("faces", "i8"),  # number of filled faces to choose from
        ("face_step", "i8"),  # from one of these faces to the next
        ("outlined_from", "i8"),  # from a filled face to its outlined one
        ("outline", "f8"),  # share of characters that are drawn as outlines
        ("stretch", "?"),  # stretch the turned ink to the tile, as the captcha package does
        ("tilt", RANGE),  # degrees
        ("slant", RANGE),  # shares of the ink's height
        ("warp_x", "f8"),  # furthest move of a corner, as a share of the tile's width
        ("warp_y", "f8"),  # furthest move of a corner, as a share of the tile's height
        ("align", "i8"),  # LEFT, CENTRE or SPREAD
        ("margin", "f8"),  # share of a character's width with LEFT, else of the picture's width
        ("overlap", RANGE),  # shares of the average tile's width
        ("spaces", "f8"),  # chance of a space before a character
        ("play", RANGE),  # pixels to the right, of the text, or with SPREAD of each character
        ("lift", RANGE),  # pixels downwards
        ("own_colours", "?"),  # a colour for each character
        ("opacity", RANGE),  # 0 to 1
        ("fade", "?"),  # bend and paste characters as the captcha package does
        ("hard", "?"),  # no half-tones at edges
        ("scatter", RANGE),  # pixels
        ("hatch", "i8"),  # leave every n-th pixel of every n-th row of characters out; 0: none
        ("sway", RANGE),  # pixels
        ("period", RANGE),  # pixels, of the sway
        ("distorted", "?"),  # by bend, taper or swirl
        ("bend", RANGE),  # shares of the height by which the sides lie above the middle
        ("taper", RANGE),  # shares by which the right side is lower than the middle
        ("swirl", RANGE),  # degrees
        ("gradient", "?"),
        ("angle", RANGE),  # degrees, of the gradient
        ("texture", "i8"),  # kind, see texture.py
        ("texture_period", RANGE),  # pixels
        ("texture_depth", RANGE),  # furthest shift of a background pixel in grey levels
        ("grain", "f8"),  # furthest shift of a background pixel in grey levels
        ("smooth", "?"),
        ("blur", RANGE),  # pixels, standard deviation; 0: none
        ("jpeg", RANGE),  # quality; 0: no JPEG
        ("palette", RANGE),  # levels of each channel; 0: all
        ("dither", "i8"),  # see palette.py
        ("contrasted", "?"),  # the text is brought to a distance from the background
        ("contrast", RANGE),  # that distance in grey levels
        ("inked", "?"),  # not all of a character is filled with one colour
        ("shape", "i8"),  # see ink.py
        ("shadow", RANGE),  # pixels; 0: none
        ("pattern", "i8"),  # see ink.py
        ("pattern_period", RANGE),  # pixels
        ("pattern_filled", "?"),  # with the second colour, else the background shows
        ("ink_blur", "i8"),  # times that a character is blurred
        ("second", COLOUR_RANGE),  # of shadow, rim and pattern
        ("text", COLOUR_RANGE),
        ("background", COLOUR_RANGE),
        ("gradient_to", COLOUR_RANGE),
    ],
    align=True,
)
"""Style as numbers, without its noise, as an entry of an array"""


class Looks(NamedTuple):
    """Styles of samples: one row for each sample, or one row for all of them."""

    rows: np.ndarray
    """LOOK [sample or 1]"""
    layers: np.ndarray
    """noise.LAYER [sample or 1, layer]"""
    specks: np.ndarray
    """int64 [size, pixel, 2]: the pixels of a speck, as x and y; unused entries lie far outside any picture"""


@njit(inline="always")
def row_of(rows, number):
    """Return the row of a sample's number, of one row for each sample or one for all."""
    return rows[min(number, len(rows) - 1)]


@njit
def zoom_of(look, sample):
    """Return the factor from the canvas's size to the picture's."""
    if not look.zoomed:
        return 1.0
    _, zoom, _, _ = draw_picture(sample, REDUCE)
    return between(look.zoom, zoom)


@njit
def canvas_of(look, zoom):
    """Return height and width of the canvas on which a picture is drawn, in pixels."""
    if zoom == 1.0:
        return look.height, look.width
    return max(1, round(look.height / zoom)), max(1, round(look.width / zoom))


@njit
def largest_canvas(look):
    """Return the greatest height and width that the canvas or the picture of a look may have."""
    height, width = canvas_of(look, look.zoom.low if look.zoomed else 1.0)
    return max(height, look.height), max(width, look.width)
