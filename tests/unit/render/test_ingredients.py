"""Styles without one of their ingredients."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from capbench.render.painter import Painter
from capbench.render.style import ABSENT, LeftOut, Style
from tests.helpers.protocols import Cli
from tests.helpers.settings import style

INDICES = np.arange(40)


def pictures(look: Style) -> np.ndarray:
    return Painter(look, "0123456789", 4, 4, 1).pictures(INDICES)


@pytest.mark.parametrize("ingredient", get_args(LeftOut))
def test_removing_an_ingredient_changes_pictures_and_keeps_texts(ingredient: str) -> None:
    name = {"contrast": "gradient", "warp": "lines"}.get(ingredient, "default")
    whole, rest = style(f"style={name}"), style(f"style={name}", f"style.without={ingredient}")
    texts = [Painter(look, "0123456789", 4, 4, 1).texts(INDICES) for look in (whole, rest)]
    assert texts[0] == texts[1]
    assert (pictures(whole) != pictures(rest)).any()


def test_every_ingredient_can_be_removed() -> None:
    assert set(ABSENT) == set(get_args(LeftOut))


def test_removing_rotation_or_warp_removes_slant_or_sway() -> None:
    upright, still = (style("style=overlap", f"style.without={ingredient}") for ingredient in ("rotation", "warp"))
    assert upright.slant == [0, 0]
    assert upright.sway is not None
    assert still.sway is None
    assert still.slant != [0, 0]


def test_removing_an_ingredient_that_a_style_lacks_changes_nothing() -> None:
    whole, rest = style("style=gradient"), style("style=gradient", "style.without=lines")
    assert (pictures(whole) == pictures(rest)).all()


def test_removing_contrast_draws_black_on_white() -> None:
    drawn = pictures(style("style=gradient", "style.without=contrast"))
    assert (drawn.max(axis=(1, 2, 3)) == 255).all()
    assert (drawn.min(axis=(1, 2, 3)) < 10).all()
    assert np.unique(drawn[0, :, 0]).size < np.unique(pictures(style("style=gradient"))[0, :, 0]).size


def test_removing_lines_leaves_gaps_between_characters() -> None:
    """Count columns without ink, which separate characters where no curve and no dots cross."""

    def gaps(*without: str) -> int:
        look = style("style=default", "style.overlap=[-0.3,-0.3]", "style.tilt=[0,0]", *without)
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures(look)]
        return sum(int((picture.min(axis=0) > 225).sum()) for picture in grey)

    assert gaps("style.without=lines") > gaps()
    assert gaps("style.without=lines", "style.noise=[]") > gaps("style.without=lines")


def test_removing_fonts_keeps_one_font_of_the_style() -> None:
    look = style(
        "style=clean", "style.widths=[0.5,1,2]", "style.pens=[1,3]", "style.forms=[00O]", "style.without=fonts"
    )
    assert look.fonts is not None and [Path(font).name for font in look.fonts] == ["angular.svg"]
    assert look.font_sizes == [23]
    assert look.widths == [1]
    assert look.pens == [3]
    assert look.forms == ["00"]


def test_an_unknown_ingredient_is_refused(cli: Cli) -> None:
    code, _, err = cli("render", "style.without=colour", "count=1", "out=out")
    assert code == 2
    assert "style.without: 'colour' is not accepted" in err
