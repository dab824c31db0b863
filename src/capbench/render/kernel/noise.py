"""Noise: specks, dots, arcs, lines, waves, grids, frames and rings."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.colours import COLOUR_RANGE, fill_levels, pick_colour
from capbench.render.kernel.draws import (
    ITEM_COLOUR,
    MORE_SHAPE,
    RANGE,
    SHAPE,
    between,
    draw_count,
    draw_item,
    whole_between,
)
from capbench.render.kernel.strokes import Pen, draw_disc, draw_trail, set_pixel

SPECKS, DOTS, ARC, LINE, WAVE, GRID, FRAME, RINGS = range(8)  # kinds of noise
ARC_STEPS = 40
WAVE_STEP = 3.0  # pixels between the points of a wave
RING_STEP = 3.0  # pixels between the points of a ring, more where its trail has no room for them
TRAIL = ARC_STEPS + 2  # points that a curve may have beside one for each column

LAYER = np.dtype(
    [
        ("kind", "i8"),
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
        ("step", RANGE),  # between the lines of a grid, in pixels
        ("radius", RANGE),  # of a ring, in pixels
    ],
    align=True,
)
"""One layer of noise, as an entry of an array, so that the kernel is the same for any number of layers"""


@njit
def draw_noise(layers, look, specks, sample, text, scratch, behind):
    """Draw all layers of noise behind the text, or all before it."""
    for number in range(len(layers)):
        layer = layers[number]
        if layer.behind != behind:
            continue
        fill_levels(text, scratch.levels)
        for item in range(whole_between(layer.count, draw_count(sample, number))):
            shape = draw_item(sample, number, item, SHAPE)
            if layer.own_colour:
                drawn = draw_item(sample, number, item, ITEM_COLOUR)
                fill_levels(pick_colour(layer.colour, drawn, text), scratch.levels)
            pen = Pen(scratch.planes, scratch.width, scratch.levels, between(layer.size, shape[3]), look.hard)
            if layer.kind == SPECKS:
                _speck(pen, specks, shape)
            elif layer.kind == DOTS:
                draw_disc(pen, shape[0] * scratch.width, shape[1] * scratch.planes.shape[1])
            elif layer.kind == GRID:
                _grid(pen, layer, shape, scratch)
            elif layer.kind == FRAME:
                _frame(pen, scratch)
            else:
                more = draw_item(sample, number, item, MORE_SHAPE)
                draw_trail(pen, _trail(layer, shape, more, scratch), scratch)


@njit
def _speck(pen, specks, shape):
    """Draw a short diagonal stroke as Pillow does."""
    _, height, _ = pen.planes.shape
    x, y = int(shape[0] * (pen.width + 1)), int(shape[1] * (height + 1))
    pixels = specks[min(int(pen.size + 0.5), len(specks) - 1)]
    for pixel in range(len(pixels)):
        set_pixel(pen, x + pixels[pixel, 0], y + pixels[pixel, 1])


@njit
def _grid(pen, layer, shape, scratch):
    """Draw level and upright lines over the whole picture."""
    height, width = pen.planes.shape[1], pen.width
    step = max(2.0, between(layer.step, shape[2]))
    x, y = shape[0] * step, shape[1] * step
    while x < width:
        _draw_line(pen, x, 0.0, x, height - 1.0, scratch)
        x += step
    while y < height:
        _draw_line(pen, 0.0, y, width - 1.0, y, scratch)
        y += step


@njit
def _frame(pen, scratch):
    """Draw a frame at the picture's edge."""
    inside = math.floor(pen.size / 2)
    right, bottom = pen.width - 1.0 - inside, pen.planes.shape[1] - 1.0 - inside
    _draw_line(pen, inside, inside, right, inside, scratch)
    _draw_line(pen, inside, bottom, right, bottom, scratch)
    _draw_line(pen, inside, inside, inside, bottom, scratch)
    _draw_line(pen, right, inside, right, bottom, scratch)


@njit
def _draw_line(pen, x1, y1, x2, y2, scratch):
    """Draw a straight stroke between two points."""
    trail = scratch.trail
    trail[0, 0], trail[1, 0], trail[0, 1], trail[1, 1] = x1, y1, x2, y2
    draw_trail(pen, 2, scratch)


@njit
def _trail(layer, shape, more, scratch):
    """Fill the trail with an arc, a straight stroke, a ring or a wave, and return its number of points."""
    height, width, trail = scratch.planes.shape[1], scratch.width, scratch.trail
    if layer.kind == ARC:
        return _arc(shape, more, height, width, trail)
    if layer.kind == LINE:
        return _stroke(layer, shape, more, height, width, trail)
    if layer.kind == RINGS:
        return _ring(layer, shape, height, width, trail)
    return _wave(layer, shape, more, height, width, trail)


@njit
def _arc(shape, more, height, width, trail):
    """Choose the lower part of an ellipse, its box and its angles as in the captcha package."""
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
    for point in range(ARC_STEPS + 1):
        trail[0, point], trail[1, point] = middle_x + radius_x * cos, middle_y + radius_y * sin
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
    return ARC_STEPS + 1


@njit
def _stroke(layer, shape, more, height, width, trail):
    """Choose a straight stroke of the layer's lengths and tilts."""
    half = between(layer.length, shape[2]) * width / 2
    angle = math.radians(between(layer.tilt, more[0]))
    x, y, across, down = shape[0] * width, shape[1] * height, half * math.cos(angle), half * math.sin(angle)
    trail[0, 0], trail[1, 0] = x - across, y - down
    trail[0, 1], trail[1, 1] = x + across, y + down
    return 2


@njit
def _ring(layer, shape, height, width, trail):
    """Choose a circle of the layer's radii."""
    middle_x, middle_y, radius = shape[0] * width, shape[1] * height, between(layer.radius, shape[2])
    steps = min(max(8, math.ceil(2 * math.pi * radius / RING_STEP)), trail.shape[1] - 1)
    for point in range(steps + 1):
        angle = 2 * math.pi * point / steps
        trail[0, point], trail[1, point] = middle_x + radius * math.cos(angle), middle_y + radius * math.sin(angle)
    return steps + 1


@njit
def _wave(layer, shape, more, height, width, trail):
    """Choose a sine wave of the layer's lengths, amplitudes, periods and middles."""
    length = between(layer.length, shape[2]) * width
    amplitude = between(layer.amplitude, more[0]) * height
    period = between(layer.period, more[1]) * width
    left = shape[0] * (width - length)
    if layer.middle.high > 0:
        base = between(layer.middle, shape[1]) * height
    else:
        base = amplitude + shape[1] * max(0.0, height - 2 * amplitude)
    steps = math.ceil(length / WAVE_STEP)
    step, phase = length / max(steps, 1), 2 * math.pi * more[2]
    turn = 2 * math.pi * step / period
    turn_cos, turn_sin = math.cos(turn), math.sin(turn)
    cos, sin = math.cos(phase), math.sin(phase)
    for point in range(steps + 1):
        trail[0, point], trail[1, point] = left + step * point, base + amplitude * sin
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
    return steps + 1
