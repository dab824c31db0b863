"""Outlines traced from the coverage of a glyph."""

from __future__ import annotations

import cv2
import numpy as np

# Sides of a cell between four pixels.
TOP, RIGHT, BOTTOM, LEFT = range(4)
# Sides at which an outline enters and leaves a cell, inside to its right, by the corners of the cell that are inside
# (1: top left, 2: top right, 4: bottom right, 8: bottom left).
ENTERED = np.array([0, TOP, RIGHT, RIGHT, BOTTOM, TOP, BOTTOM, BOTTOM, LEFT, TOP, RIGHT, RIGHT, LEFT, TOP, LEFT, 0])
LEFT_AT = np.array([0, LEFT, TOP, LEFT, RIGHT, LEFT, TOP, LEFT, BOTTOM, BOTTOM, TOP, BOTTOM, RIGHT, RIGHT, TOP, 0])
# Those of a second piece, in a cell of which two opposite corners are inside.
OPPOSITE = {5: (BOTTOM, RIGHT), 10: (LEFT, BOTTOM)}


def traced(ink: np.ndarray, level: float, tolerance: float) -> list[np.ndarray]:
    """Return the closed outlines of the points where a coverage, uint8 [height, width], is at least `level`.

    Between the middles of pixels the coverage is interpolated, and around them it is 0. Each outline is float64
    [point, 2], x and y in pixels from the corner of the picture, and ends at the point at which it begins; what is
    inside lies to its right. It is simplified by up to `tolerance` pixels.
    """
    field = np.pad(ink, 1)
    following = _following(field >= level)
    found = []
    while following:
        first, at = following.popitem()
        ring = [first]
        while at != first:
            ring.append(at)
            at = following.pop(at)
        places = _crossings(field, np.array(ring), level)
        points = cv2.approxPolyDP(places.astype(np.float32), tolerance, True)[:, 0].astype(np.float64)
        if len(points) > 2:
            found.append(np.concatenate([points, points[:1]]))
    return found


def _following(inside: np.ndarray) -> dict[int, int]:
    """Return by each crossing of a line between two pixels the next one on the outline.

    The crossing between a pixel and its right neighbour has the pixel's index as its number; the one between a pixel
    and its lower neighbour has that index plus the number of pixels.
    """
    rows, columns = inside.shape
    bits = inside.astype(np.uint8)
    corners = bits[:-1, :-1] + 2 * bits[:-1, 1:] + 4 * bits[1:, 1:] + 8 * bits[1:, :-1]
    y, x = np.nonzero(corners % 15)
    cells, kinds = y * columns + x, corners[y, x]
    shifts = np.array([0, rows * columns + 1, columns, rows * columns])
    following = dict(
        zip((cells + shifts[ENTERED[kinds]]).tolist(), (cells + shifts[LEFT_AT[kinds]]).tolist(), strict=True)
    )
    for kind, (enters, leaves) in OPPOSITE.items():
        for cell in cells[kinds == kind].tolist():
            following[cell + int(shifts[enters])] = cell + int(shifts[leaves])
    return following


def _crossings(field: np.ndarray, numbers: np.ndarray, level: float) -> np.ndarray:
    """Return where the level is crossed, float64 [crossing, 2], x and y in pixels, by the numbers of the crossings."""
    columns = field.shape[1]
    down, pixels = numbers // field.size, numbers % field.size
    flat = field.ravel()
    here, beyond = flat[pixels].astype(np.float64), flat[pixels + np.where(down, columns, 1)]
    share = (level - here) / (beyond - here)
    y, x = pixels // columns, pixels % columns
    return np.stack([x + share * (1 - down), y + share * down], axis=1) - 0.5  # the field has a border of one pixel
