"""Single-line fonts: SVG fonts whose glyphs are paths of a pen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

import cv2
import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.svgLib.path import parse_path

from capbench.errors import Mistake
from capbench.utils import bounded

SUFFIX = ".svg"
PIECES = 16  # straight pieces that approximate a curve
FINE = 8  # points per pixel, along each axis, where a pen draws

# Limits on what a font from an untrusted file may cost.
MOST_BYTES = 2**20  # size limit of the file
MOST_PATH = 2**14  # characters of a glyph's path
MOST_POINTS = 2**19  # points of all glyphs together
MOST_CANVAS = 2**26  # points of the canvas of one glyph, FINE to a pixel
FARTHEST = 8  # times units-per-em that any length may have
THICKEST = 0.25  # most width of a stroke, as a share of units-per-em
SMALLEST_EM, LARGEST_EM = 1e-3, 1e6

WAY = np.linspace(0, 1, PIECES + 1)[1:, None]
SHARES = np.hstack([(1 - WAY) ** 3, 3 * WAY * (1 - WAY) ** 2, 3 * WAY**2 * (1 - WAY), WAY**3])
"""Weights of a cubic Bézier curve's four control points in each of its points, float64 [point, control point]"""


@dataclass(frozen=True)
class LineFont:
    """Single-line font; lengths are in units of the font, heights above its base line."""

    em: float
    """units-per-em, the font's size"""
    middle: float
    """Height of the middle of a line of text"""
    advance: dict[str, float]
    """Width on the line, by character"""
    strokes: dict[str, list[np.ndarray]]
    """Strokes by character, each float64 [point, 2]: x to the right and y upwards"""
    thick: dict[str, float]
    """Width of the strokes by character, where the font gives one"""

    @property
    def without_width(self) -> str:
        """Characters whose strokes have no width in the font, so that a style's pen must draw them."""
        return "".join(symbol for symbol, strokes in self.strokes.items() if strokes and symbol not in self.thick)


@lru_cache(maxsize=64)
def line_font(path: str) -> LineFont:
    """Return the first font of an SVG file, or raise Mistake where it cannot be read."""
    try:
        return _Found(path).font()
    except (ExpatError, OSError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise Mistake(f"style.fonts: {path} cannot be read as an SVG font ({' '.join(str(error).split())})") from error


class _Found:
    """Reader of the first <font> of an SVG file: its attributes, and those of its face and its glyphs."""

    def __init__(self, path: str) -> None:
        self._usual: dict[str, str] | None = None
        self._measures: dict[str, str] = {}
        self._glyphs: dict[str, dict[str, str]] = {}
        self._depth = 0
        self._font_at: float = math.inf
        content = bounded.read(path, MOST_BYTES)
        parser = ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse_entity
        parser.Parse(content, True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(" ")[2]
        self._depth += 1
        if self._usual is None and kind == "font":
            self._usual, self._font_at = attributes, self._depth
        elif self._depth == self._font_at + 1 and kind == "font-face":
            self._measures = self._measures or attributes
        elif self._depth == self._font_at + 1 and kind == "glyph" and len(attributes.get("unicode", "")) == 1:
            self._glyphs[attributes["unicode"]] = attributes

    def _end(self, _: str) -> None:
        if self._depth == self._font_at:
            self._font_at = math.inf
        self._depth -= 1

    def _refuse_entity(self, *_: object) -> None:
        raise ValueError("it declares entities, and they may unfold without end")

    def font(self) -> LineFont:
        """Return the font that was read; raise ValueError where there is none or its numbers are wrong."""
        if self._usual is None:
            raise ValueError("it has no <font>")
        em = float(self._measures.get("units-per-em", 1000))
        if not SMALLEST_EM <= em <= LARGEST_EM:
            raise ValueError(f"units-per-em is {em:g}; {SMALLEST_EM:g} to {LARGEST_EM:g} are taken")
        ascent, descent = (
            _within(float(self._measures.get(name, usual)), em)
            for name, usual in (("ascent", 0.8 * em), ("descent", -0.2 * em))
        )
        thick = self._numbers("stroke-width", em)
        if not all(0 < width <= em * THICKEST for width in thick.values()):
            raise ValueError(f"a stroke-width is not above 0 and up to {THICKEST:g} of units-per-em")
        pen = _Pieces(em)
        return LineFont(
            em=em,
            middle=(ascent + descent) / 2,
            advance=self._numbers("horiz-adv-x", em, em),
            strokes={symbol: pen.strokes_of(glyph.get("d", "")) for symbol, glyph in self._glyphs.items()},
            thick=thick,
        )

    def _numbers(self, name: str, em: float, usual: float | None = None) -> dict[str, float]:
        """Return an attribute by character: the glyph's value, else the font's, else `usual`."""
        assert self._usual is not None
        common = self._usual.get(name, usual)
        given = {symbol: glyph.get(name, common) for symbol, glyph in self._glyphs.items()}
        return {symbol: _within(float(number), em) for symbol, number in given.items() if number is not None}


def _within(length: float, em: float) -> float:
    """Return the length, or raise ValueError where it is beyond FARTHEST times units-per-em."""
    if not abs(length) <= FARTHEST * em:
        raise ValueError(f"a length of {length:g} is over {FARTHEST} times units-per-em, the most that is taken")
    return length


class _Pieces(BasePen):
    """Pen that records paths as points joined by straight pieces, at most MOST_POINTS for all glyphs together."""

    def __init__(self, em: float) -> None:
        super().__init__()
        self._em = em
        self._left = MOST_POINTS
        self._strokes: list[list[np.ndarray]] = []

    def strokes_of(self, path: str) -> list[np.ndarray]:
        """Return the strokes of an SVG path, each float64 [point, 2]."""
        if len(path) > MOST_PATH:
            raise ValueError(f"a path has over {MOST_PATH:,} characters, the most that are accepted")
        self._strokes = []
        try:
            parse_path(path, self)
        except (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError) as error:
            raise ValueError(f"a path is damaged ({error or type(error).__name__})") from error
        strokes = [np.concatenate(stroke) for stroke in self._strokes]
        for stroke in strokes:
            _within(float(np.abs(stroke).max()), self._em)
        return strokes

    def _add(self, points: Any) -> None:
        self._left -= len(points)
        if self._left < 0:
            raise ValueError(f"its paths have over {MOST_POINTS:,} points, the most that are accepted")
        self._strokes[-1].append(np.array(points, dtype=np.float64))

    def _moveTo(self, point: Any) -> None:
        self._strokes.append([])
        self._add([point])

    def _lineTo(self, point: Any) -> None:
        self._add([point])

    def _curveToOne(self, leaves: Any, arrives: Any, end: Any) -> None:
        corners = np.array([self._strokes[-1][-1][-1], leaves, arrives, end], dtype=np.float64)
        self._add(SHARES @ corners)

    def _closePath(self) -> None:
        self._add(self._strokes[-1][0][:1])


@dataclass(frozen=True)
class LineFace:
    """Single-line font in a size in pixels, with the names of Pillow's faces."""

    path: str
    size: float

    @property
    def _scale(self) -> float:
        return self.size / line_font(self.path).em

    def getlength(self, symbol: str) -> float:
        """Return the width in pixels that a symbol takes on the line."""
        return line_font(self.path).advance.get(symbol, 0.0) * self._scale

    def lines(self, symbol: str, wide: float = 1.0) -> tuple[np.ndarray, float]:
        """Return a glyph's lines, one point thin, and how far their middle lies below the line's, in pixels.

        The lines are 255 in uint8 [height, width], cropped to them; `wide` is a factor on the width.
        """
        points, first, last = self._placed(symbol, wide)
        canvas = np.zeros(self._sides(symbol, first, last), dtype=np.uint8)
        if not points:
            return canvas, 0.0
        for stroke in points:
            cv2.polylines(canvas, [np.round(stroke - first).astype(np.int32)], isClosed=False, color=255)
        return canvas, float((first[1] + last[1]) / 2 + line_font(self.path).middle * self._scale)

    def _placed(self, symbol: str, wide: float) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Return the strokes in pixels, x to the right and y downwards, and two corners of their bounding box."""
        points = [
            stroke * [wide * self._scale, -self._scale] for stroke in line_font(self.path).strokes.get(symbol, [])
        ]
        if not points:
            return [], np.zeros(2), np.zeros(2)
        return points, np.min([p.min(0) for p in points], 0), np.max([p.max(0) for p in points], 0)

    def _sides(self, symbol: str, first: np.ndarray, last: np.ndarray) -> tuple[int, int]:
        """Return rows and columns of the bounding box, or raise Mistake where they are too many."""
        width, height = (math.ceil(side) + 1 for side in last - first)
        if width * height > MOST_CANVAS:
            raise Mistake(
                f"style.fonts: {self.path} cannot be drawn (its glyph {symbol!r} takes {width / FINE:,.0f}×{height / FINE:,.0f} "
                f"pixels; at most {MOST_CANVAS // FINE**2:,} are taken)"
            )
        return height, width

    def work(self, symbol: str, wide: float, pen: float | None) -> int:
        """Return how many points the pen's tip touches, repeats counted, while it draws the glyph."""
        fine = LineFace(self.path, FINE * self.size)
        points, first, last = fine._placed(symbol, wide)
        if not points:
            return 0
        room = 2 * FINE * math.ceil(self._pen(symbol, pen))
        rows, columns = fine._sides(symbol, first, last)
        return (rows + room) * (columns + room) * self._tip(symbol, pen) ** 2

    def _pen(self, symbol: str, pen: float | None) -> float:
        """Return the width of the pen in pixels: the given one, or the font's own for None."""
        return line_font(self.path).thick[symbol] * self._scale if pen is None else pen

    def _tip(self, symbol: str, pen: float | None) -> int:
        """Return the diameter of the pen's tip in points, FINE per pixel."""
        return max(1, round(FINE * self._pen(symbol, pen)))

    def penned(self, symbol: str, wide: float, pen: float | None) -> np.ndarray:
        """Return where a pen of `pen` pixels draws the glyph: 255 in uint8 [height, width], FINE points per pixel.

        None stands for the font's own stroke width; `wide` is a factor on the glyph's width.
        """
        lines, _ = LineFace(self.path, FINE * self.size).lines(symbol, wide)
        if not lines.any():
            return lines
        tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self._tip(symbol, pen),) * 2)
        room = FINE * math.ceil(self._pen(symbol, pen))
        ink = cv2.dilate(np.pad(lines, room), tip)
        left, top, width, height = cv2.boundingRect(ink)
        return ink[top : top + height, left : left + width]
