"""Glyphs of a style, as the kernel reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

SIZE = np.dtype(
    [
        ("ink_w", "f8"),
        ("ink_h", "f8"),
        ("tile_w", "f8"),  # of the glyph's place on the line
        ("tile_h", "f8"),
        ("drop", "f8"),  # how far the ink's centre lies below the line's centre
        ("scale_x", "f8"),  # from the points of the outline
        ("scale_y", "f8"),
    ],
    align=True,
)
"""Measures of a glyph in pixels"""


ENLARGED = 3  # texels per pixel, along each axis
BORDER = 2  # empty texels around each glyph, so that a rounded address stays inside


class Atlas(NamedTuple):
    """Glyphs of all faces and symbols of a style: as outlines, or with `fade` as enlarged pixels.

    The last symbol is the space, which has a tile and no ink. Outlined faces follow the filled faces.
    """

    points: np.ndarray
    """float64 [2, point], x and y of all outlines' points from the middle of the glyph's ink; sizes share an outline"""
    contours: np.ndarray
    """int64 [contour + 1], the index of each contour's first point; its last point repeats the first"""
    glyphs: np.ndarray
    """int64 [face, symbol, 2], the number of each glyph's first contour, and of the one after its last"""
    ink: np.ndarray
    """uint8, the coverage of all enlarged glyphs, one after another"""
    start: np.ndarray
    """int64 [face, symbol], the index in `ink` at which each enlarged glyph begins"""
    shape: np.ndarray
    """int64 [face, symbol, 2], rows and columns of texels of each enlarged glyph, borders included"""
    sizes: np.ndarray
    """SIZE [face, symbol]"""


class Outline(NamedTuple):
    """Closed contours of straight pieces."""

    x: np.ndarray
    """float64 [point]"""
    y: np.ndarray
    """float64 [point]"""
    contours: np.ndarray
    """int64 [contour + 1], the number of each contour's first point, counted from any; its last point repeats the first"""


@njit
def outline_of(atlas, face, symbol):
    """Return the outline of a symbol in a face."""
    contours = atlas.contours[atlas.glyphs[face, symbol, 0] : atlas.glyphs[face, symbol, 1] + 1]
    first, beyond = contours[0], contours[-1]
    return Outline(atlas.points[0][first:beyond], atlas.points[1][first:beyond], contours)


class Texels(NamedTuple):
    """Coverage of an enlarged glyph."""

    ink: np.ndarray
    """uint8 [rows · columns]"""
    rows: int
    columns: int


@njit
def texels_of(atlas, face, symbol):
    """Return the enlarged glyph of a symbol in a face."""
    start = atlas.start[face, symbol]
    rows, columns = atlas.shape[face, symbol, 0], atlas.shape[face, symbol, 1]
    return Texels(atlas.ink[start : start + rows * columns], rows, columns)


@njit
def most_points(atlas):
    """Return the number of points of the largest outline."""
    most = 0
    for face in range(atlas.glyphs.shape[0]):
        for symbol in range(atlas.glyphs.shape[1]):
            first, beyond = atlas.glyphs[face, symbol, 0], atlas.glyphs[face, symbol, 1]
            most = max(most, atlas.contours[beyond] - atlas.contours[first])
    return most
