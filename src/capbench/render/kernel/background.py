"""Background of a picture."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.colours import fill_levels, grey_of, pick_colour
from capbench.render.kernel.draws import BACKGROUND, GRADIENT, GRAIN, Range, between, draw_picture, scramble_row
from capbench.render.kernel.texture import NO_TEXTURE, add_texture


@njit
def fill(look, sample, text, scratch):
    """Fill the planes with the background, and return the Range of its greys.

    The background is one colour or a gradient, with a texture and grain on it.
    """
    planes, levels, ends = scratch.planes, scratch.levels, scratch.other
    drawn = draw_picture(sample, BACKGROUND)
    colour = pick_colour(look.background, drawn, text)
    end = colour
    fill_levels(colour, levels)
    if look.gradient:
        end = pick_colour(look.gradient_to, draw_picture(sample, GRADIENT), text)
        fill_levels(end, ends)
        _fill_gradient(levels, ends, math.radians(between(look.angle, drawn[3])), planes, scratch.width)
    else:
        for channel in range(len(planes)):
            planes[channel] = np.uint8(levels[channel] + 0.5)
    shift = look.grain
    if look.texture != NO_TEXTURE:
        shift += look.texture_depth.high
        add_texture(look, sample, scratch)
    if look.grain > 0:
        salt, _, _, _ = draw_picture(sample, GRAIN)
        _add_grain(look.grain, salt, planes, scratch.rolls)
    one, other = grey_of(colour), grey_of(end)
    return Range(max(0.0, min(one, other) - shift), min(255.0, max(one, other) + shift))


@njit
def is_plain(look):
    """Return whether the background is of one colour."""
    return not look.gradient and look.texture == NO_TEXTURE and look.grain == 0


@njit
def _fill_gradient(levels, ends, angle, planes, width):
    """Fill the planes with a gradient from one colour to another at an angle in radians."""
    channels, height, columns = planes.shape
    across, down = math.cos(angle), math.sin(angle)
    reach = abs(across) * width + abs(down) * height
    for channel in range(channels):
        low, change = levels[channel], ends[channel] - levels[channel]
        step = np.int32(change * across / reach * 65536.0)
        for y in range(np.uint64(height)):
            part = 0.5 + (down * (y + 0.5 - height / 2) + across * (0.5 - width / 2)) / reach
            first = np.int32((low + change * part + 0.5) * 65536.0)
            for x in range(np.int32(columns)):
                planes[channel, y, np.uint64(x)] = np.uint8(np.int32(first + np.int32(step * x)) >> np.int32(16))


@njit
def _add_grain(grain, salt, planes, rolls):
    """Shift each pixel by up to `grain` levels, all its channels alike."""
    channels, height, columns = planes.shape
    choices, most = np.uint32(2.0 * grain + 1.0), np.int32(grain)
    for y in range(np.uint64(height)):
        scramble_row(salt, y, 0, columns, rolls)
        for channel in range(channels):
            for x in range(np.uint64(columns)):
                shift = np.int32(np.uint32((rolls[x] >> np.uint32(16)) * choices) >> np.uint32(16)) - most
                planes[channel, y, x] = np.uint8(min(255, max(0, np.int32(planes[channel, y, x]) + shift)))
