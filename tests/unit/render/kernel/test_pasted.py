"""Glyphs turned and resized, compared with the captcha package."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

from capbench.render import glyphs
from capbench.render.kernel.atlas import texels_of
from capbench.render.kernel.geometry import Clip, Frame, Pose, turn_of
from capbench.render.kernel.pasted import LANES, paste, rooms

SIZE = 50


@dataclass(frozen=True)
class Bend:
    """How a character is bent: a turn, the size of its tile and the moves of its corners."""

    degrees: float
    wide: int
    high: int
    moves: tuple[int, int, int, int]


def random_bend(chance: np.random.Generator) -> Bend:
    """Return a bend as the captcha package draws it."""
    wide, high = int(chance.integers(20, 50)), int(chance.integers(40, 65))
    moves = chance.uniform(-1, 1, 4) * [0.2 * wide, 0.1 * high, 0.2 * wide, 0.1 * high]
    x1, y1, x2, y2 = np.trunc(moves * chance.uniform(0, 1, 4)).astype(int).tolist()
    return Bend(chance.uniform(-30, 30), wide, high, (x1, y1, x2, y2))


def packages(symbol: str, by: Bend) -> np.ndarray:
    """Return where the captcha package draws ink, by the same calls of Pillow."""
    font = ImageFont.truetype(DEFAULT_FONTS[0], SIZE)
    picture = Image.new("RGBA", (3 * SIZE, 3 * SIZE))
    ImageDraw.Draw(picture).text((SIZE, SIZE), symbol, font=font, fill=(150, 150, 150, 255))
    picture = picture.crop(picture.getbbox()).rotate(by.degrees, Image.Resampling.BILINEAR, expand=True)
    x1, y1, x2, y2 = by.moves
    wide, high = by.wide + abs(x1) + abs(x2), by.high + abs(y1) + abs(y2)
    corners = (x1, y1, -x1, high - y2, wide + x2, high + y2, wide - x2, -y1)
    picture = picture.resize((wide, high)).transform((by.wide, by.high), Image.Transform.QUAD, corners)
    return np.asarray(picture.convert("L")) > 50


def ours(symbol: str, by: Bend) -> np.ndarray:
    """Return where the kernel draws ink."""
    atlas = glyphs.rasterise((DEFAULT_FONTS[0],), (SIZE,), (1.0,), (), (), symbol, False, True, True)
    x1, y1, x2, y2 = map(float, by.moves)
    pose = Pose(float(by.wide), float(by.high), math.radians(-by.degrees), 0.0, x1, y1, x2, y2, 0.0)
    turn = turn_of(atlas.sizes[0, 0], pose.angle)
    pixels, lines = rooms(atlas.sizes, 2.0, 2.0)
    bent, runs = np.full((2, pixels), 77, dtype=np.uint8), np.full((6, lines), 77, dtype=np.int64)
    places = np.full(lines + LANES, 77, dtype=np.uint32)
    mask, clip = np.zeros((by.high, by.wide), dtype=np.uint8), Clip(0, 0, by.wide, by.high)
    paste(texels_of(atlas, 0, 0), atlas.sizes[0, 0], turn, pose, Frame(0.0, 0.0, 1.0), clip, bent, runs, places, mask)
    assert np.isin(mask, (0, 255)).all()
    return mask > 0


@pytest.mark.parametrize("symbol", ["0", "o", "5", "A", "i"])
def test_pasted_glyphs_lie_where_the_captcha_package_draws_them(symbol: str) -> None:
    chance = np.random.default_rng(3)
    both = either = mine = theirs = 0
    for _ in range(60):
        by = random_bend(chance)
        one, other = ours(symbol, by), packages(symbol, by)
        both, either = both + (one & other).sum(), either + (one | other).sum()
        mine, theirs = mine + one.sum(), theirs + other.sum()
    assert both / either > 0.96
    assert mine / theirs == pytest.approx(1.0, abs=0.03)
