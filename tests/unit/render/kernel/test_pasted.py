"""Glyphs turned and resized, compared with the captcha package."""

from __future__ import annotations

import math

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

from capbench.render import glyphs
from capbench.render.kernel.atlas import Texels
from capbench.render.kernel.geometry import turn_of
from capbench.render.kernel.pasted import bend

SIZE = 50


def packages(symbol: str, degrees: float, wide: int, high: int) -> np.ndarray:
    """Return where the captcha package draws ink, by the same calls of Pillow."""
    font = ImageFont.truetype(DEFAULT_FONTS[0], SIZE)
    picture = Image.new("RGBA", (3 * SIZE, 3 * SIZE))
    ImageDraw.Draw(picture).text((SIZE, SIZE), symbol, font=font, fill=(150, 150, 150, 255))
    picture = picture.crop(picture.getbbox()).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return np.asarray(picture.resize((wide, high)).convert("L")) > 50


def ours(symbol: str, degrees: float, wide: int, high: int) -> np.ndarray:
    atlas = glyphs.rasterise((DEFAULT_FONTS[0],), (SIZE,), (1.0,), (), (), symbol, False, True, True)
    rows, columns = atlas.shape[0, 0].tolist()
    turn = turn_of(atlas.sizes[0, 0], math.radians(-degrees))
    bent = bend(Texels(atlas.ink, rows, columns), turn, wide, high, np.full((2, 40_000), 77, dtype=np.uint8))
    return bent.ink[: high * bent.columns].reshape(high, bent.columns)[:, :wide] > 0


@pytest.mark.parametrize("symbol", ["0", "o", "5", "A", "i"])
def test_pasted_glyphs_lie_where_the_captcha_package_draws_them(symbol: str) -> None:
    chance = np.random.default_rng(3)
    both = either = mine = theirs = 0
    for _ in range(60):
        degrees, wide, high = chance.uniform(-30, 30), int(chance.integers(20, 50)), int(chance.integers(40, 65))
        one, other = ours(symbol, degrees, wide, high), packages(symbol, degrees, wide, high)
        both, either = both + (one & other).sum(), either + (one | other).sum()
        mine, theirs = mine + one.sum(), theirs + other.sum()
    assert both / either > 0.95
    assert mine / theirs == pytest.approx(1.0, abs=0.03)
