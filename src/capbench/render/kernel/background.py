"""Background of a picture."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.colours import fill_levels, grey_of, pick_colour
from capbench.render.kernel.draws import BACKGROUND, GRADIENT, GRAIN, Range, between, draw_picture, scramble
from capbench.render.kernel.texture import NO_TEXTURE, add_texture


@njit
def fill(look, sample, text, scratch):
    """Fill the planes with the background, and return the Range of its greys.

    The background is one colour or a gradient, with a texture and grain on it.
    """
    planes, levels = scratch.planes, scratch.levels
    drawn = draw_picture(sample, BACKGROUND)
    colour = pick_colour(look.background, drawn, text)
    end = colour
    fill_levels(colour, levels)
    if look.gradient:
        ends = np.empty_like(levels)
        end = pick_colour(look.gradient_to, draw_picture(sample, GRADIENT), text)
        fill_levels(end, ends)
        _fill_gradient(levels, ends, math.radians(between(look.angle, drawn[3])), planes)
    else:
        for channel in range(len(planes)):
            planes[channel] = np.uint8(levels[channel] + 0.5)
    if look.texture != NO_TEXTURE:
        add_texture(look, sample, planes)
    if look.grain > 0:
        salt, _, _, _ = draw_picture(sample, GRAIN)
        _add_grain(look.grain, salt, planes)
    shift = look.grain + (look.texture_depth.high if look.texture != NO_TEXTURE else 0.0)
    one, other = grey_of(colour), grey_of(end)
    return Range(max(0.0, min(one, other) - shift), min(255.0, max(one, other) + shift))


@njit
def _fill_gradient(levels, ends, angle, planes):
    """Fill the planes with a gradient from one colour to another at an angle in radians."""
    channels, height, width = planes.shape
    across, down = math.cos(angle), math.sin(angle)
    reach = abs(across) * width + abs(down) * height
    for channel in range(channels):
        low, high = levels[channel], ends[channel]
        for y in range(height):
            part = 0.5 + (down * (y + 0.5 - height / 2) - across * width / 2) / reach
            for x in range(width):
                planes[channel, y, x] = np.uint8(low + (high - low) * (part + across * (x + 0.5) / reach) + 0.5)


@njit
def _add_grain(grain, salt, planes):
    """Shift each pixel by up to `grain` levels, all its channels alike."""
    channels, height, width = planes.shape
    for y in range(height):
        for x in range(width):
            shift = (2.0 * scramble(salt, y * width + x) - 1.0) * grain
            for channel in range(channels):
                planes[channel, y, x] = np.uint8(min(255.0, max(0.0, planes[channel, y, x] + shift + 0.5)))
