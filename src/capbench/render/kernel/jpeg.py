"""JPEG artefacts: what compression takes from a picture, without the compressed file.

Each 8×8 block of luminance, and of chrominance in half the size, is turned into frequencies, these are rounded to
multiples of the quality's steps, and turned back, in the 32-bit floating point that gives the same bytes on all processors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SIDE = 8  # pixels of a block
BIG = np.float32(12582912.0)  # 1.5 · 2^23: added and subtracted, it rounds a number of up to 22 bits

# Steps of luminance and of chrominance at quality 50, by vertical and horizontal frequency (ITU-T T.81, tables K.1, K.2).
LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
CHROMINANCE = np.full((SIDE, SIDE), 99)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def _cosines() -> np.ndarray:
    """Return the orthonormal cosine transform, float32 [frequency, place]."""
    frequency, place = np.mgrid[:SIDE, :SIDE]
    waves = np.cos((2 * place + 1) * frequency * np.pi / (2 * SIDE)) / 2
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


COSINES = _cosines()
TURNED = np.ascontiguousarray(COSINES.T)


def room(height: int, width: int, channels: int) -> int:
    """Return the numbers that `compress` needs for the largest of several pictures."""
    rows, columns = (-(-side // (2 * SIDE)) * 2 * SIDE for side in (height, width))
    return (1 if channels == 1 else 2) * rows * columns + 4 * SIDE * columns


@njit(inline="always")
def _padded(side):
    """Return a side of whole pairs of blocks."""
    return (side + 2 * SIDE - 1) // (2 * SIDE) * (2 * SIDE)


@njit
def compress(quality, picture, buffer):
    """Give a picture, uint8 [height, width, 1 or 3], the artefacts of JPEG; `buffer` is float32 [as `room` says]."""
    height, width, channels = picture.shape
    rows, columns = _padded(height), _padded(width)
    size = rows * columns
    work = buffer[: 4 * SIDE * columns].reshape(4, SIDE, columns)
    luma = buffer[work.size : work.size + size].reshape(rows, columns)
    pixels = picture.reshape(height, width * channels)
    if channels == 1:
        for y in range(height):
            _load(pixels[y], luma[y])
        _extend(height, width, luma)
        _quantise(quality, LUMINANCE, luma, work)
        for y in range(height):
            _store(luma[y], pixels[y])
        return
    half = buffer[work.size + size : work.size + size + size // 2].reshape(2, rows // 2, columns // 2)
    blue, red = half[0], half[1]
    _split(pixels, width, luma, blue, red, work)
    _quantise(quality, LUMINANCE, luma, work)
    _quantise(quality, CHROMINANCE, blue, work)
    _quantise(quality, CHROMINANCE, red, work)
    for y in range(height):
        _upsample(blue[: (height + 1) // 2], y, width, work[0, 0], work[1, 0])
        _upsample(red[: (height + 1) // 2], y, width, work[0, 0], work[1, 1])
        _join(luma[y], work[1, 0], work[1, 1], width, work[2].view(np.uint8), pixels[y])


@njit
def _load(pixels, row):
    """Fill a row of luminance from a row of pixels."""
    for x in range(np.uint64(len(pixels))):
        row[x] = np.float32(pixels[x]) - np.float32(128.0)


@njit
def _store(row, pixels):
    """Fill a row of pixels from a row of luminance."""
    for x in range(np.uint64(len(pixels))):
        pixels[x] = _byte(row[x])


@njit(inline="always")
def _byte(level):
    """Return a level from -128 to 127 as a byte."""
    return np.uint8(min(np.float32(255.0), max(np.float32(0.0), level + np.float32(128.5))))


@njit
def _extend(height, width, plane):
    """Repeat the last column and the last row of a plane up to its sides."""
    for y in range(height):
        plane[y, width:] = plane[y, width - 1]
    for y in range(height, len(plane)):
        for x in range(np.uint64(plane.shape[1])):
            plane[y, x] = plane[height - 1, x]


@njit
def _split(pixels, width, luma, blue, red, work):
    """Fill luminance, and in half the size both planes of chrominance, from rows of pixels, uint8 [height, 3 · width]."""
    height = len(pixels)
    for y in range(0, len(luma), 2):
        for lower in range(2):
            _separate(pixels[min(y + lower, height - 1)], width, work[2])
            _weigh(work[2, 0], work[2, 1], work[2, 2], luma[y + lower], work[0, lower], work[1, lower])
        _halve(work[0], blue[y // 2])
        _halve(work[1], red[y // 2])


@njit
def _separate(pixels, width, colours):
    """Fill three rows, float32 [colour, column], from a row of pixels; the last pixel is repeated."""
    for x in range(np.uint64(width)):
        at = np.uint64(3) * x
        colours[0, x] = np.float32(pixels[at])
        colours[1, x] = np.float32(pixels[at + np.uint64(1)])
        colours[2, x] = np.float32(pixels[at + np.uint64(2)])
    for colour in range(3):
        colours[colour, width:] = colours[colour, width - 1]


@njit
def _weigh(red, green, blue, luma, blues, reds):
    """Fill a row of luminance and of both kinds of chrominance from three rows of colours."""
    for x in range(np.uint64(len(luma))):
        light = np.float32(0.299) * red[x] + np.float32(0.587) * green[x] + np.float32(0.114) * blue[x]
        luma[x] = light - np.float32(128.0)
        blues[x] = np.float32(0.564334) * (blue[x] - light)
        reds[x] = np.float32(0.713267) * (red[x] - light)


@njit
def _halve(rows, row):
    """Fill a row with the means of squares of two by two of two rows."""
    quarter = np.float32(0.25)
    for x in range(np.uint64(len(row))):
        left = np.uint64(2) * x
        right = left + np.uint64(1)
        row[x] = (rows[0, left] + rows[0, right] + rows[1, left] + rows[1, right]) * quarter


@njit
def _upsample(half, y, width, line, row):
    """Fill a row with the chrominance of one row of the picture: the nearest value counts three times its neighbour."""
    near = y // 2
    other = min(max(near - 1 if y % 2 == 0 else near + 1, 0), len(half) - 1)
    three, share = np.float32(3.0), np.float32(1.0 / 16.0)
    count = (width + 1) // 2
    for x in range(np.uint64(count)):
        line[x] = (three * half[near, x] + half[other, x]) * share
    line[count] = line[count - 1]
    row[0], row[1] = line[0] * np.float32(4.0), three * line[0] + line[1]
    one, two = np.uint64(1), np.uint64(2)
    for x in range(one, np.uint64(count)):
        row[two * x] = three * line[x] + line[x - one]
        row[two * x + one] = three * line[x] + line[x + one]


@njit
def _join(luma, blue, red, width, bytes_of, pixels):
    """Fill a row of pixels, uint8 [3 · width]; `bytes_of` is a buffer, uint8 [3, column]."""
    reds, greens, blues = bytes_of[0], bytes_of[1], bytes_of[2]
    for x in range(np.uint64(width)):
        reds[x] = _byte(luma[x] + np.float32(1.402) * red[x])
        greens[x] = _byte(luma[x] - np.float32(0.344136) * blue[x] - np.float32(0.714136) * red[x])
        blues[x] = _byte(luma[x] + np.float32(1.772) * blue[x])
    for x in range(np.uint64(width)):
        at = np.uint64(3) * x
        pixels[at], pixels[at + np.uint64(1)], pixels[at + np.uint64(2)] = reds[x], greens[x], blues[x]


@njit
def _quantise(quality, table, plane, work):
    """Round the frequencies of all blocks of a plane, float32 [row, column], to steps of the quality."""
    rows, columns = plane.shape
    waves, turned, shares, steps = work[0], work[1], work[2], work[3]
    _fill_steps(quality, table, columns, shares, steps)
    for top in range(0, rows, SIDE):
        block = plane[top : top + SIDE]
        for row in range(SIDE):
            _mix(COSINES[row], block, columns, waves[row])
        _transpose(waves, columns, turned)
        for row in range(SIDE):
            _mix(COSINES[row], turned, columns, waves[row])
            _round(waves[row], shares[row], steps[row], columns)
        for row in range(SIDE):
            _mix(TURNED[row], waves, columns, turned[row])
        _transpose(turned, columns, waves)
        for row in range(SIDE):
            _mix(TURNED[row], waves, columns, block[row])


@njit
def _fill_steps(quality, table, columns, shares, steps):
    """Fill the steps of the frequencies, float32 [frequency across, column], and their inverses.

    Columns are those of transposed blocks: in each eight, the frequencies down.
    """
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    for across in range(SIDE):
        for down in range(SIDE):
            step = np.float32(min(255, max(1, (table[down, across] * scale + 50) // 100)))
            steps[across, down], shares[across, down] = step, np.float32(1.0) / step
        for x in range(np.uint64(SIDE), np.uint64(columns)):
            steps[across, x], shares[across, x] = (
                steps[across, x - np.uint64(SIDE)],
                shares[across, x - np.uint64(SIDE)],
            )


@njit
def _transpose(rows, columns, turned):
    """Exchange rows and columns within each block of eight rows, float32 [8, column]."""
    for start in range(np.uint64(0), np.uint64(columns), np.uint64(SIDE)):
        for row in range(np.uint64(SIDE)):
            for column in range(np.uint64(SIDE)):
                turned[column, start + row] = rows[row, start + column]


@njit
def _mix(weights, rows, columns, target):
    """Fill a row with the weighted sum of eight."""
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    e, f, g, h = weights[4], weights[5], weights[6], weights[7]
    for x in range(np.uint64(columns)):
        upper = (a * rows[0, x] + b * rows[1, x]) + (c * rows[2, x] + d * rows[3, x])
        lower = (e * rows[4, x] + f * rows[5, x]) + (g * rows[6, x] + h * rows[7, x])
        target[x] = upper + lower


@njit
def _round(row, shares, steps, columns):
    """Round each number to a multiple of its step, of which `shares` are the inverses."""
    for x in range(np.uint64(columns)):
        row[x] = ((row[x] * shares[x] + BIG) - BIG) * steps[x]
