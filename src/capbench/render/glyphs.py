"""Atlas of the outlines of all glyphs of a style, each drawn and traced once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from capbench.errors import Mistake
from capbench.render.faces import Face, check_glyph, drawing, face, forms_in, has_single_lines
from capbench.render.kernel.atlas import BORDER, ENLARGED, SIZE, Atlas
from capbench.render.outlines import traced
from capbench.render.single_line import FINE, LineFace

MOST_POINTS = 1 << 30  # points of all glyphs together, as they are drawn to be traced
MOST_WORK = 1 << 39  # points that pens touch, repeats counted, while all glyphs are drawn: seconds of work
TOLERANCE = 0.08  # pixels by which an outline is simplified
HALF = 127.5  # coverage at the edge of a glyph


@dataclass(frozen=True)
class _Face:
    """Font in one size (pixels), width (factor), pen (pixels, single-line fonts only), kind and outline."""

    font: str
    size: int
    wide: float
    pen: float | None
    kind: int
    outline: bool


@dataclass(frozen=True)
class _Glyph:
    """Outline of a character, or with `fade` its enlarged pixels, and its measures."""

    trace: int
    """number of its trace, where it has an outline"""
    texels: np.ndarray
    """uint8 [row, column]"""
    size: tuple[float, ...]
    """SIZE"""


@dataclass(frozen=True)
class _Trace:
    """Outline of a character, which several sizes and widths may share, and its measures in points."""

    contours: list[np.ndarray]
    """float64 [point, 2], from the middle of the ink"""
    width: float
    height: float
    drop: float

    def glyph(self, number: int, scale_x: float, scale_y: float, tile_w: float, tile_h: float) -> _Glyph:
        """Return the glyph of this trace in a scale, from points to pixels, with a tile in pixels."""
        size = (self.width * scale_x, self.height * scale_y, tile_w, tile_h, self.drop * scale_y, scale_x, scale_y)
        return _Glyph(number, NO_TEXELS, size)


NO_TEXELS = np.empty((0, 0), dtype=np.uint8)
NO_TRACE = _Trace([], 0.0, 0.0, 0.0)


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

    Each of `forms` is a symbol followed by the characters that are drawn in its place. Each font has as many kinds of
    faces as the longest form has characters: kind n draws the n-th character of each form, and starts over in shorter
    forms. `stretch` gives the tiles and `fade` the edges of the captcha package.
    """
    kinds = range(max((len(form) - 1 for form in forms), default=1))
    faces = [_Face(font, size, wide, pen, kind, outline)
             for outline in ([False, True] if outlined else [False])
             for font in fonts for size in sizes for wide in widths
             for pen in (pens if has_single_lines(font) and pens else [None]) for kind in kinds]  # fmt: skip
    drawn = _Drawn(max(sizes), stretch, fade)
    glyphs = []
    for of in faces:
        form = _forms(of.font, forms, of.kind)
        glyphs += [drawn.glyph(of, form.get(symbol, symbol)) for symbol in (*symbols, " ")]
    return _atlas(glyphs, drawn.traces, len(faces))


def _atlas(glyphs: list[_Glyph], traces: list[_Trace], faces: int) -> Atlas:
    """Return the glyphs of all faces, one face after another, as an atlas."""
    contours = [contour for trace in traces for contour in trace.contours]
    ends = np.cumsum([0, *(len(trace.contours) for trace in traces)])
    used = np.array([glyph.trace for glyph in glyphs], dtype=np.int64).reshape(faces, -1)
    begins = np.cumsum([0, *(glyph.texels.size for glyph in glyphs)])[:-1]
    return Atlas(
        points=np.ascontiguousarray(np.concatenate([np.zeros((0, 2)), *contours]).T),
        contours=np.cumsum([0, *map(len, contours)]),
        glyphs=np.stack([ends[used], ends[used + 1]], axis=2),
        ink=np.concatenate([glyph.texels.ravel() for glyph in glyphs]),
        start=begins.reshape(faces, -1),
        shape=np.array([glyph.texels.shape for glyph in glyphs], dtype=np.int64).reshape(faces, -1, 2),
        sizes=np.array([glyph.size for glyph in glyphs], dtype=SIZE).reshape(faces, -1),
    )


class _Drawn:
    """Glyphs that are drawn and traced, each once for all sizes and widths."""

    def __init__(self, largest: int, stretch: bool, fade: bool) -> None:
        self.traces = [NO_TRACE]
        self._largest = largest
        self._stretch = stretch
        self._fade = fade
        self._faces: dict[tuple[str, float], Face] = {}
        self._traced: dict[tuple[str, int, bool, str], int] = {}
        self._points = self._work = 0

    def glyph(self, of: _Face, character: str) -> _Glyph:
        """Return the outline and the measures of a character in a face."""
        if has_single_lines(of.font):
            return self._penned(of, character)
        if self._fade:
            return self._faded(of, character)
        return self._printed(of, character)

    def _face(self, font: str, size: float) -> Face:
        if (font, size) not in self._faces:
            self._faces[font, size] = face(font, size)
        return self._faces[font, size]

    def _penned(self, of: _Face, character: str) -> _Glyph:
        """Return a glyph of a single-line font."""
        lines = self._face(of.font, of.size)
        assert isinstance(lines, LineFace)
        ink, drop = lines.lines(character)
        self._work += lines.work(character, of.wide, of.pen)
        _check(self._work, MOST_WORK, "with pens and glyphs as large as these takes too long")
        tile_w, tile_h = _set_width(lines, character, ink)
        fine = lines.penned(character, of.wide, of.pen)
        if self._fade:
            return self._enlarged(_shrunk(fine), (tile_w * of.wide, tile_h, drop))
        number = self._trace(fine, FINE, drop * FINE)
        return self.traces[number].glyph(number, 1 / FINE, 1 / FINE, tile_w * of.wide, tile_h)

    def _printed(self, of: _Face, character: str) -> _Glyph:
        """Return a glyph of a TrueType or OpenType font.

        Filled glyphs are traced in the largest size. The line of an outlined glyph does not grow with its size.
        """
        size = of.size if of.outline else self._largest
        key = (of.font, size, of.outline, character)
        if key not in self._traced:
            large = self._outlined(of, size * ENLARGED)
            check_glyph(large, character)
            with drawing(of.font):
                ink, drop = _ink(large, character, of.outline, ENLARGED)
            self._traced[key] = self._trace(ink, ENLARGED, drop)
        number, usual = self._traced[key], self._outlined(of, of.size)
        trace, scale = self.traces[number], of.size / size / ENLARGED
        tile_w, tile_h = (
            _tile(usual, character)
            if self._stretch
            else (max(usual.getlength(character), trace.width * scale), trace.height * scale)
        )
        return trace.glyph(number, scale * of.wide, scale, tile_w * of.wide, tile_h)

    def _faded(self, of: _Face, character: str) -> _Glyph:
        """Return a glyph of a TrueType or OpenType font as enlarged pixels."""
        usual = self._outlined(of, of.size)
        check_glyph(usual, character)
        with drawing(of.font):
            ink, drop = _ink(usual, character, of.outline, 1)
        tile_w, tile_h = _tile(usual, character) if self._stretch else _set_width(usual, character, ink)
        if of.wide != 1:
            columns = max(1, round(ink.shape[1] * of.wide))
            ink = cv2.resize(ink, (columns, len(ink)), interpolation=cv2.INTER_LINEAR)
        return self._enlarged(ink, (tile_w * of.wide, tile_h, drop))

    def _enlarged(self, ink: np.ndarray, place: tuple[float, float, float]) -> _Glyph:
        """Return the glyph with a coverage, uint8 [height, width], enlarged to the edge of its box, without fading there.

        The captcha package cuts it at its box.
        """
        height, width = ink.shape
        texels = cv2.resize(ink, (width * ENLARGED, height * ENLARGED), interpolation=cv2.INTER_LINEAR)
        self._count(texels)
        return _Glyph(0, np.pad(texels, BORDER), (width, height, *place, 1.0, 1.0))

    def _outlined(self, of: _Face, size: int) -> ImageFont.FreeTypeFont:
        """Return a TrueType or OpenType font in a size."""
        found = self._face(of.font, size)
        assert isinstance(found, ImageFont.FreeTypeFont)
        return found

    def _trace(self, ink: np.ndarray, enlarged: int, drop: float) -> int:
        """Trace a coverage, uint8 [height, width], of `enlarged` points per pixel, and return the trace's number."""
        self._count(ink)
        height, width = ink.shape
        middle = np.array([width, height]) / 2
        contours = [contour - middle for contour in traced(ink, HALF, TOLERANCE * enlarged)]
        self.traces.append(_Trace(contours, width, height, drop))
        return len(self.traces) - 1

    def _count(self, points: np.ndarray) -> None:
        self._points += points.size
        _check(self._points, MOST_POINTS, f"takes more than {MOST_POINTS:,} points")


def _shrunk(fine: np.ndarray) -> np.ndarray:
    """Return a coverage of FINE points per pixel, along each axis, as one of pixels."""
    rows, columns = (-(-side // FINE) for side in fine.shape)
    whole = np.pad(fine, ((0, rows * FINE - fine.shape[0]), (0, columns * FINE - fine.shape[1])))
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def _check(taken: int, most: int, fault: str) -> None:
    """Raise Mistake where the memory or work taken is above the most allowed."""
    if taken > most:
        raise Mistake(
            f"style.font_sizes: to draw all glyphs {fault}; give fewer or smaller sizes, or other style.fonts"
        )


def _forms(font: str, forms: tuple[str, ...], kind: int) -> dict[str, str]:
    """Return, by symbol, the character of that kind among the forms that the font has."""
    return {symbol: there[kind % len(there)] for symbol, there in forms_in(font, forms).items()}


def _ink(of: ImageFont.FreeTypeFont, symbol: str, outline: bool, enlarged: int) -> tuple[np.ndarray, float]:
    """Return the coverage of a glyph and how far its centre lies below the line's, in points, `enlarged` per pixel.

    The coverage is uint8 [height, width], cropped to the ink.
    """
    room = 2 * int(of.size) + 8
    canvas = Image.new("L", (room + 2 * int(of.size) * len(symbol), 2 * room))
    pen = ImageDraw.Draw(canvas)
    if outline:
        thick = max(enlarged, round(of.size / 24))
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
