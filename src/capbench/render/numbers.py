"""Style as the kernel's numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from capbench.render.kernel import ink, noise, palette, texture
from capbench.render.kernel.colours import ColourRange
from capbench.render.kernel.draws import Range
from capbench.render.kernel.look import CENTRE, LEFT, LOOK, SPREAD, Looks
from capbench.render.kernel.noise import LAYER
from capbench.render.style import Arc, Colour, Dots, Frame, Grid, Ink, Line, Noise, Rings, Specks, Style, Wave

ALIGNS = {"left": LEFT, "centre": CENTRE, "spread": SPREAD}
KINDS: dict[type[Noise], int] = {
    Specks: noise.SPECKS,
    Dots: noise.DOTS,
    Arc: noise.ARC,
    Line: noise.LINE,
    Wave: noise.WAVE,
    Grid: noise.GRID,
    Frame: noise.FRAME,
    Rings: noise.RINGS,
}
SHAPES = {"filled": ink.FILLED, "hollow": ink.HOLLOW, "rimmed": ink.RIMMED}
PATTERNS = {
    "none": ink.NO_PATTERN,
    "stripes": ink.STRIPED,
    "checks": ink.CHECKED,
    "halves": ink.HALVED,
    "dots": ink.DOTTED,
}
TEXTURES = {
    "stripes": texture.STRIPES,
    "checks": texture.CHECKS,
    "mesh": texture.MESH,
    "clouds": texture.CLOUDS,
}
DITHERS = {"none": palette.PLAIN, "ordered": palette.ORDERED, "diffused": palette.DIFFUSED}


def range_of(pair: Sequence[float] | None) -> Range:
    """Return a setting of two numbers as a range; without the setting, 0 to 0."""
    low, high = pair or (0.0, 0.0)
    return Range(float(low), float(high))


def _colour_range(colour: Colour) -> ColourRange:
    """Return a colour's settings as the kernel's numbers."""
    by_hue = colour.saturation is not None
    return ColourRange(range_of(colour.levels), range_of(colour.saturation), by_hue, colour.hue == "text")


def _layer(items: Noise) -> np.ndarray:
    """Return a layer of noise as the kernel's numbers, LAYER."""
    layer = np.zeros((), dtype=LAYER)
    layer["kind"] = KINDS[type(items)]
    layer["behind"] = items.behind
    layer["own_colour"] = items.colour is not None
    if items.colour is not None:
        layer["colour"] = _colour_range(items.colour)
    for name in ("count", "size", "length", "tilt", "amplitude", "period", "middle", "step", "radius"):
        layer[name] = range_of(getattr(items, name, None))
    return layer


def speck_pixels() -> np.ndarray:
    """Return the pixels of Pillow's shortest diagonal line in widths 0 to 3, int64 [width, pixel, 2]."""
    middle, most = 8, 8
    table = np.full((4, most, 2), -10_000, dtype=np.int64)
    for width in range(1, 4):
        canvas = Image.new("L", (16, 16))
        ImageDraw.Draw(canvas).line(((middle, middle), (middle - 1, middle - 1)), fill=1, width=width)
        rows, columns = np.nonzero(np.asarray(canvas))
        table[width, : len(rows)] = np.stack([columns, rows], axis=1) - middle
    return table


def look_of(style: Style, faces: int) -> np.ndarray:
    """Return a style without its noise as the kernel's numbers, LOOK; `faces` is the number of filled faces."""
    look = np.zeros((), dtype=LOOK)
    look["faces"] = look["outlined_from"] = faces
    look["face_step"] = 1
    for name in (
        "height",
        "width",
        "outline",
        "stretch",
        "margin",
        "spaces",
        "own_colours",
        "fade",
        "hard",
        "hatch",
        "grain",
        "blocky",
        "smooth",
    ):
        look[name] = getattr(style, name)
    for name in ("zoom", "contrast", "tilt", "slant", "overlap", "play", "lift", "opacity", "scatter", "blur", "jpeg"):
        look[name] = range_of(getattr(style, name))
    look["warp_x"], look["warp_y"] = style.warp
    look["align"] = ALIGNS[style.align]
    look["text"] = _colour_range(style.text)
    look["background"] = _colour_range(style.background)
    look["zoomed"] = style.zoom != [1, 1]
    look["contrasted"] = style.contrast != [0, 255]
    if style.sway is not None:
        look["sway"], look["period"] = range_of(style.sway.reach), range_of(style.sway.period)
    if style.gradient is not None:
        look["gradient"], look["angle"] = True, range_of(style.gradient.angle)
        look["gradient_to"] = _colour_range(style.gradient.to)
    if style.distortion is not None:
        look["distorted"] = True
        for name in ("bend", "taper", "swirl"):
            look[name] = range_of(getattr(style.distortion, name))
    if style.texture is not None:
        look["texture"] = TEXTURES[style.texture.kind]
        look["texture_period"], look["texture_depth"] = range_of(style.texture.period), range_of(style.texture.depth)
    if style.palette is not None:
        look["palette"], look["dither"] = range_of(style.palette.levels), DITHERS[style.palette.dither]
    if style.ink is not None:
        _fill_ink(look, style.ink)
    return look


def _fill_ink(look: np.ndarray, used: Ink) -> None:
    """Fill what a LOOK says of the ink."""
    look["inked"] = True
    look["shape"], look["shadow"] = SHAPES[used.shape], range_of(used.shadow)
    look["pattern"], look["pattern_period"] = PATTERNS[used.pattern], range_of(used.period)
    look["ink_blur"] = used.blur
    if used.second is not None:
        look["pattern_filled"], look["second"] = True, _colour_range(used.second)


def layers_of(style: Style) -> np.ndarray:
    """Return a style's noise as the kernel's numbers, LAYER [layer]."""
    return np.array([_layer(items) for items in style.noise], dtype=LAYER)


def looks_of(style: Style, faces: int) -> Looks:
    """Return a style as the one look of all samples; `faces` is the number of filled faces."""
    return Looks(look_of(style, faces)[None], layers_of(style)[None], speck_pixels())
