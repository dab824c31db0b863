"""Single-line fonts: the place, length and width of their strokes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capbench.errors import Mistake
from capbench.render.painter import Painter
from capbench.render.single_line import LineFace, line_font
from tests.helpers.painter import BARE, painter

FONT = """<svg xmlns="http://www.w3.org/2000/svg"><defs><font horiz-adv-x="500">
<font-face units-per-em="1000" ascent="800" descent="-200"/>
<missing-glyph d="M 0 0 L 9 9"/><glyph unicode=" "/><glyph unicode="fi" d="M 0 0 L 9 9"/>
<glyph unicode="-" d="M 100 300 L 500 300"/>
<glyph unicode="l" d="M 250 0 L 250 700" horiz-adv-x="300"/>
<glyph unicode="o" d="M 0 300 A 300 300 0 1 1 600 300 A 300 300 0 1 1 0 300 Z" horiz-adv-x="700"/>
<glyph unicode="V" d="M 0 700 L 300 0 L 600 700"/>
</font></defs></svg>"""
LOOK = ("style.stretch=false", "style.tilt=[0,0]", "style.warp=[0,0]", "style.without=contrast", "style.fade=false")


@pytest.fixture
def font(tmp_path: Path) -> str:
    path = tmp_path / "own.svg"
    path.write_text(FONT)
    return str(path)


def inked(font: str, symbol: str, *more: str) -> np.ndarray:
    """Return the coverage, float [row, column], of one character alone."""
    return covered(alone(symbol, f"style.fonts=['{font}']", *more), 0)


def alone(symbol: str, *look: str) -> Painter:
    return painter(
        *BARE, *LOOK, "style.font_sizes=[50]", "style.pens=[3]", *look, symbols=symbol, shortest=1, longest=1
    )


def covered(own: Painter, index: int) -> np.ndarray:
    return np.asarray(1 - own.sample(index)[0].min(axis=2) / 255.0)


def box(ink: np.ndarray) -> tuple[int, int]:
    """Return height and width of the ink."""
    rows, columns = np.nonzero(ink > 0.5)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_a_single_line_font_has_the_characters_of_its_file(font: str) -> None:
    assert set(line_font(font).advance) == set(" -loV")
    assert line_font(font).advance == {" ": 500, "-": 500, "l": 300, "o": 700, "V": 500}


@pytest.mark.parametrize("wide", [1, 2])
def test_strokes_have_the_length_of_the_font_and_the_width_of_the_pen(font: str, wide: int) -> None:
    factor = f"style.widths=[{wide}]"
    assert box(inked(font, "-", factor)) == pytest.approx((3, 20 * wide + 3), abs=1)
    assert box(inked(font, "l", factor)) == pytest.approx((35 + 3, 3), abs=1)
    assert box(inked(font, "V", factor)) == pytest.approx((35 + 3, 30 * wide + 3), abs=2)


def test_a_single_line_character_stands_at_the_height_of_its_font(font: str) -> None:
    """Compare heights: the picture's middle is 300 units above the base line."""
    for symbol, above in {"-": 0, "l": 50}.items():
        rows, _ = np.nonzero(inked(font, symbol) > 0.5)
        assert rows.mean() == pytest.approx(29.5 - above / 1000 * 50, abs=1)


def test_arcs_of_a_single_line_font_are_round(font: str) -> None:
    rows, columns = np.nonzero(LineFace(font, 400).lines("o")[0])
    assert np.hypot(rows - 120, columns - 120) == pytest.approx(120, abs=2)


@pytest.mark.parametrize("file, message", [
    ("<svg><font", "own.svg cannot be read as an SVG font (unclosed token"),
    ("<svg/>", "own.svg cannot be read as an SVG font (it has no <font>)"),
    (FONT.replace("250 0 L", "x y L"), "own.svg cannot be read as an SVG font"),
    (FONT.replace("<font ", '<font stroke-width="-1" '), "a stroke-width is not above 0 and up to 0.25 of units-per-em"),
    (FONT.replace('"300"', '"wide"'), "own.svg cannot be read as an SVG font (could not convert string to float: 'wide')"),
])  # fmt: skip
def test_an_invalid_single_line_font_is_an_error_of_one_line(tmp_path: Path, file: str, message: str) -> None:
    (tmp_path / "own.svg").write_text(file)
    with pytest.raises(Mistake) as mistake:
        inked(str(tmp_path / "own.svg"), "l")
    assert message in str(mistake.value)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize("wrong", ["style.stretch=true", "style.outline=0.5"])
def test_stretch_or_outline_with_a_single_line_font_is_refused(font: str, wrong: str) -> None:
    with pytest.raises(Mistake, match="own.svg has lines for a pen; set style.stretch=false and style.outline=0"):
        inked(font, "l", wrong)


def test_strokes_without_pens_have_the_stroke_width_of_the_font(tmp_path: Path) -> None:
    own = FONT.replace("<font ", '<font stroke-width="60" ').replace('unicode="l"', 'unicode="l" stroke-width="120"')
    (tmp_path / "own.svg").write_text(own)
    (height, _), (_, width) = (box(inked(str(tmp_path / "own.svg"), symbol, "style.pens=[]")) for symbol in "-l")
    assert (height, width) == pytest.approx((3, 6), abs=1)
    assert box(inked(str(tmp_path / "own.svg"), "l"))[1] == pytest.approx(3, abs=1)


def test_a_font_without_a_stroke_width_needs_pens(font: str) -> None:
    with pytest.raises(Mistake, match=r"own.svg says of '-loV' no stroke-width; give style.pens in pixels, such as"):
        inked(font, "l", "style.pens=[]")


def test_pens_without_a_single_line_font_are_refused() -> None:
    with pytest.raises(
        Mistake, match=r"style.pens: none of style.fonts has lines for a pen; leave it \[\], or add an SVG"
    ):
        alone("l", "style.fonts=[DejaVuSans.ttf]")


def test_outline_fonts_beside_a_single_line_font_are_drawn_unchanged(font: str) -> None:
    """Compare stems: those of a bold font are wider than the pen."""
    mixed = alone("l", f"style.fonts=['{font}', DejaVuSans-Bold.ttf]")
    widths = {box(covered(mixed, index))[1] for index in range(30)}
    assert min(widths) <= 4 < 8 <= max(widths)
    assert not any(4 < width < 8 for width in widths)


def test_a_symbol_missing_in_a_single_line_font_is_named(font: str) -> None:
    with pytest.raises(Mistake, match=r"own.svg has no glyph for 'x'"):
        inked(font, "x")


def test_a_symbol_missing_in_a_single_line_font_is_drawn_by_its_form(font: str) -> None:
    assert (inked(font, "x", "style.forms=[xV]") == inked(font, "V")).all()
