"""Fonts that a style names, and the faces in which they are drawn."""

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

FARTHEST = 8  # times its size that a font's glyphs may extend
Face = ImageFont.FreeTypeFont | LineFace


def bundled_fonts() -> dict[str, Path]:
    """Return the fonts that come with CapBench and the packages it needs, by file name."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    own = (Path(__file__).parent / "fonts").glob(f"*{SUFFIX}")
    found = [*sorted(folder.glob("*.ttf")), *map(Path, DEFAULT_FONTS), *sorted(own)]
    return {path.name: path for path in found}


def font_file(name: str) -> str:
    """Return the path of a font that is given by its path or by the file name of a bundled font."""
    if Path(name).is_file():
        return name
    bundled = bundled_fonts()
    if name not in bundled:
        raise Mistake(f"style.fonts: {name} is neither a file nor a bundled font; {nearest(name, bundled)}")
    return str(bundled[name])


def has_single_lines(path: str) -> bool:
    """Return whether the font has lines without a width, to be drawn by a pen."""
    return path.endswith(SUFFIX)


def face(path: str, size: float) -> Face:
    """Return the font in a size in pixels, or raise Mistake where it cannot be drawn."""
    if has_single_lines(path):
        return LineFace(path, size)
    with drawing(path):
        outlines = ImageFont.truetype(path, size)
        _check_reach(path, size, "its lines", *outlines.getmetrics())
        return outlines


@contextmanager
def drawing(path: str) -> Iterator[None]:
    """Convert FreeType's errors about a font into a Mistake that names it."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:  # the types in which Pillow raises FreeType's errors
        raise Mistake(f"style.fonts: {path} cannot be drawn ({error or type(error).__name__})") from error


def check_glyph(of: ImageFont.FreeTypeFont, symbol: str) -> None:
    """Raise Mistake for an absurdly large glyph, before any of it is drawn."""
    path = str(of.path)
    with drawing(path):
        _check_reach(path, of.size, f"its glyph {symbol!r}", *of.getbbox(symbol), of.getlength(symbol))


def _check_reach(path: str, size: float, what: str, *ends: float) -> None:
    """Raise Mistake where one of `ends`, in pixels, is beyond FARTHEST times the font's size."""
    farthest = max(map(abs, ends))
    if not farthest <= FARTHEST * size:
        raise Mistake(
            f"style.fonts: {path} cannot be drawn ({what} would reach {farthest:,.0f} pixels at a size of {size:g}; "
            f"at most {FARTHEST} times the size is taken)"
        )


@lru_cache(maxsize=256)
def known(path: str) -> Container[str]:
    """Return the characters that a font has glyphs for."""
    if has_single_lines(path):
        return line_font(path).advance
    try:
        return Coverage(path)
    except (OSError, ValueError) as error:
        raise Mistake(f"style.fonts: {path} cannot be read as a font ({error})") from error


def forms_in(path: str, forms: Sequence[str]) -> dict[str, str]:
    """Return, by symbol, those characters of its form that the font has glyphs for.

    Each of `forms` is a symbol followed by the characters that are drawn in its place.
    """
    there = {form[0]: "".join(character for character in form[1:] if character in known(path)) for form in forms}
    return {symbol: characters for symbol, characters in there.items() if characters}


def check_font(path: str, symbols: str, forms: Sequence[str] = ()) -> None:
    """Raise Mistake for a file that is not a font, or a font that lacks the glyphs of a symbol and of its forms."""
    there, formed = known(path), forms_in(path, forms)
    lacking = "".join(symbol for symbol in symbols if symbol not in there and symbol not in formed)
    if lacking:
        raise Mistake(f"style.fonts: {path} has no glyph for {lacking!r}; choose another font, or leave them out")
