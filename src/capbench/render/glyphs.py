"""Atlas of all glyphs of a style, rasterised once at several times their size.

A kernel that looks up the nearest point of an enlarged glyph reads what bilinear interpolation of the glyph itself
would give, with one load instead of four.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from capbench.errors import Mistake
from capbench.render.faces import Face, check_glyph, drawing, face, forms_in, has_single_lines
from capbench.render.kernel.atlas import BORDER, ENLARGED, SIZE, Atlas
from capbench.render.single_line import LineFace

MOST_TEXELS = 1 << 30  # texels of all enlarged glyphs together
MOST_WORK = 1 << 39  # points that pens touch, repeats counted, while all glyphs are drawn: seconds of work


@lru_cache(maxsize=8)
def rasterise(
    fonts: tuple[str, ...],
    sizes: tuple[int, ...],
    widths: tuple[float, ...],
    pens: tuple[float, ...],
    forms: tuple[str, ...],
    symbols: str,
    outlined: bool,
    stretch: bool,
    fade: bool,
) -> Atlas:
    """Return the atlas of all faces.

    A face is a font in one size (pixels), width (factor), pen (pixels, single-line fonts only), kind and outline. Each
    of `forms` is a symbol followed by the characters that are drawn in its place. Each font has as many kinds of faces
    as the longest form has characters: kind n draws the n-th character of each form, and starts over in shorter forms.
    `stretch` gives the tiles and `fade` the edges of the captcha package.
    """
    kinds = range(max((len(form) - 1 for form in forms), default=1))
    faces = [(face(font, size), wide, pen, _forms(font, forms, kind), outline)
             for outline in ([False, True] if outlined else [False])
             for font in fonts for size in sizes for wide in widths
             for pen in (pens if has_single_lines(font) and pens else [None]) for kind in kinds]  # fmt: skip
    glyphs: list[np.ndarray] = []
    measures: list[tuple[float, float, float, float, float]] = []
    texels = work = 0
    for of, wide, pen, form, outline in faces:
        for character in [form.get(symbol, symbol) for symbol in (*symbols, " ")]:
            ink, drop = _ink(of, character, outline)
            tile_w, tile_h = _tile(of, character) if stretch else _set_width(of, character, ink)
            if isinstance(of, LineFace):
                work += of.work(character, wide, pen)
                _check(work, MOST_WORK, "with pens and glyphs as large as these takes too long")
                ink = of.penned(character, wide, pen)
            elif wide != 1:
                ink = cv2.resize(ink, (max(1, round(ink.shape[1] * wide)), len(ink)), interpolation=cv2.INTER_LINEAR)
            glyphs.append(_enlarged_to_the_edge(ink) if fade else _enlarged(ink))
            texels += glyphs[-1].size
            _check(texels, MOST_TEXELS, f"takes more than {MOST_TEXELS:,} bytes")
            measures.append((ink.shape[1], ink.shape[0], tile_w * wide, tile_h, drop))
    shape = np.array([glyph.shape for glyph in glyphs], dtype=np.int64).reshape(len(faces), -1, 2)
    ends = np.cumsum([glyph.size for glyph in glyphs])
    return Atlas(
        ink=np.concatenate([glyph.ravel() for glyph in glyphs]),
        start=np.concatenate([[0], ends[:-1]]).astype(np.int64).reshape(len(faces), -1),
        shape=shape,
        sizes=np.array(measures, dtype=SIZE).reshape(len(faces), -1),
    )


def _check(taken: int, most: int, fault: str) -> None:
    """Raise Mistake where the memory or work taken is above the most allowed."""
    if taken > most:
        raise Mistake(
            f"style.font_sizes: to draw all glyphs {fault}; give fewer or smaller sizes, or other style.fonts"
        )


def _forms(font: str, forms: tuple[str, ...], kind: int) -> dict[str, str]:
    """Return, by symbol, the character of that kind among the forms that the font has."""
    return {symbol: there[kind % len(there)] for symbol, there in forms_in(font, forms).items()}


def _ink(of: Face, symbol: str, outline: bool) -> tuple[np.ndarray, float]:
    """Return the coverage of a glyph and how far its centre lies below the line's, in pixels.

    The coverage is uint8 [height, width], cropped to the ink.
    """
    if isinstance(of, LineFace):
        return of.lines(symbol)
    check_glyph(of, symbol)
    with drawing(str(of.path)):
        return _outlined_ink(of, symbol, outline)


def _outlined_ink(of: ImageFont.FreeTypeFont, symbol: str, outline: bool) -> tuple[np.ndarray, float]:
    """Return the coverage of a TrueType or OpenType glyph and how far its centre lies below the line's."""
    room = 2 * int(of.size) + 8
    canvas = Image.new("L", (room + 2 * int(of.size) * len(symbol), 2 * room))
    pen = ImageDraw.Draw(canvas)
    if outline:
        thick = max(1, round(of.size / 24))
        pen.text((room // 2, room // 2), symbol, font=of, fill=255, stroke_width=thick, stroke_fill=255)
        pen.text((room // 2, room // 2), symbol, font=of, fill=0)
    else:
        pen.text((room // 2, room // 2), symbol, font=of, fill=255)
    box = canvas.getbbox()
    if box is None:
        return np.zeros((1, 1), dtype=np.uint8), 0.0
    ascent, descent = of.getmetrics()
    return np.asarray(canvas.crop(box)), (box[1] + box[3]) / 2 - (room // 2 + (ascent + descent) / 2)


def _tile(of: Face, symbol: str) -> tuple[float, float]:
    """Return width and height in pixels of the box to which the captcha package stretches the ink."""
    assert isinstance(of, ImageFont.FreeTypeFont)  # a style stretches no other
    _, _, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((1, 1), symbol, font=of)
    if not (int(right) > 0 and int(bottom) > 0):
        raise Mistake(f"style.fonts: {of.path!r} cannot be drawn (it gives {symbol!r} no room on the line)")
    return float(int(right)), float(int(bottom))


def _set_width(of: Face, symbol: str, ink: np.ndarray) -> tuple[float, float]:
    """Return the width that the font gives the glyph on the line and the height of its ink, in pixels."""
    return max(of.getlength(symbol), float(ink.shape[1])), float(ink.shape[0])


def _enlarged(ink: np.ndarray) -> np.ndarray:
    """Return the glyph enlarged by bilinear interpolation, ENLARGED texels per pixel; it fades out over its border."""
    padded = np.pad(ink, 1)
    rows, columns = padded.shape
    large = cv2.resize(padded, (columns * ENLARGED, rows * ENLARGED), interpolation=cv2.INTER_LINEAR)
    spare = ENLARGED - BORDER
    return np.ascontiguousarray(large[spare : large.shape[0] - spare, spare : large.shape[1] - spare])


def _enlarged_to_the_edge(ink: np.ndarray) -> np.ndarray:
    """Return the glyph enlarged without fading at the edge of its box, where the captcha package cuts it."""
    rows, columns = ink.shape
    large = cv2.resize(ink, (columns * ENLARGED, rows * ENLARGED), interpolation=cv2.INTER_LINEAR)
    return np.pad(large, BORDER)
