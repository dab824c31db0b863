"""Points of a glyph that fall on a row of pixels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from capbench.render.kernel.draws import Range

FIXED = np.uint64(16)  # fractional bits of a fixed-point coordinate


class Points(NamedTuple):
    """Points that fall on a row: at its column x (u + du·x, v + dv·x), across and down."""

    u: float
    v: float
    du: float
    dv: float


RUN = np.dtype(
    [
        ("y", "i8"),  # row of the picture
        ("first", "i8"),  # column
        ("beyond", "i8"),  # column after the last
        ("u", "f8"),  # Points of the row
        ("v", "f8"),
        ("du", "f8"),
        ("dv", "f8"),
    ],
    align=True,
)
"""Pixels of a row that show texels of a glyph"""


@njit
def seen(points, wide, high, columns):
    """Return the first column, of a Range, whose point falls on `wide` × `high` texels, and the column after the last."""
    columns = _inside(points.u, points.du, wide, columns)
    columns = _inside(points.v, points.dv, high, columns)
    return math.ceil(columns.low), math.floor(columns.high) + 1


@njit(inline="always")
def _inside(origin, step, size, columns):
    """Return the part of a Range of x where origin + step·x lies in [0, size), with a margin of 0.02."""
    least, most = 0.02, size - 0.02
    if abs(step) < 1e-9:
        return columns if least <= origin <= most else Range(1.0, 0.0)
    one, two = (least - origin) / step, (most - origin) / step
    return Range(max(columns.low, min(one, two)), min(columns.high, max(one, two)))


@njit
def fixed(points, column):
    """Return u and v at a column, and du and dv, of Points or a RUN as fixed-point numbers."""
    u, v = points.u + points.du * column, points.v + points.dv * column
    du, dv = np.int64(points.du * 65536.0), np.int64(points.dv * 65536.0)
    return np.uint64(u * 65536.0), np.uint64(v * 65536.0), np.uint64(du), np.uint64(dv)
