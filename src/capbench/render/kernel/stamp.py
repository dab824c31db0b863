"""Mask of a character."""

from __future__ import annotations

import math

from numba import njit

from capbench.render.kernel.atlas import outline_of, texels_of
from capbench.render.kernel.colours import grey_of
from capbench.render.kernel.draws import SCATTER, between, draw_character
from capbench.render.kernel.filling import fill_hard, fill_soft
from capbench.render.kernel.geometry import (
    Clip,
    clip_of,
    clip_of_tile,
    frame_of,
    in_picture,
    is_empty,
    overlap,
    pose_of,
    turn_of,
)
from capbench.render.kernel.pasted import paste
from capbench.render.kernel.rough import hatch, strew


@njit
def opacity_of(look, colour, opacity):
    """Return how much of a pixel a character's ink hides, 0 to 255.

    `fade` imitates the captcha package: the darker the ink, the more transparent it is.
    """
    if look.fade:
        return int(min(255.0, math.floor(math.floor(grey_of(colour) + 0.5) * 1.97)))
    return int(opacity * 255.0 + 0.5)


@njit
def fill_mask(look, atlas, sample, tile, spot, scratch, box):
    """Fill the mask with one character and `box` with its tile, and return the Clip that the character may touch."""
    size = atlas.sizes[tile.face, tile.symbol]
    height, width = scratch.planes.shape[1], scratch.width
    pose = pose_of(look, size, sample, tile.place)
    turn = turn_of(size, pose.angle)
    frame = frame_of(look, size, pose, spot, height)
    box[0], box[1] = frame.left * frame.squeeze, frame.top
    box[2], box[3] = (frame.left + pose.width) * frame.squeeze, frame.top + pose.height
    clip = clip_of_tile(pose, frame, height, width)
    outline = outline_of(atlas, tile.face, tile.symbol)
    if not look.fade:
        if len(outline.x) == 0:
            return Clip(0, 0, 0, 0)
        outline = in_picture(outline, size, turn, pose, frame, scratch.placed)
        touched = clip_of(outline, height, width)
        clip = overlap(clip, touched) if look.stretch else touched
    if is_empty(clip):
        return clip
    if look.fade:
        texels = texels_of(atlas, tile.face, tile.symbol)
        paste(texels, size, turn, pose, frame, clip, scratch.bent, scratch.runs, scratch.places, scratch.mask)
    elif look.hard:
        fill_hard(outline, clip, scratch.words)
    else:
        fill_soft(outline, clip, scratch.area, scratch.sums, scratch.mask)
    if look.scatter.high > 0:
        salt, strewn, _, _ = draw_character(sample, tile.place, SCATTER)
        clip = strew(between(look.scatter, strewn), salt, clip, scratch)
    if look.hatch > 0:
        hatch(look.hatch, clip, scratch.mask)
    return clip
