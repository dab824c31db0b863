"""Random numbers as a pure function of (seed, sample, stream, place).

The generator is Philox 4×32 with ten rounds (Salmon et al., 2011). Each random number of a sample has a fixed place, so
that leaving out the dots does not move the characters. The kernel's docstring lists the places.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Streams, one for each purpose of the numbers. Noise layer k has the stream NOISE + k.
TEXT, PICTURE, CHARACTER, NOISE = 0, 1, 2, 16

_MULTIPLY_0 = np.uint64(0xD2511F53)
_MULTIPLY_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_UNIT = 1.0 / 4294967296.0


@njit(nogil=True, cache=True, inline="always")
def philox(key, counter_low, counter_high):
    """Return four 32-bit numbers for a 64-bit key and a 128-bit counter."""
    k0 = np.uint64(key) & _LOW
    k1 = np.uint64(key) >> _HALF
    c0 = np.uint64(counter_low) & _LOW
    c1 = np.uint64(counter_low) >> _HALF
    c2 = np.uint64(counter_high) & _LOW
    c3 = np.uint64(counter_high) >> _HALF
    for _ in range(10):
        p0 = _MULTIPLY_0 * c0
        p1 = _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@njit(nogil=True, cache=True)
def draw(seed, index, stream, place):
    """Return four numbers from 0 to below 1."""
    a, b, c, d = philox(np.uint64(seed), np.uint64(index), (np.uint64(stream) << _HALF) | np.uint64(place))
    return a * _UNIT, b * _UNIT, c * _UNIT, d * _UNIT


@njit(nogil=True, cache=True, inline="always")
def between(low, high, share):
    """Return the number that lies at `share`, 0 to 1, of the way from `low` to `high`."""
    return low + (high - low) * share


@njit(nogil=True, cache=True, inline="always")
def whole_between(low, high, share):
    """Return a whole number from `low` to `high`, both included, for a `share` from 0 to below 1."""
    return int(low + math.floor((high - low + 1.0) * share))
