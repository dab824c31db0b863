"""Filling of outlines: from closed contours to the share of each pixel that they cover.

Outlines are cut into columns of pixels. What an edge changes is written where it crosses a column; sums over the rows,
from the top down, then give the coverage of all pixels of a row at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from capbench.render.kernel.mask import WORD, blocks


@njit
def fill_hard(outline, clip, words):
    """Fill a mask with 255 at the pixels of a Clip whose middle lies inside an outline.

    `words` are uint64 [row, word], eight pixels each. They are 0 before, and have a row and a word to spare.
    """
    mask = words.view(np.uint8)
    _toggle(outline, clip, mask)
    for word in range(clip.left // WORD, (clip.right + WORD - 1) // WORD):
        inside = np.uint64(0)
        for y in range(clip.top, clip.bottom):
            inside ^= words[np.uint64(y), np.uint64(word)]
            words[np.uint64(y), np.uint64(word)] = inside
        words[clip.bottom, word] = 0


@njit
def _toggle(outline, clip, mask):
    """Invert the pixel below each place where an outline crosses the middle line of a column."""
    top, bottom = float(clip.top), float(clip.bottom)
    start = outline.contours[0]
    for contour in range(len(outline.contours) - 1):
        begin, end = outline.contours[contour] - start, outline.contours[contour + 1] - start - 1
        for point in range(begin, end):
            x1, y1 = outline.x[np.uint64(point)], outline.y[np.uint64(point)]
            x2, y2 = outline.x[np.uint64(point + 1)], outline.y[np.uint64(point + 1)]
            if x1 > x2:
                x1, y1, x2, y2 = x2, y2, x1, y1
            first, beyond = max(clip.left, math.ceil(x1 - 0.5)), min(clip.right, math.ceil(x2 - 0.5))
            if first >= beyond:
                continue
            slope = (y2 - y1) / (x2 - x1)
            y = y1 + (first + 0.5 - x1) * slope + 0.5
            for x in range(first, beyond):
                mask[np.uint64(int(min(max(y, top), bottom))), np.uint64(x)] ^= np.uint8(255)
                y += slope


@njit
def fill_soft(outline, clip, area, sums, mask):
    """Fill a mask with the coverage, 0 to 255, of the pixels of a Clip by an outline.

    `area`, float32 [row, column], is 0 before and after, and has two rows to spare; `sums` is float32 [column].
    """
    start = outline.contours[0]
    for contour in range(len(outline.contours) - 1):
        begin, end = outline.contours[contour] - start, outline.contours[contour + 1] - start - 1
        for point in range(begin, end):
            x1, y1, x2, y2 = outline.x[point], outline.y[point], outline.x[point + 1], outline.y[point + 1]
            way = 1.0
            if x1 > x2:
                x1, y1, x2, y2, way = x2, y2, x1, y1, -1.0
            first, beyond = max(clip.left, math.floor(x1)), min(clip.right, math.ceil(x2))
            if first >= beyond or x1 == x2:
                continue
            slope = (y2 - y1) / (x2 - x1)
            for x in range(first, beyond):
                near, far = max(x1, float(x)), min(x2, x + 1.0)
                _cut_column(area, clip, x, y1 + (near - x1) * slope, y1 + (far - x1) * slope, way * (far - near))
    _sum_down(clip, area, sums, mask)


@njit
def _cut_column(area, clip, x, y1, y2, part):
    """Note that all below a piece of an edge is covered; the piece takes a signed `part` of the column's width."""
    low, high = min(y1, y2), max(y1, y2)
    if low < clip.top or high > clip.bottom:
        low, high, part = _cut_rows(area, clip, x, low, high, part)
    if low >= clip.bottom:
        return
    row = int(low)
    if high <= row + 1:
        _share_out(area, row, x, part, (low + high) / 2 - row)
        return
    rate = part / (high - low)
    while low < high:
        end = min(high, row + 1.0)
        _share_out(area, row, x, rate * (end - low), (low + end) / 2 - row)
        low = end
        row += 1


@njit
def _cut_rows(area, clip, x, low, high, part):
    """Return the rows of a piece that are visible, low and high, and its part of the column's width in them."""
    top, bottom = float(clip.top), float(clip.bottom)
    rate = part / max(high - low, 1e-9)
    if low < top:
        above = part if high <= top else rate * (top - low)
        area[clip.top, x] += np.float32(above)
        part -= above
        low = top
    if high > bottom:
        part -= rate * (high - max(low, bottom))
        high = bottom
    return (low, high, part) if low < high else (bottom, bottom, 0.0)


@njit(inline="always")
def _share_out(area, row, x, part, down):
    """Add what a piece of an edge covers to its pixel, of which a share `down` lies above the piece, and to the next."""
    below = part * down
    area[np.uint64(row), np.uint64(x)] += np.float32(part - below)
    area[np.uint64(row + 1), np.uint64(x)] += np.float32(below)


@njit
def _sum_down(clip, area, sums, mask):
    """Fill the mask from what the edges change, and empty `area`."""
    whole, half, zero = np.float32(255.0), np.float32(0.5), np.float32(0.0)
    first, beyond = blocks(clip)
    sums[first:beyond] = zero
    for row in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        for x in range(first, beyond):
            total = sums[x] + area[row, x]
            sums[x] = total
            area[row, x] = zero
            mask[row, x] = np.uint8(min(abs(total) * whole + half, whole))
    area[clip.bottom, clip.left : clip.right] = zero
