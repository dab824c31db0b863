"""Pixels of a character, row by row."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.atlas import ENLARGED, texels_of
from capbench.render.kernel.colours import fill_levels, grey_of
from capbench.render.kernel.draws import SCATTER, Range, between, draw_character, scramble
from capbench.render.kernel.geometry import (
    clip_of,
    frame_of,
    points_of_glyph,
    points_of_picture,
    points_of_tile,
    pose_of,
    turn_of,
)
from capbench.render.kernel.pasted import bend
from capbench.render.kernel.points import FIXED, fixed, seen


class Roughness(NamedTuple):
    """How a character's pixels are scattered or left out."""

    scatter: float  # pixels
    salt: float
    hatch: int


@njit
def fill_tables(look, colour, opacity, scratch):
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


@njit
def stamp(look, atlas, sample, tile, spot, scratch, box):
    """Draw one character and fill its box: each pixel of its tile looks up the point of the glyph that falls on it.

    The mapping from tile to glyph passes through a quadrilateral with moved corners, the turned ink stretched to the
    quadrilateral's size, and the turn. Along a row, both coordinates of the glyph change at a constant rate. With
    `fade` the stretched ink is drawn first, and the lookup is in its pixels.
    """
    _, height, width = scratch.planes.shape
    size = atlas.sizes[tile.face, tile.symbol]
    pose = pose_of(look, size, sample, tile.place)
    turn = turn_of(size, pose.angle)
    frame = frame_of(look, size, pose, spot, height)
    box[0], box[1] = frame.left * frame.squeeze, frame.top
    box[2], box[3] = (frame.left + pose.width) * frame.squeeze, frame.top + pose.height
    full_w, full_h = pose.width + abs(pose.x1) + abs(pose.x2), pose.height + abs(pose.y1) + abs(pose.y2)
    texels = texels_of(atlas, tile.face, tile.symbol)
    if look.fade:
        texels = bend(texels, turn, int(full_w), int(full_h), scratch.bent)
    salt, strewn, _, _ = draw_character(sample, tile.place, SCATTER)
    rough = Roughness(between(look.scatter, strewn), salt, look.hatch)
    clip = clip_of(look, pose, frame, height, width)
    for y in range(clip.top, clip.bottom):
        points = points_of_tile(pose, full_w, full_h, y + 0.5 - frame.top)
        if not look.fade:
            points = points_of_glyph(points, full_w, full_h, turn, pose.slant, size)
        points = points_of_picture(points, frame)
        first, beyond = seen(points, texels, Range(float(clip.left), float(clip.right)))
        beyond = min(beyond, clip.right)
        if first >= beyond:
            continue
        if rough.scatter > 0 or rough.hatch > 0:
            _stamp_rough_row(rough, texels, points, y, first, beyond, scratch)
        else:
            _stamp_row(texels, points, y, first, beyond, scratch)


@njit
def _stamp_row(texels, points, y, first, beyond, scratch):
    """Draw a row of a character, from column `first` to before column `beyond`."""
    planes, tables, ink = scratch.planes, scratch.tables, texels.ink
    channels = len(planes)
    u, v, du, dv = fixed(points, first)
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


@njit
def _stamp_rough_row(rough, texels, points, y, first, beyond, scratch):
    """Draw a row of a character with scattered points, or with pixels left out on a hatch."""
    planes, tables = scratch.planes, scratch.tables
    channels, _, width = planes.shape
    for x in range(first, beyond):
        if rough.hatch > 0 and x % rough.hatch == 0 and y % rough.hatch == 0:
            continue
        u, v = points.u + points.du * x, points.v + points.dv * x
        if rough.scatter > 0:
            u += (2.0 * scramble(rough.salt, 2 * (y * width + x)) - 1.0) * rough.scatter * ENLARGED
            v += (2.0 * scramble(rough.salt, 2 * (y * width + x) + 1) - 1.0) * rough.scatter * ENLARGED
        if 0 <= u < texels.columns and 0 <= v < texels.rows:
            coverage = texels.ink[int(v) * texels.columns + int(u)]
            for channel in range(channels):
                pixel = planes[channel, y, x]
                planes[channel, y, x] = _mixed(pixel, tables[channels, coverage], tables[channel, coverage])


@njit(inline="always")
def _mixed(pixel, kept, added):
    """Return a pixel of which `kept` is kept and to which `added` is added, both times 65,536."""
    return np.uint8((np.int32(pixel) * kept + added + np.int32(32768)) >> 16)
