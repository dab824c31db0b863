"""Mask of an item: the share of each pixel of the picture that it covers, 0 to 255."""

from __future__ import annotations

import numpy as np
from numba import njit

WORD = 8  # pixels of a mask that are held in one number of 64 bits
BLOCK = 32  # pixels that are blended at once


@njit(inline="always")
def padded(width):
    """Return the width of a row of whole blocks, with one to spare."""
    return (width // BLOCK + 1) * BLOCK


@njit
def blend(planes, levels, opacity, clip, mask):
    """Blend the pixels of a Clip with a colour where a mask covers them.

    `opacity` is 0 to 255. The mask is 0 in the blocks around the Clip.
    """
    first, beyond = blocks(clip)
    strength = np.uint16(opacity)
    for channel in range(len(planes)):
        level = np.uint16(levels[channel] + 0.5)
        plane = planes[channel]
        for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
            for x in range(first, beyond):
                share = _per_255(np.uint16(np.uint16(mask[y, x]) * strength))
                kept = np.uint16(np.uint16(plane[y, x]) * np.uint16(np.uint16(255) - share))
                plane[y, x] = np.uint8(_per_255(np.uint16(kept + np.uint16(level * share))))


@njit(inline="always")
def blocks(clip):
    """Return the first column of the first block of a Clip and the one after its last block."""
    return np.uint64(clip.left // BLOCK * BLOCK), np.uint64((clip.right + BLOCK - 1) // BLOCK * BLOCK)


@njit
def clear(clip, mask):
    """Empty a mask in the blocks of a Clip."""
    first, beyond = blocks(clip)
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        for x in range(first, beyond):
            mask[y, x] = np.uint8(0)


@njit(inline="always")
def _per_255(product):
    """Return a product of two numbers up to 255, uint16, divided by 255 and rounded, as Pillow does it."""
    half = np.uint16(product + np.uint16(128))
    return np.uint16(np.uint16(half + np.uint16(half >> np.uint16(8))) >> np.uint16(8))


@njit
def copy(source, target, count):
    """Copy the first `count` pixels of a row."""
    for x in range(np.uint64(count)):
        target[x] = source[x]


@njit
def harden(clip, mask):
    """Count a coverage of at least 128 as full, else as none."""
    for y in range(np.uint64(clip.top), np.uint64(clip.bottom)):
        for x in range(np.uint64(clip.left), np.uint64(clip.right)):
            mask[y, x] = np.uint8(255 if mask[y, x] >= np.uint8(128) else 0)
