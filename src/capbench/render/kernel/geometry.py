"""Geometry of a character: from points of the picture to points of its glyph."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from capbench.render.kernel.atlas import BORDER, ENLARGED
from capbench.render.kernel.draws import CORNERS, SLANT, TURN, Range, between, draw_character
from capbench.render.kernel.points import Points, seen

POSE = 8  # numbers of a Pose without its lift, the last one
NATURAL_ROOM = 0.35  # share of the tile by which a warped glyph may extend beyond it


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
    lean, _, _, _ = draw_character(sample, place, SLANT)
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
        slant=between(look.slant, lean),
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
def clip_of(look, pose, frame, height, width):
    """Return the pixels of a picture of that height and width that a character may touch."""
    room = 0.0 if look.stretch else NATURAL_ROOM
    left, top = frame.left, frame.top
    room_x = room * pose.width + abs(pose.slant) * pose.height / 2
    return Clip(
        left=max(0, math.floor((left - room_x) * frame.squeeze)),
        top=max(0, math.floor(top - room * pose.height)),
        right=min(width, math.ceil((left + pose.width + room_x) * frame.squeeze)),
        bottom=min(height, math.ceil(top + (1.0 + room) * pose.height)),
    )


@njit
def full_size(pose):
    """Return width and height of a character's quadrilateral: its tile with the corners moved."""
    return pose.width + abs(pose.x1) + abs(pose.x2), pose.height + abs(pose.y1) + abs(pose.y2)


@njit
def find_runs(fade, size, pose, turn, frame, clip, texels, runs):
    """Fill `runs`, RUN [row], with the pixels that show a character, and return the number of rows.

    The mapping from picture to glyph passes through the tile, its quadrilateral with moved corners, the turned ink
    stretched to the quadrilateral's size, and the turn. Along a row, both coordinates of the glyph change at a constant
    rate. With `fade` the texels are those of the stretched ink.
    """
    full_w, full_h = full_size(pose)
    wide, high, columns = texels.columns, texels.rows, Range(float(clip.left), float(clip.right))
    count = 0
    for y in range(clip.top, clip.bottom):
        points = _points_of_tile(pose, full_w, full_h, y + 0.5 - frame.top)
        if not fade:
            points = _points_of_glyph(points, full_w, full_h, turn, pose.slant, size)
        points = _points_of_picture(points, frame)
        first, beyond = seen(points, wide, high, columns)
        beyond = min(beyond, clip.right)
        if first < beyond:
            run = runs[count]
            run.y, run.first, run.beyond = y, first, beyond
            run.u, run.v, run.du, run.dv = points.u, points.v, points.du, points.dv
            count += 1
    return count


@njit
def _points_of_tile(pose, full_w, full_h, down):
    """Return the points of a character's quadrilateral along a row of its tile, `down` pixels below the tile's top."""
    width, height, x1, y1, x2, y2 = pose.width, pose.height, pose.x1, pose.y1, pose.x2, pose.y2
    return Points(
        u=x1 - 2.0 * x1 * down / height,
        v=y1 + (full_h - y2 - y1) * down / height,
        du=(full_w - x2 - x1) / width + 2.0 * (x1 + x2) * down / (width * height),
        dv=-2.0 * y1 / width + 2.0 * (y1 + y2) * down / (width * height),
    )


@njit
def _points_of_glyph(points, full_w, full_h, turn, slant, size):
    """Return the texels of a glyph, from points of its quadrilateral.

    The quadrilateral is shrunk to the turned ink, the turn and the slant are undone, and pixels enlarged to texels.
    """
    at_x, at_y = points.u * turn.width / full_w - turn.width / 2, points.v * turn.height / full_h - turn.height / 2
    step_x, step_y = points.du * turn.width / full_w, points.dv * turn.height / full_h
    u, v = turn.cos * at_x + turn.sin * at_y, turn.cos * at_y - turn.sin * at_x
    du, dv = turn.cos * step_x + turn.sin * step_y, turn.cos * step_y - turn.sin * step_x
    return Points(
        u=(u - slant * v + size.ink_w / 2) * ENLARGED + BORDER,
        v=(v + size.ink_h / 2) * ENLARGED + BORDER,
        du=(du - slant * dv) * ENLARGED,
        dv=dv * ENLARGED,
    )


@njit
def _points_of_picture(points, frame):
    """Return points along a row of the picture, from points along a row of a tile."""
    du, dv = points.du / frame.squeeze, points.dv / frame.squeeze
    before = 0.5 - frame.left * frame.squeeze
    return Points(points.u + du * before, points.v + dv * before, du, dv)
