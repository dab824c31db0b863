"""Ink of characters that are more than filled with one colour: hollow, rimmed, shadowed, patterned or blurred.

A character's mask is changed, and drawn more than once: its shadow, its rim and its face.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.colours import apart, fill_levels, pick_colour
from capbench.render.kernel.draws import INK, SECOND_COLOUR, between, draw_picture
from capbench.render.kernel.geometry import Clip, is_empty
from capbench.render.kernel.mask import blend, clear

FILLED, HOLLOW, RIMMED = range(3)  # shapes
NO_PATTERN, STRIPED, CHECKED, HALVED, DOTTED = range(5)  # patterns


class Ink(NamedTuple):
    """Ink of a picture's characters."""

    aside: int  # shift of the shadow in pixels
    down: int
    shadowed: bool
    period: float  # of the pattern, in pixels
    cos: float  # of the pattern's angle
    sin: float


NO_INK = Ink(0, 0, False, 1.0, 1.0, 0.0)


@njit
def ink_of(look, sample, text, ground, scratch):
    """Return the ink of a picture; `ground` is the Range of the background's greys.

    `scratch.other` becomes the colour of shadow, rim and pattern.
    """
    far, towards, long, turned = draw_picture(sample, INK)
    shift, angle = between(look.shadow, far), 2.0 * math.pi * towards
    colour = pick_colour(look.second, draw_picture(sample, SECOND_COLOUR), text)
    if look.pattern != NO_PATTERN:
        colour = apart(colour, ground, look.contrast)
    fill_levels(colour, scratch.other)
    return Ink(
        aside=round(shift * math.cos(angle)),
        down=round(shift * math.sin(angle)),
        shadowed=shift >= 0.5,
        period=max(2.0, between(look.pattern_period, long)),
        cos=math.cos(math.pi * turned),
        sin=math.sin(math.pi * turned),
    )


@njit
def blend_inked(look, ink, opacity, clip, box, scratch):
    """Draw the character whose mask has been filled in a Clip in the ink, and empty the mask.

    `box` is the character's tile.
    """
    planes, mask = scratch.planes, scratch.mask
    height, columns = len(mask) - 1, mask.shape[1]
    second = scratch.spare[: (height + 1) * columns].reshape(height + 1, columns)
    clip = _moved(clip, look.ink_blur + 1, 0, 0, height, scratch.width)
    for _ in range(look.ink_blur):
        _blur(mask, second, clip, scratch.triples)
    if ink.shadowed:
        shadow = _moved(clip, 0, ink.aside, ink.down, height, scratch.width)
        if not is_empty(shadow):
            _shift(mask, ink, shadow, second)
            blend(planes, scratch.other, opacity, shadow, second)
    if look.shape != FILLED:
        _spread(mask, clip, scratch.line, second)
        if look.shape == RIMMED:
            blend(planes, scratch.other, opacity, clip, second)
        else:
            _hollow(second, clip, mask)
    if look.pattern != NO_PATTERN:
        _split(look.pattern, ink, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, clip, mask, second)
        if look.pattern_filled:
            blend(planes, scratch.other, opacity, clip, second)
    blend(planes, scratch.levels, opacity, clip, mask)
    clear(clip, mask)


@njit
def _moved(clip, room, aside, down, height, width):
    """Return a Clip with room around it, moved, as far as it lies in the picture."""
    return Clip(
        left=max(0, clip.left - room + aside),
        top=max(0, clip.top - room + down),
        right=min(width, clip.right + room + aside),
        bottom=min(height, clip.bottom + room + down),
    )


@njit
def _blur(mask, copy, clip, sums):
    """Replace the coverage within a Clip by means over 3×3 pixels; the outermost pixels stay."""
    left, right = np.uint64(clip.left), np.uint64(clip.right)
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        for x in range(left, right):
            copy[y, x] = mask[y, x]
    one = np.uint64(1)
    for y in range(np.uint64(clip.top + 1), np.uint64(max(clip.bottom - 1, 1))):
        for x in range(left, right):
            sums[x] = np.uint16(np.uint16(copy[y - one, x]) + np.uint16(copy[y, x])) + np.uint16(copy[y + one, x])
        for x in range(left + one, right - one):
            total = np.uint16(np.uint16(sums[x - one] + sums[x]) + np.uint16(sums[x + one] + np.uint16(4)))
            mask[y, x] = np.uint8(np.uint32(np.uint32(total) * np.uint32(7282)) >> np.uint32(16))  # a ninth


@njit
def _shift(mask, ink, clip, shadow):
    """Fill a Clip of the shadow's mask with the coverage of the character, moved."""
    clear(clip, shadow)
    for y in range(clip.top, clip.bottom):
        source, target = mask[y - ink.down], shadow[y]
        for x in range(clip.left, clip.right):
            target[x] = source[x - ink.aside]


@njit
def _spread(mask, clip, line, spread):
    """Fill a Clip with the highest coverage of 3×3 pixels; `line` is a buffer."""
    clear(clip, spread)
    one, two = np.uint64(1), np.uint64(2)
    for y in range(clip.top, clip.bottom):
        above, here, below = mask[max(y - 1, 0)], mask[y], mask[y + 1]  # the row after the last one is empty
        line[0] = 0
        for x in range(np.uint64(len(here))):
            line[x + one] = max(max(above[x], here[x]), below[x])
        target = spread[y]
        for x in range(np.uint64(clip.left), np.uint64(clip.right)):
            target[x] = max(max(line[x], line[x + one]), line[x + two])


@njit
def _hollow(spread, clip, mask):
    """Leave of the coverage only twice what spreading added."""
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        for x in range(np.uint64(clip.left), np.uint64(clip.right)):
            added = np.uint8(spread[y, x] - mask[y, x])
            mask[y, x] = np.uint8(np.uint8(min(added, np.uint8(127))) * np.uint8(2) + np.uint8(added >= 128))


@njit
def _split(pattern, ink, middle_x, middle_y, clip, mask, second):
    """Move the coverage of those pixels that lie where the pattern is to a second mask."""
    clear(clip, second)
    for y in range(clip.top, clip.bottom):
        for x in range(clip.left, clip.right):
            if mask[y, x] > 0 and _in_pattern(pattern, ink, x - middle_x, y - middle_y):
                second[y, x] = mask[y, x]
                mask[y, x] = 0


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
