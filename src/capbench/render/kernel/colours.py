"""Colours: drawing one at random, its hue and its grey."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.draws import RANGE, Range, between, whole_between


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


COLOUR_RANGE = np.dtype([("levels", RANGE), ("saturation", RANGE), ("by_hue", "?"), ("hue_of_text", "?")], align=True)
"""A ColourRange, as an entry of an array"""


@njit
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


@njit
def _channel(brightest, saturation, hue, channel):
    """Return the level of a channel of the colour that has this brightest level, this saturation and this hue."""
    # Distance of the hue from the channel's pure hue, on a wheel whose circumference is six.
    distance = abs((hue * 6.0 - 2.0 * channel + 3.0) % 6.0 - 3.0)
    strength = min(1.0, max(0.0, 2.0 - distance))
    return np.round(brightest * (1.0 - saturation * (1.0 - strength)))


@njit
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


@njit
def grey_of(colour):
    """Return the grey level of a colour."""
    return 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue


@njit
def fill_levels(colour, levels):
    """Fill `levels`, float64 [channel], with a colour as the planes have it: its grey where there is one channel."""
    if len(levels) == 1:
        levels[0] = grey_of(colour)
    else:
        levels[0], levels[1], levels[2] = colour.red, colour.green, colour.blue


@njit
def apart(colour, ground, contrast):
    """Return a colour whose grey is brought to a distance from a Range of greys, the ground's, that lies in `contrast`.

    The side of the ground on which the colour lies is kept where that distance fits between it and black or white.
    """
    grey = grey_of(colour)
    room_above, room_below = 255.0 - ground.high, ground.low
    above = grey > (ground.low + ground.high) / 2
    if (room_above if above else room_below) < contrast.low:
        above = room_above > room_below
    if above:
        wanted = min(255.0, max(ground.high + contrast.low, min(grey, ground.high + contrast.high)))
    else:
        wanted = max(0.0, min(ground.low - contrast.low, max(grey, ground.low - contrast.high)))
    return _with_grey(colour, grey, wanted)


@njit
def _with_grey(colour, grey, wanted):
    """Return a colour of that `grey` lightened towards white or darkened towards black, until its grey is the wanted one."""
    if wanted > grey:
        part = (wanted - grey) / (255.0 - grey)
        return Colour(
            colour.red + (255.0 - colour.red) * part,
            colour.green + (255.0 - colour.green) * part,
            colour.blue + (255.0 - colour.blue) * part,
        )
    part = wanted / grey if grey > 0 else 0.0
    return Colour(colour.red * part, colour.green * part, colour.blue * part)
