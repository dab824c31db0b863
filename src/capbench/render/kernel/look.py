"""Style as the kernel reads it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capbench.render.kernel.colours import ColourRange
from capbench.render.kernel.draws import Range

LEFT, CENTRE, SPREAD = range(3)  # alignments of the text


class Look(NamedTuple):
    """Style as numbers."""

    outlined_from: int  # number of the first outlined face, which is the number of filled faces
    outline: float  # share of characters that are drawn as outlines
    stretch: bool  # stretch the turned ink to the tile, as the captcha package does
    tilt: Range  # degrees
    slant: Range  # shares of the ink's height
    warp_x: float  # furthest move of a corner, as a share of the tile's width
    warp_y: float  # furthest move of a corner, as a share of the tile's height
    align: int  # LEFT, CENTRE or SPREAD
    margin: float  # share of a character's width with LEFT, else of the picture's width
    overlap: Range  # shares of the average tile's width
    spaces: float  # chance of a space before a character
    play: Range  # pixels to the right, of the text, or with SPREAD of each character
    lift: Range  # pixels downwards
    own_colours: bool  # a colour for each character
    opacity: Range  # 0 to 1
    fade: bool  # bend and paste characters as the captcha package does
    hard: bool  # no half-tones at edges
    scatter: Range  # pixels
    hatch: int  # leave every n-th pixel of every n-th row of characters out; 0: none
    sway: Range  # pixels
    period: Range  # pixels, of the sway
    gradient: bool
    angle: Range  # degrees, of the gradient
    grain: float  # furthest shift of a background pixel in grey levels
    smooth: bool
    text: ColourRange
    background: ColourRange
    gradient_to: ColourRange
    noise: np.ndarray
    """noise.LAYER [layer]"""
    specks: np.ndarray
    """int64 [size, pixel, 2]: the pixels of a speck, as x and y; unused entries lie far outside any picture"""
