"""Geometry of a character: from points of its glyph to points of the picture."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from capbench.render.kernel.atlas import Outline
from capbench.render.kernel.draws import CORNERS, SLANT, TURN, Range, between, draw_character

POSE = 8  # numbers of a Pose without its lift, the last one


class Pose(NamedTuple):
    """How a character is drawn; sizes and moves in pixels."""

    width: float  # of its tile
    height: float
    angle: float  # radians
    slant: float  # share of the ink's height
    x1: float  # move of the tile's left corners
    y1: float  # of the upper ones
    x2: float  # of the right ones
    y2: float  # of the lower ones
    lift: float  # downwards


class Frame(NamedTuple):
    """Where a character's tile lies in the picture, in pixels."""

    left: float  # before the text is narrowed
    top: float
    squeeze: float  # factor by which the text is narrowed


class Clip(NamedTuple):
    """Pixels of the picture that a character may touch: columns left to below right, rows top to below bottom."""

    left: int
    top: int
    right: int
    bottom: int


class Turn(NamedTuple):
    """Turn of a character's ink."""

    cos: float
    sin: float
    width: int  # pixels that the turned ink touches, as Pillow counts them
    height: int


@njit
def turn_of(size, angle):
    """Return the turn of the ink of a glyph, whose measures are `size`, by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    wide = abs(size.ink_w * cos) + abs(size.ink_h * sin)
    high = abs(size.ink_w * sin) + abs(size.ink_h * cos)
    return Turn(cos, sin, _touched(size.ink_w, wide), _touched(size.ink_h, high))


@njit(inline="always")
def _touched(before, after):
    """Return how many pixels a side touches that grew or shrank from `before` to `after` equally at both ends."""
    return math.ceil((before + after) / 2 - 1e-9) - math.floor((before - after) / 2 + 1e-9)


@njit
def pose_of(look, size, sample, place):
    """Return the pose of the character at a place in the text, of a glyph with these measures."""
    turn, move_x, move_y, lift = draw_character(sample, place, TURN)
    corner_x1, corner_y1, corner_x2, corner_y2 = draw_character(sample, place, CORNERS)
    slant = 0.0
    if look.slant.low < look.slant.high or look.slant.low != 0:
        lean, _, _, _ = draw_character(sample, place, SLANT)
        slant = between(look.slant, lean)
    angle = math.radians(between(look.tilt, turn))
    width, height = size.tile_w, size.tile_h
    if not look.stretch:
        turned = turn_of(size, angle)
        width, height = float(turned.width), float(turned.height)
    reach_x, reach_y = width * look.warp_x * move_x, height * look.warp_y * move_y
    aside, down = Range(-reach_x, reach_x), Range(-reach_y, reach_y)
    return Pose(
        width=width,
        height=height,
        angle=angle,
        slant=slant,
        x1=float(math.trunc(between(aside, corner_x1))),
        y1=float(math.trunc(between(down, corner_y1))),
        x2=float(math.trunc(between(aside, corner_x2))),
        y2=float(math.trunc(between(down, corner_y2))),
        lift=between(look.lift, lift),
    )


@njit
def frame_of(look, size, pose, spot, height):
    """Return where a character's tile lies in a picture of that height."""
    lean = pose.slant * size.ink_h / 2  # keeps the character's head in place
    if look.stretch:
        return Frame(spot.left + lean, math.trunc((height - pose.height) / 2) + pose.lift, spot.squeeze)
    left = spot.left + (spot.advance - pose.width) / 2 + lean
    return Frame(left, (height - pose.height) / 2 + size.drop + pose.lift, spot.squeeze)


@njit
def full_size(pose):
    """Return width and height of a character's quadrilateral: its tile with the corners moved."""
    return pose.width + abs(pose.x1) + abs(pose.x2), pose.height + abs(pose.y1) + abs(pose.y2)


@njit
def in_picture(outline, size, turn, pose, frame, placed):
    """Return a character's outline in the picture; `placed` holds its points.

    The ink leans, is turned and stretched to the character's tile, whose corners then move. A corner moves against the
    move of the pose, which is that of the point that comes to lie there.
    """
    count = len(outline.x)
    across, down = _sides(pose, turn)
    for point in range(count):
        y = outline.y[point] * size.scale_y
        x = outline.x[point] * size.scale_x + pose.slant * y
        right, low = (turn.cos * x - turn.sin * y) / turn.width + 0.5, (turn.sin * x + turn.cos * y) / turn.height + 0.5
        at_x = across.start + across.right * right + across.down * low + across.both * right * low
        placed[0, point] = (at_x + frame.left) * frame.squeeze
        placed[1, point] = down.start + down.right * right + down.down * low + down.both * right * low + frame.top
    return Outline(placed[0][:count], placed[1][:count], outline.contours)


class Side(NamedTuple):
    """One coordinate within a tile whose corners are moved, as a function of two shares of its width and height."""

    start: float
    right: float
    down: float
    both: float


@njit
def _sides(pose, turn):
    """Return the horizontal and the vertical coordinate within a character's tile."""
    width, height = pose.width, pose.height
    full_w, full_h = full_size(pose)
    move_x, move_y = pose.x1 + pose.x2, pose.y1 + pose.y2
    upper, lower = width / (full_w - move_x), width / (full_w + move_x)
    left, right = height / (full_h - move_y), height / (full_h + move_y)
    return (
        _side(-pose.x1 * upper, width + pose.x2 * upper, pose.x1 * lower, width - pose.x2 * lower),
        _side(-pose.y1 * left, pose.y1 * right, height + pose.y2 * left, height - pose.y2 * right),
    )


@njit
def _side(upper_left, upper_right, lower_left, lower_right):
    """Return a coordinate within a tile from its values at the corners."""
    both = upper_left - upper_right - lower_left + lower_right
    return Side(upper_left, upper_right - upper_left, lower_left - upper_left, both)


@njit
def clip_of_tile(pose, frame, height, width):
    """Return the pixels of a picture of that height and width whose middle lies in a character's tile."""
    left, right = frame.left * frame.squeeze, (frame.left + pose.width) * frame.squeeze
    return Clip(
        left=max(0, math.ceil(left - 0.5)),
        top=max(0, math.ceil(frame.top - 0.5)),
        right=min(width, math.ceil(right - 0.5)),
        bottom=min(height, math.ceil(frame.top + pose.height - 0.5)),
    )


@njit
def clip_of(outline, height, width):
    """Return the pixels of a picture of that height and width that an outline touches."""
    left, top, right, bottom = outline.x[0], outline.y[0], outline.x[0], outline.y[0]
    for point in range(1, len(outline.x)):
        left, right = min(left, outline.x[point]), max(right, outline.x[point])
        top, bottom = min(top, outline.y[point]), max(bottom, outline.y[point])
    return Clip(
        left=int(min(max(left, 0.0), float(width))),
        top=int(min(max(top, 0.0), float(height))),
        right=int(min(max(right + 1.0, 0.0), float(width))),
        bottom=int(min(max(bottom + 1.0, 0.0), float(height))),
    )


@njit
def overlap(one, other):
    """Return the pixels that both of two Clips hold."""
    return Clip(
        left=max(one.left, other.left),
        top=max(one.top, other.top),
        right=min(one.right, other.right),
        bottom=min(one.bottom, other.bottom),
    )


@njit
def is_empty(clip):
    """Return whether a Clip holds no pixel."""
    return clip.left >= clip.right or clip.top >= clip.bottom
