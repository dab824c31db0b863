"""Glyphs of a style, as the kernel reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

ENLARGED = 3  # texels per pixel, along each axis
BORDER = 2  # empty texels around each glyph, so that a rounded address stays inside


SIZE = np.dtype(
    [
        ("ink_w", "f8"),
        ("ink_h", "f8"),
        ("tile_w", "f8"),  # of the glyph's place on the line
        ("tile_h", "f8"),
        ("drop", "f8"),  # how far the ink's centre lies below the line's centre
    ],
    align=True,
)
"""Measures of a glyph in pixels"""


class Atlas(NamedTuple):
    """Glyphs of all faces and symbols of a style.

    The last symbol is the space, which has a tile and no ink. Outlined faces follow the filled faces.
    """

    ink: np.ndarray
    """uint8, the coverage of all enlarged glyphs, one after another"""
    start: np.ndarray
    """int64 [face, symbol], the index in `ink` at which each glyph begins"""
    shape: np.ndarray
    """int64 [face, symbol, 2], rows and columns of texels of each glyph, borders included"""
    sizes: np.ndarray
    """SIZE [face, symbol]"""


class Texels(NamedTuple):
    """Coverage of a glyph."""

    ink: np.ndarray
    """uint8 [rows · columns], or longer"""
    rows: int
    columns: int


@njit
def texels_of(atlas, face, symbol):
    """Return the enlarged glyph of a symbol in a face."""
    start = atlas.start[face, symbol]
    rows, columns = atlas.shape[face, symbol, 0], atlas.shape[face, symbol, 1]
    return Texels(atlas.ink[start : start + rows * columns], rows, columns)
