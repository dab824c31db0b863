"""Pixels of a character, row by row."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.atlas import ENLARGED, texels_of
from capbench.render.kernel.colours import fill_levels, grey_of
from capbench.render.kernel.draws import SCATTER, between, draw_character, scramble
from capbench.render.kernel.geometry import clip_of, find_runs, frame_of, full_size, pose_of, turn_of
from capbench.render.kernel.pasted import bend
from capbench.render.kernel.points import FIXED, fixed


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
    """Draw one character and fill its box: each pixel of its tile looks up the texel of the glyph that falls on it.

    With `fade` the ink is turned and stretched first, and the lookup is in its pixels.
    """
    planes = scratch.planes
    size = atlas.sizes[tile.face, tile.symbol]
    pose = pose_of(look, size, sample, tile.place)
    turn = turn_of(size, pose.angle)
    frame = frame_of(look, size, pose, spot, planes.shape[1])
    box[0], box[1] = frame.left * frame.squeeze, frame.top
    box[2], box[3] = (frame.left + pose.width) * frame.squeeze, frame.top + pose.height
    texels = texels_of(atlas, tile.face, tile.symbol)
    if look.fade:
        full_w, full_h = full_size(pose)
        texels = bend(texels, turn, int(full_w), int(full_h), scratch.bent)
    clip = clip_of(look, pose, frame, planes.shape[1], planes.shape[2])
    runs = scratch.runs[: find_runs(look.fade, size, pose, turn, frame, clip, texels, scratch.runs)]
    salt, strewn, _, _ = draw_character(sample, tile.place, SCATTER)
    rough = Roughness(between(look.scatter, strewn), salt, look.hatch)
    if rough.scatter > 0 or rough.hatch > 0:
        _stamp_roughly(rough, texels, runs, planes, scratch.tables)
    else:
        _stamp_smoothly(texels, runs, planes, scratch.tables)


@njit
def _stamp_smoothly(texels, runs, planes, tables):
    """Draw the rows of a character."""
    channels = len(planes)
    ink, stride = texels.ink, np.uint64(texels.columns)
    for number in range(len(runs)):
        run = runs[number]
        u, v, du, dv = fixed(run, run.first)
        first = planes[0, run.y, run.first : run.beyond]
        middle = planes[channels // 2, run.y, run.first : run.beyond]
        last = planes[channels - 1, run.y, run.first : run.beyond]
        for x in range(len(first)):
            coverage = ink[(v >> FIXED) * stride + (u >> FIXED)]
            u += du
            v += dv
            kept = tables[channels, coverage]
            first[x] = _mixed(first[x], kept, tables[0, coverage])
            if channels > 1:
                middle[x] = _mixed(middle[x], kept, tables[1, coverage])
                last[x] = _mixed(last[x], kept, tables[2, coverage])


@njit
def _stamp_roughly(rough, texels, runs, planes, tables):
    """Draw the rows of a character with scattered points, or with pixels left out on a hatch."""
    channels, _, width = planes.shape
    ink, rows, columns = texels.ink, texels.rows, texels.columns
    for number in range(len(runs)):
        run = runs[number]
        y = run.y
        for x in range(run.first, run.beyond):
            if rough.hatch > 0 and x % rough.hatch == 0 and y % rough.hatch == 0:
                continue
            u, v = run.u + run.du * x, run.v + run.dv * x
            if rough.scatter > 0:
                u += (2.0 * scramble(rough.salt, 2 * (y * width + x)) - 1.0) * rough.scatter * ENLARGED
                v += (2.0 * scramble(rough.salt, 2 * (y * width + x) + 1) - 1.0) * rough.scatter * ENLARGED
            if 0 <= u < columns and 0 <= v < rows:
                coverage = ink[int(v) * columns + int(u)]
                for channel in range(channels):
                    pixel = planes[channel, y, x]
                    planes[channel, y, x] = _mixed(pixel, tables[channels, coverage], tables[channel, coverage])


@njit(inline="always")
def _mixed(pixel, kept, added):
    """Return a pixel of which `kept` is kept and to which `added` is added, both times 65,536."""
    return np.uint8((np.int32(pixel) * kept + added + np.int32(32768)) >> 16)
