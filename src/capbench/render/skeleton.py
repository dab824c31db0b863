"""The middle lines of what is drawn, one point wide, as Zhang and Suen thin it."""

from __future__ import annotations

import cv2
import numpy as np

AROUND = [(0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0)]
"""Row and column of the eight neighbours among three by three points, from above, clockwise."""


def skeleton(ink: np.ndarray) -> np.ndarray:
    """bool [row, column] of the same. Points on the edge go, in turns of two sides, until all lines are thin."""
    left = ink.astype(np.uint8)
    turn, still = 0, 0
    while still < 2:
        neighbours = cv2.filter2D(left, cv2.CV_8U, BITS, borderType=cv2.BORDER_CONSTANT)
        gone = left & REMOVABLE[turn][neighbours]
        left ^= gone
        still = 0 if gone.any() else still + 1
        turn = 1 - turn
    return left.astype(bool)


def _bits() -> np.ndarray:
    """A number for each neighbour; their sum tells which are there."""
    bits = np.zeros((3, 3), dtype=np.float32)
    for number, place in enumerate(AROUND):
        bits[place] = 1 << number
    return bits


def _removable() -> np.ndarray:
    """uint8 [turn, neighbours]: whether a point can go without parting or shortening a line.

    On the lower right edge in one turn, on the upper left one in the other.
    """
    there = (np.arange(256) >> np.arange(8)[:, None] & 1).astype(bool)
    number = there.sum(0)
    begins = (~there & np.roll(there, -1, 0)).sum(0)  # of ink, on the way around
    above, right, below, left = there[::2]
    inside = [
        (above & right & below) | (right & below & left),
        (above & right & left) | (above & below & left),
    ]
    return np.stack([(number >= 2) & (number <= 6) & (begins == 1) & ~within for within in inside]).astype(np.uint8)


BITS, REMOVABLE = _bits(), _removable()
