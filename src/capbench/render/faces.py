"""The fonts that a style names, and the faces that Pillow or a pen draws of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

from capbench.errors import Mistake, nearest
from capbench.render.single_line import SUFFIX, LineFace, line_font

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
    return LineFace(path, size) if has_single_lines(path) else ImageFont.truetype(path, size)


@lru_cache(maxsize=64)
def known(path: str) -> frozenset[str]:
    """The characters that a font has glyphs of."""
    if has_single_lines(path):
        return frozenset(line_font(path).advance)
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(map(chr, font.getBestCmap() or {}))
    except (TTLibError, OSError, AssertionError, KeyError, ValueError) as error:
        raise Mistake(f"style.fonts: {path} cannot be read as a font ({error})") from error


def forms_in(path: str, forms: Sequence[str]) -> dict[str, str]:
    """By symbol, what the font has of the characters that are drawn in its place."""
    there = {form[0]: "".join(character for character in form[1:] if character in known(path)) for form in forms}
    return {symbol: characters for symbol, characters in there.items() if characters}


def check_font(path: str, symbols: str, forms: Sequence[str] = ()) -> None:
    """Refuse what is no font, or lacks a glyph of the alphabet and each of its forms."""
    drawn = known(path) | forms_in(path, forms).keys()
    lacking = "".join(symbol for symbol in symbols if symbol not in drawn)
    if lacking:
        raise Mistake(f"style.fonts: {path} has no glyph for {lacking!r}; choose another font, or leave them out")
