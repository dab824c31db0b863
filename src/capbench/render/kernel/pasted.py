"""Bending of a character, pixel by pixel, as the captcha package does it.

The package turns the ink, stretches the turned pixels to the size of their place, and moves the corners. The pictures
between these steps have transparency: a point that is hardly covered keeps the full colour of the ink, and its
transparency is ignored afterwards. So characters are thicker than in the font, and their edges have no half-tones and
are frayed differently at every angle, which a network learns from.

This module does the same in 8 bits, with a filter that does not widen when the ink shrinks. Of the pixels that are ink
in either result, 97 of 100 are ink in both.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.atlas import ENLARGED
from capbench.render.kernel.draws import Range
from capbench.render.kernel.geometry import full_size
from capbench.render.kernel.mask import BLOCK

EDGE = 0.02  # pixels or texels by which a point must lie inside
SPREAD = 2.0  # pixels, more than ink spreads
STEP = np.uint64(BLOCK)
LANES = 16  # pixels whose places are found at once
PHASES = 256  # positions between two pixels
WHOLE = 64  # sum of the weights of four neighbours; a larger sum would not fit 16 bits


def _bicubic_shares() -> np.ndarray:
    """Return the weights of the four pixels around a point, int16 [phase, 4], times WHOLE."""
    ahead = (np.arange(PHASES) + 0.5)[:, None] / PHASES
    away = np.abs(ahead - np.array([-1.0, 0.0, 1.0, 2.0]))
    near = (1.5 * away - 2.5) * away**2 + 1.0
    far = ((2.5 - 0.5 * away) * away - 4.0) * away + 2.0
    shares = np.rint(np.where(away < 1, near, far) * WHOLE)
    shares[:, 1] += WHOLE - shares.sum(axis=1)
    return shares.astype(np.int16)


SHARES = _bicubic_shares()


@njit
def rooms(sizes, warp_x, warp_y):
    """Return the numbers of pixels and of lines that buffers of `paste` need for the largest of these glyphs.

    `sizes` are Atlas.sizes. `warp_x` and `warp_y` are the furthest moves of a corner as shares of the tile's width and
    height.
    """
    side = 0.0
    for face in range(sizes.shape[0]):
        for symbol in range(sizes.shape[1]):
            size = sizes[face, symbol]
            wide, high = size.tile_w * (1 + 2 * warp_x), size.tile_h * (1 + 2 * warp_y)
            turned = (math.hypot(size.ink_w, size.ink_h) + 2) * (1 + 2 * max(warp_x, warp_y))
            side = max(side, turned, wide, high)
    lines = _padded(math.ceil(side))
    return lines * lines, lines


@njit
def paste(texels, size, turn, pose, frame, clip, bent, runs, places, mask):
    """Fill the pixels of a mask that show ink with 255; the mask is 0 before.

    `texels` are the enlarged glyph and `size` its measures. `bent` are uint8 [2, pixel], `runs` int64 [6, line] and
    `places` uint32 [longest line and LANES]; they only hold what is computed in between.
    """
    full_w, full_h = full_size(pose)
    stride = _bend(texels, turn, int(full_w), int(full_h), bent, runs, places)
    _find_runs(size, turn, pose, frame, clip, runs)
    _look_up(clip, stride, bent[1], runs, places, mask)


@njit
def _bend(texels, turn, full_w, full_h, bent, runs, places):
    """Fill the second buffer with the ink turned and stretched to `full_w` × `full_h` pixels; return its pixels per row.

    The turned ink is written column by column, [turned width, turned height], since stretching mixes whole rows of an
    array at once; then it is transposed and stretched along the other axis. Rows are padded to whole vectors of the
    processor.
    """
    one, two = bent[0], bent[1]
    padded_w, padded_h = _padded(full_w), _padded(turn.height)
    _turn(texels, turn, padded_h, runs, places, one)
    _stretch(one, turn.width, padded_h, full_w, False, two)
    for y in range(np.uint64(turn.height)):
        for x in range(np.uint64(full_w)):
            one[y * np.uint64(padded_w) + x] = two[x * np.uint64(padded_h) + y]
    _stretch(one, turn.height, padded_w, full_h, True, two)
    return padded_w


@njit(inline="always")
def _padded(count):
    """Return the count rounded up to whole blocks."""
    return (count + BLOCK - 1) // BLOCK * BLOCK


@njit
def _turn(texels, turn, stride, runs, places, turned):
    """Fill `turned`, uint8 [turned width · stride], with the turned ink's coverage, 0 outside the ink's box."""
    ink = texels.ink
    for place in range(np.uint64(turn.width * stride)):
        turned[place] = 0
    du, dv = turn.sin * ENLARGED, turn.cos * ENLARGED
    for x in range(turn.width):
        at_x, at_y = x + 0.5 - turn.width / 2, 0.5 - turn.height / 2
        u = (turn.cos * at_x + turn.sin * at_y) * ENLARGED + texels.columns / 2
        v = (turn.cos * at_y - turn.sin * at_x) * ENLARGED + texels.rows / 2
        across, along = _inside(u, du, 0.0, texels.columns), _inside(v, dv, 0.0, texels.rows)
        first = math.ceil(max(0.0, across.low, along.low))
        runs[0, x], runs[1, x] = first, math.floor(min(turn.height - 1.0, across.high, along.high)) + 1
        runs[2, x], runs[3, x] = np.int64((u + du * first) * 65536.0), np.int64((v + dv * first) * 65536.0)
    step_u, step_v = np.int32(du * 65536.0), np.int32(dv * 65536.0)
    for x in range(turn.width):
        count = runs[1, x] - runs[0, x]
        _find_places(
            np.int32(runs[2, x]), np.int32(runs[3, x]), step_u, step_v, np.int32(texels.columns), count, places
        )
        _take(ink, places, count, turned, x * stride + runs[0, x])


@njit
def _find_runs(size, turn, pose, frame, clip, runs):
    """Fill `runs`, int64 [6, row], with the pixels of each row of a Clip that may show ink, and with their points.

    The numbers are the first column and the one after the last, and in fixed point the column and the row of the
    stretched ink at the first, and their changes from pixel to pixel.
    """
    full_w, full_h = full_size(pose)
    width, height, x1, y1, x2, y2 = pose.width, pose.height, pose.x1, pose.y1, pose.x2, pose.y2
    scale, share = 1.0 / (frame.squeeze * width), 1.0 / height
    right = clip.left + 0.5 - frame.left * frame.squeeze
    shrink_x, shrink_y = turn.width / full_w, turn.height / full_h
    wide, high, columns = size.ink_w / 2 + SPREAD, size.ink_h / 2 + SPREAD, float(clip.right - clip.left)
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        down = (y + 0.5 - frame.top) * share
        du = ((full_w - x2 - x1) + 2.0 * (x1 + x2) * down) * scale
        dv = (2.0 * (y1 + y2) * down - 2.0 * y1) * scale
        u = x1 - 2.0 * x1 * down + du * right
        v = y1 + (full_h - y2 - y1) * down + dv * right
        at_x, at_y = u * shrink_x - turn.width / 2, v * shrink_y - turn.height / 2
        step_x, step_y = du * shrink_x, dv * shrink_y
        one, two = _inside(u, du, 0.0, full_w), _inside(v, dv, 0.0, full_h)
        three = _inside(turn.cos * at_x + turn.sin * at_y, turn.cos * step_x + turn.sin * step_y, -wide, wide)
        four = _inside(turn.cos * at_y - turn.sin * at_x, turn.cos * step_y - turn.sin * step_x, -high, high)
        first = math.ceil(max(0.0, one.low, two.low, three.low, four.low))
        last = math.floor(min(columns - 1.0, one.high, two.high, three.high, four.high))
        runs[0, y], runs[1, y] = clip.left + np.int64(first), clip.left + np.int64(last) + 1
        runs[2, y], runs[3, y] = np.int64((u + du * first) * 65536.0), np.int64((v + dv * first) * 65536.0)
        runs[4, y], runs[5, y] = np.int64(du * 65536.0), np.int64(dv * 65536.0)


@njit(inline="always")
def _inside(origin, step, least, most):
    """Return the Range of x where origin + step·x lies between two numbers, with a margin of EDGE."""
    share = 1.0 / (step if abs(step) > 1e-6 else 1e-6)
    one, two = (least + EDGE - origin) * share, (most - EDGE - origin) * share
    return Range(max(min(one, two), -1e6), min(max(one, two), 1e6))


@njit
def _look_up(clip, stride, ink, runs, places, mask):
    """Fill the mask with the ink at the points that fall on the pixels of the runs; `ink` has `stride` pixels a row."""
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        count = runs[1, y] - runs[0, y]
        if count > 0:
            u, v, du, dv = np.int32(runs[2, y]), np.int32(runs[3, y]), np.int32(runs[4, y]), np.int32(runs[5, y])
            _find_places(u, v, du, dv, np.int32(stride), count, places)
            _take(ink, places, count, mask[y], runs[0, y])


@njit
def _find_places(u, v, du, dv, stride, count, places):
    """Fill `places`, uint32, with the index of each pixel of a run in ink of `stride` pixels a row."""
    for x in range(np.uint64((count + LANES - 1) // LANES * LANES)):
        at = np.int32(x)
        row = np.int32(np.int32(v + np.int32(dv * at)) >> np.int32(16))
        column = np.int32(np.int32(u + np.int32(du * at)) >> np.int32(16))
        places[x] = np.uint32(np.int32(np.int32(row * stride) + column))


@njit
def _take(ink, places, count, target, first):
    """Fill a part of a row with the ink at places."""
    beyond, start = np.uint64(count), np.uint64(first)
    for x in range(beyond):
        target[start + x] = ink[np.uint64(places[x])]


@njit
def _stretch(source, rows, stride, wanted, full, target):
    """Resize uint8 [rows, stride] to [wanted, stride] by bicubic interpolation; pixels beyond an edge repeat it.

    With `full` all that is above 0 becomes 255.
    """
    last, columns, share = rows - 1, np.uint64(stride), rows / wanted
    for to in range(wanted):
        middle = (to + 0.5) * share - 0.5
        before = math.floor(middle)
        phase = int((middle - before) * PHASES)
        a, b, c, d = SHARES[phase, 0], SHARES[phase, 1], SHARES[phase, 2], SHARES[phase, 3]
        one, two = np.uint64(max(before - 1, 0) * stride), np.uint64(max(before, 0) * stride)
        three, four = np.uint64(min(before + 1, last) * stride), np.uint64(min(before + 2, last) * stride)
        line = np.uint64(to * stride)
        for start in range(np.uint64(0), columns, STEP):
            for at in range(start, start + STEP):
                # All of it in 16 bits, so that the processor computes many values at once.
                upper = np.int16(np.int16(source[one + at]) * a) + np.int16(np.int16(source[two + at]) * b)
                lower = np.int16(np.int16(source[three + at]) * c) + np.int16(np.int16(source[four + at]) * d)
                mixed = np.int16(np.int16(upper) + np.int16(lower))
                if full:
                    target[line + at] = np.uint8(255 if mixed >= np.int16(WHOLE) else 0)
                else:
                    target[line + at] = np.uint8(min(max(mixed, np.int16(0)), np.int16(255 * WHOLE)) >> np.int16(6))
