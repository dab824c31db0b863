"""Tracing of curves through a black and white picture, column by column; compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

STEADY = 0.85  # share of a curve's slope kept from column to column, since one pixel gives only a coarse slope


@njit(nogil=True, cache=True)
def erase_curves(picture, thickness, length, gap):
    """Return a copy of uint8 [height, width] without the curves that were found in at least `length` columns.

    In each column, a run of ink up to `thickness` pixels high continues the curve that heads for its middle, or begins
    a new curve. A curve may be lost for up to `gap` columns.
    """
    height, width = picture.shape
    most = height * width // 2 + 1
    # State of each curve: its last middle, its slope, its last column, and in how many columns it was found.
    middle, slope = np.empty(most), np.empty(most)
    column, seen = np.empty(most, np.int64), np.empty(most, np.int64)
    # Each run of ink: column, top, bottom, and the curve that it belongs to or -1.
    runs = np.empty((most, 4), np.int64)
    curves, known = 0, 0
    first = 0  # the first curve that may still continue
    for x in range(width):
        begun = known
        top = -1
        for y in range(height + 1):
            ink = y < height and picture[y, x] > 0
            if ink and top < 0:
                top = y
            elif not ink and top >= 0:
                if y - top <= thickness:
                    runs[known] = x, top, y, -1
                    known += 1
                top = -1
        while first < curves and x - column[first] > gap + 1:
            first += 1
        for curve in range(first, curves):
            away = x - column[curve]
            if away > gap + 1:
                continue
            heading = middle[curve] + slope[curve] * away
            nearest, best = -1, 1.0 + thickness / 4 + 0.15 * (away - 1)
            for run in range(begun, known):
                off = abs((runs[run, 1] + runs[run, 2] - 1) / 2 - heading)
                if off < best and runs[run, 3] < 0:
                    nearest, best = run, off
            if nearest < 0:
                continue
            here = (runs[nearest, 1] + runs[nearest, 2] - 1) / 2
            slope[curve] = STEADY * slope[curve] + (1 - STEADY) * (here - middle[curve]) / away
            middle[curve], column[curve] = here, x
            seen[curve] += 1
            runs[nearest, 3] = curve
        for run in range(begun, known):
            if runs[run, 3] < 0:
                middle[curves] = (runs[run, 1] + runs[run, 2] - 1) / 2
                slope[curves], column[curves], seen[curves] = 0.0, x, 1
                runs[run, 3] = curves
                curves += 1
    cleaned = picture.copy()
    for run in range(known):
        if seen[runs[run, 3]] >= length:
            cleaned[runs[run, 1] : runs[run, 2], runs[run, 0]] = 0
    return cleaned
