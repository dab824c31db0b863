"""Style as the kernel's numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from capbench.render.kernel.colours import ColourRange
from capbench.render.kernel.draws import Range
from capbench.render.kernel.look import CENTRE, LEFT, SPREAD, Look
from capbench.render.kernel.noise import ARC, DOTS, LAYER, LINE, SPECKS, WAVE
from capbench.render.style import Arc, Colour, Dots, Line, Noise, Specks, Style, Wave

ALIGNS = {"left": LEFT, "centre": CENTRE, "spread": SPREAD}
KINDS: dict[type[Noise], int] = {
    Specks: SPECKS,
    Dots: DOTS,
    Arc: ARC,
    Line: LINE,
    Wave: WAVE,
}


def range_of(pair: Sequence[float] | None) -> Range:
    """Return a setting of two numbers as a range; without the setting, 0 to 0."""
    low, high = pair or (0.0, 0.0)
    return Range(float(low), float(high))


def _colour_range(colour: Colour) -> ColourRange:
    """Return a colour's settings as the kernel's numbers."""
    by_hue = colour.saturation is not None
    return ColourRange(range_of(colour.levels), range_of(colour.saturation), by_hue, colour.hue == "text")


def _layer(noise: Noise) -> np.ndarray:
    """Return a layer of noise as the kernel's numbers, LAYER."""
    layer = np.zeros((), dtype=LAYER)
    layer["kind"] = KINDS[type(noise)]
    layer["behind"] = noise.behind
    layer["own_colour"] = noise.colour is not None
    if noise.colour is not None:
        layer["colour"] = _colour_range(noise.colour)
    for name in ("count", "size", "length", "tilt", "amplitude", "period", "middle"):
        layer[name] = range_of(getattr(noise, name, None))
    return layer


def _speck_pixels() -> np.ndarray:
    """Return the pixels of Pillow's shortest diagonal line in widths 0 to 3, int64 [width, pixel, 2]."""
    middle, most = 8, 8
    table = np.full((4, most, 2), -10_000, dtype=np.int64)
    for width in range(1, 4):
        canvas = Image.new("L", (16, 16))
        ImageDraw.Draw(canvas).line(((middle, middle), (middle - 1, middle - 1)), fill=1, width=width)
        rows, columns = np.nonzero(np.asarray(canvas))
        table[width, : len(rows)] = np.stack([columns, rows], axis=1) - middle
    return table


def look_of(style: Style, faces: int) -> Look:
    """Return a style as the kernel's numbers; `faces` is the number of filled faces."""
    return Look(
        outlined_from=faces,
        outline=float(style.outline),
        stretch=style.stretch,
        tilt=range_of(style.tilt),
        slant=range_of(style.slant),
        warp_x=float(style.warp[0]),
        warp_y=float(style.warp[1]),
        align=ALIGNS[style.align],
        margin=float(style.margin),
        overlap=range_of(style.overlap),
        spaces=float(style.spaces),
        play=range_of(style.play),
        lift=range_of(style.lift),
        own_colours=style.own_colours,
        opacity=range_of(style.opacity),
        fade=style.fade,
        hard=style.hard,
        scatter=range_of(style.scatter),
        hatch=int(style.hatch),
        sway=range_of(style.sway.reach if style.sway else None),
        period=range_of(style.sway.period if style.sway else None),
        gradient=style.gradient is not None,
        angle=range_of(style.gradient.angle if style.gradient else None),
        grain=float(style.grain),
        smooth=style.smooth,
        text=_colour_range(style.text),
        background=_colour_range(style.background),
        gradient_to=_colour_range(style.gradient.to if style.gradient else style.background),
        noise=np.array([_layer(noise) for noise in style.noise], dtype=LAYER),
        specks=_speck_pixels(),
    )
