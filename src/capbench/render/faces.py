"""Fonts that a style names, and their glyphs as drawn by Pillow or a pen."""

from __future__ import annotations

import importlib.util
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from captcha.image import DEFAULT_FONTS
from PIL import ImageFont

from capbench.errors import Mistake, nearest
from capbench.render.coverage import Coverage
from capbench.render.single_line import SUFFIX, LineFace, line_font

FARTHEST = 8  # times the size of a font that a glyph of it may reach
Face = ImageFont.FreeTypeFont | LineFace


def bundled_fonts() -> dict[str, Path]:
    """Fonts that come with CapBench and the packages it needs, by file name."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    own = (Path(__file__).parent / "fonts").glob(f"*{SUFFIX}")
    found = [*sorted(folder.glob("*.ttf")), *map(Path, DEFAULT_FONTS), *sorted(own)]
    return {path.name: path for path in found}


def font_file(name: str) -> str:
    """The path of a font: a path as it is, or the file name of a bundled one."""
    if Path(name).is_file():
        return name
    bundled = bundled_fonts()
    if name not in bundled:
        raise Mistake(f"style.fonts: {name} is no file and no bundled font; {nearest(name, bundled)}")
    return str(bundled[name])


def has_single_lines(path: str) -> bool:
    """Whether the font has lines without a width, for a pen to follow."""
    return path.endswith(SUFFIX)


def face(path: str, size: float) -> Face:
    if has_single_lines(path):
        return LineFace(path, size)
    with drawing(path):
        outlines = ImageFont.truetype(path, size)
        _check_reach(path, size, "its lines", *outlines.getmetrics())
        return outlines


@contextmanager
def drawing(path: str) -> Iterator[None]:
    """Tell whatever FreeType finds wrong with a font meanwhile as a mistake that names it."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:  # all that Pillow makes of FreeType's errors
        raise Mistake(f"style.fonts: {path} cannot be drawn ({error or type(error).__name__})") from error


def check_glyph(of: ImageFont.FreeTypeFont, symbol: str) -> None:
    """Refuse a glyph that is absurdly large before anything of it is drawn."""
    path = str(of.path)
    with drawing(path):
        _check_reach(path, of.size, f"its glyph {symbol!r}", *of.getbbox(symbol), of.getlength(symbol))


def _check_reach(path: str, size: float, what: str, *ends: float) -> None:
    farthest = max(map(abs, ends))
    if not farthest <= FARTHEST * size:
        raise Mistake(
            f"style.fonts: {path} cannot be drawn ({what} would reach {farthest:,.0f} pixels at a size of {size:g}; "
            f"at most {FARTHEST} times the size is taken)"
        )


@lru_cache(maxsize=64)
def known(path: str) -> Container[str]:
    """The characters that a font has glyphs of."""
    if has_single_lines(path):
        return line_font(path).advance
    try:
        return Coverage(path)
    except (OSError, ValueError) as error:
        raise Mistake(f"style.fonts: {path} cannot be read as a font ({error})") from error


def forms_in(path: str, forms: Sequence[str]) -> dict[str, str]:
    """By symbol, what the font has of the characters that are drawn in its place."""
    there = {form[0]: "".join(character for character in form[1:] if character in known(path)) for form in forms}
    return {symbol: characters for symbol, characters in there.items() if characters}


def check_font(path: str, symbols: str, forms: Sequence[str] = ()) -> None:
    """Refuse what is no font, or lacks a glyph of the alphabet and each of its forms."""
    there, formed = known(path), forms_in(path, forms)
    lacking = "".join(symbol for symbol in symbols if symbol not in there and symbol not in formed)
    if lacking:
        raise Mistake(f"style.fonts: {path} has no glyph for {lacking!r}; choose another font, or leave them out")
