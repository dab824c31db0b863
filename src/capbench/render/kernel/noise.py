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
from capbench.render.kernel.strokes import Pen, draw_capsule, draw_dot, draw_line

SPECKS, DOTS, ARC, LINE, WAVE, GRID, FRAME, RINGS = range(8)  # kinds of noise
ARC_STEPS = 40
WAVE_STEP = 3.0  # pixels between the points of a wave
RING_STEP = 3.0  # pixels between the points of a ring

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
    planes, levels = scratch.planes, scratch.levels
    for number in range(len(layers)):
        layer = layers[number]
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
                _speck(pen, specks, shape)
            elif layer.kind == DOTS:
                _disc(pen, shape)
            elif layer.kind == GRID:
                _grid(pen, layer, shape)
            elif layer.kind == FRAME:
                _frame(pen)
            elif layer.kind == RINGS:
                _ring(pen, layer, shape)
            else:
                _curve(pen, layer, shape, draw_item(sample, number, item, MORE_SHAPE))


@njit
def _speck(pen, specks, shape):
    """Draw a short diagonal stroke as Pillow does."""
    planes, levels = pen.planes, pen.levels
    _, height, width = planes.shape
    x, y = int(shape[0] * (width + 1)), int(shape[1] * (height + 1))
    pixels = specks[min(int(pen.size + 0.5), len(specks) - 1)]
    for pixel in range(len(pixels)):
        draw_dot(planes, levels, x + pixels[pixel, 0], y + pixels[pixel, 1], 1.0)


@njit
def _disc(pen, shape):
    """Draw a round dot."""
    _, height, width = pen.planes.shape
    x, y = shape[0] * width, shape[1] * height
    draw_capsule(pen, x, y, x, y)


@njit
def _grid(pen, layer, shape):
    """Draw level and upright lines over the whole picture."""
    _, height, width = pen.planes.shape
    step = max(2.0, between(layer.step, shape[2]))
    x, y = shape[0] * step, shape[1] * step
    while x < width:
        draw_line(pen, x, 0.0, x, height - 1.0)
        x += step
    while y < height:
        draw_line(pen, 0.0, y, width - 1.0, y)
        y += step


@njit
def _frame(pen):
    """Draw a frame at the picture's edge."""
    _, height, width = pen.planes.shape
    inside = math.floor(pen.size / 2)
    right, bottom = width - 1.0 - inside, height - 1.0 - inside
    draw_line(pen, inside, inside, right, inside)
    draw_line(pen, inside, bottom, right, bottom)
    draw_line(pen, inside, inside, inside, bottom)
    draw_line(pen, right, inside, right, bottom)


@njit
def _ring(pen, layer, shape):
    """Draw a circle."""
    _, height, width = pen.planes.shape
    middle_x, middle_y, radius = shape[0] * width, shape[1] * height, between(layer.radius, shape[2])
    steps = max(8, math.ceil(2 * math.pi * radius / RING_STEP))
    x, y = middle_x + radius, middle_y
    for step in range(1, steps + 1):
        angle = 2 * math.pi * step / steps
        next_x, next_y = middle_x + radius * math.cos(angle), middle_y + radius * math.sin(angle)
        draw_line(pen, x, y, next_x, next_y)
        x, y = next_x, next_y


@njit
def _curve(pen, layer, shape, more):
    """Draw an arc, a straight stroke or a wave from two draws."""
    if layer.kind == ARC:
        _arc(pen, shape, more)
    elif layer.kind == LINE:
        _stroke(pen, layer, shape, more)
    else:
        _wave(pen, layer, shape, more)


@njit
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
        draw_line(pen, x, y, next_x, next_y)
        x, y = next_x, next_y


@njit
def _stroke(pen, layer, shape, more):
    """Draw a straight stroke of the layer's lengths and tilts."""
    _, height, width = pen.planes.shape
    half = between(layer.length, shape[2]) * width / 2
    angle = math.radians(between(layer.tilt, more[0]))
    x, y, across, down = shape[0] * width, shape[1] * height, half * math.cos(angle), half * math.sin(angle)
    draw_line(pen, x - across, y - down, x + across, y + down)


@njit
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
        draw_line(pen, x, y, next_x, next_y)
        x, y = next_x, next_y
