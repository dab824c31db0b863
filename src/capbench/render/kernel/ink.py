"""Ink of characters that are more than filled with one colour: hollow, rimmed, shadowed, patterned or blurred.

Such a character is drawn as a mask first, uint8 coverage. Its shadow, its rim and its face are then drawn through it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.colours import Colour, apart, fill_levels, pick_colour
from capbench.render.kernel.draws import INK, SECOND_COLOUR, between, draw_picture
from capbench.render.kernel.scratch import with_planes
from capbench.render.kernel.stamp import fill_tables, stamp

FILLED, HOLLOW, RIMMED = range(3)  # shapes
NO_PATTERN, STRIPED, CHECKED, HALVED, DOTTED = range(5)  # patterns
WHITE = Colour(255.0, 255.0, 255.0)
ROOM = 0.5  # share of its tile's longer side by which a warped and leaning character may extend beyond the tile


class Ink(NamedTuple):
    """Ink of a picture's characters."""

    aside: int  # shift of the shadow in pixels
    down: int
    shadowed: bool
    period: float  # of the pattern, in pixels
    cos: float  # of the pattern's angle
    sin: float
    first: np.ndarray  # float64 [channel], the text's colour as the planes have it
    second: np.ndarray  # float64 [channel], the colour of shadow, rim and pattern
    mask: np.ndarray  # uint8 [1, height, width]: coverage of the character being drawn, else 0
    spread: np.ndarray  # uint8 [height, width]: its coverage spread by one pixel


class Area(NamedTuple):
    """Pixels that a character may touch: columns left to below right, rows top to below bottom."""

    left: int
    top: int
    right: int
    bottom: int


@njit
def ink_of(look, sample, text, ground, scratch):
    """Return the ink of a picture with an empty mask; `ground` is the Range of the background's greys."""
    far, towards, long, turned = draw_picture(sample, INK)
    shift, angle = between(look.shadow, far), 2.0 * math.pi * towards
    second = np.empty_like(scratch.levels)
    colour = pick_colour(look.second, draw_picture(sample, SECOND_COLOUR), text)
    if look.pattern != NO_PATTERN:
        colour = apart(colour, ground, look.contrast)
    fill_levels(colour, second)
    _, height, width = scratch.planes.shape
    size = height * width
    mask = scratch.spare[:size].reshape(1, height, width)
    mask[:] = 0
    return Ink(
        aside=round(shift * math.cos(angle)),
        down=round(shift * math.sin(angle)),
        shadowed=shift >= 0.5,
        period=max(2.0, between(look.pattern_period, long)),
        cos=math.cos(math.pi * turned),
        sin=math.sin(math.pi * turned),
        first=np.empty_like(scratch.levels),
        second=second,
        mask=mask,
        spread=scratch.spare[size : 2 * size].reshape(height, width),
    )


@njit
def mask_scratch(look, ink, scratch):
    """Return the same buffers with the ink's mask as the picture, and tables that draw full coverage as 255."""
    levels, tables = np.empty(1, dtype=np.float64), np.empty((2, 256), dtype=np.int32)
    masked = with_planes(scratch, ink.mask, tables, levels)
    fill_tables(look, WHITE, 1.0, masked)
    return masked


@njit
def stamp_inked(look, atlas, sample, tile, spot, ink, opacity, scratch, masked, box):
    """Draw one character in the ink and fill its box; `masked` are the buffers of mask_scratch."""
    stamp(look, atlas, sample, tile, spot, masked, box)
    area = _area_of(box, ink)
    mask, planes = ink.mask[0], scratch.planes
    for _ in range(look.ink_blur):
        _blur(mask, ink.spread, area)
    if ink.shadowed:
        _draw_shadow(planes, ink, area, opacity)
    if look.shape != FILLED:
        _spread(mask, ink.spread, area)
    _draw_face(look, planes, ink, area, opacity, box)
    mask[area.top : area.bottom, area.left : area.right] = 0


@njit
def _area_of(box, ink):
    """Return the pixels that a character whose tile is `box` and its shadow may touch."""
    _, height, width = ink.mask.shape
    room = ROOM * max(box[2] - box[0], box[3] - box[1]) + 2 + max(abs(ink.aside), abs(ink.down))
    return Area(
        left=max(0, math.floor(box[0] - room)),
        top=max(0, math.floor(box[1] - room)),
        right=min(width, math.ceil(box[2] + room)),
        bottom=min(height, math.ceil(box[3] + room)),
    )


@njit
def _blur(mask, copy, area):
    """Replace the coverage in an area by means over 3×3 pixels."""
    copy[area.top : area.bottom, area.left : area.right] = mask[area.top : area.bottom, area.left : area.right]
    for y in range(area.top + 1, area.bottom - 1):
        for x in range(area.left + 1, area.right - 1):
            total = 4
            for row in range(y - 1, y + 2):
                total += copy[row, x - 1] + copy[row, x] + copy[row, x + 1]
            mask[y, x] = np.uint8(total // 9)


@njit
def _spread(mask, spread, area):
    """Fill the area of `spread` with the highest coverage of 3×3 pixels."""
    height, width = mask.shape
    for y in range(area.top, area.bottom):
        for x in range(area.left, area.right):
            most = np.uint8(0)
            for row in range(max(y - 1, 0), min(y + 2, height)):
                for column in range(max(x - 1, 0), min(x + 2, width)):
                    most = max(most, mask[row, column])
            spread[y, x] = most


@njit
def _draw_shadow(planes, ink, area, opacity):
    """Draw the mask in the second colour, shifted."""
    for y in range(max(area.top, area.top + ink.down), min(area.bottom, area.bottom + ink.down)):
        for x in range(max(area.left, area.left + ink.aside), min(area.right, area.right + ink.aside)):
            _blend(planes, y, x, ink.second, ink.mask[0, y - ink.down, x - ink.aside] * opacity)


@njit
def _draw_face(look, planes, ink, area, opacity, box):
    """Draw the character itself: its rim, and its face or outline in the first colour and the pattern's."""
    mask = ink.mask[0]
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for y in range(area.top, area.bottom):
        for x in range(area.left, area.right):
            coverage = float(mask[y, x])
            if look.shape == HOLLOW:
                coverage = min(255.0, 2.0 * (ink.spread[y, x] - coverage))
            elif look.shape == RIMMED:
                _blend(planes, y, x, ink.second, ink.spread[y, x] * opacity)
            if coverage > 0:
                second = look.pattern != NO_PATTERN and _in_pattern(look.pattern, ink, x - middle_x, y - middle_y)
                if not second:
                    _blend(planes, y, x, ink.first, coverage * opacity)
                elif look.pattern_filled:
                    _blend(planes, y, x, ink.second, coverage * opacity)


@njit(inline="always")
def _in_pattern(pattern, ink, x, y):
    """Return whether a point, in pixels from the character's middle, lies where the pattern is."""
    across, down = (x * ink.cos + y * ink.sin) / ink.period, (y * ink.cos - x * ink.sin) / ink.period
    if pattern == HALVED:
        return across > 0
    if pattern == STRIPED:
        return across - math.floor(across) < 0.4
    if pattern == CHECKED:
        return (math.floor(across) + math.floor(down)) % 2 == 0
    return across - math.floor(across) < 0.5 and down - math.floor(down) < 0.5


@njit(inline="always")
def _blend(planes, y, x, levels, coverage):
    """Blend one pixel with a colour at a coverage from 0 to 255."""
    if coverage <= 0:
        return
    for channel in range(len(planes)):
        old = float(planes[channel, y, x])
        planes[channel, y, x] = np.uint8(old + (levels[channel] - old) * coverage / 255.0 + 0.5)
