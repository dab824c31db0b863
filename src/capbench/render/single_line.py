"""Fonts of single lines, which a pen follows: SVG fonts, whose glyphs are paths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.svgLib.path import parse_path

from capbench.errors import Mistake

SUFFIX = ".svg"
PIECES = 16  # straight ones that a curve is drawn in
FINE = 8  # points to a pixel where a pen draws


@dataclass(frozen=True)
class LineFont:
    """Lengths in units of the font, heights above its base line."""

    em: float
    middle: float
    """the height of the middle of a line of text"""
    advance: dict[str, float]
    """by character, the room on the line that it takes"""
    strokes: dict[str, list[np.ndarray]]
    """by character, its strokes, float64 [point, 2], from the left and upwards"""
    thick: dict[str, float]
    """by character, how wide its strokes are, where the font says so"""

    @property
    def without_width(self) -> str:
        """Characters whose strokes only a pen of the style's can draw."""
        return "".join(symbol for symbol, strokes in self.strokes.items() if strokes and symbol not in self.thick)


@lru_cache(maxsize=64)
def line_font(path: str) -> LineFont:
    """The first font of an SVG file."""
    try:
        font = ElementTree.parse(path).find(".//{*}font")
        if font is None:
            raise ValueError("it has no <font>")
        face = font.find("{*}font-face")
        measures = face.attrib if face is not None else {}
        em = float(measures.get("units-per-em", 1000))
        ascent, descent = float(measures.get("ascent", 0.8 * em)), float(measures.get("descent", -0.2 * em))
        glyphs = {glyph.get("unicode", ""): glyph for glyph in font.iterfind("{*}glyph")}
        glyphs = {symbol: glyph for symbol, glyph in glyphs.items() if len(symbol) == 1}
        usual = {"horiz-adv-x": str(em), **font.attrib}
        thick = _numbers(glyphs, usual, "stroke-width")
        if not all(0 < width <= em for width in thick.values()):
            raise ValueError("a stroke-width is not above 0 and up to units-per-em")
        return LineFont(
            em=em,
            middle=(ascent + descent) / 2,
            advance=_numbers(glyphs, usual, "horiz-adv-x"),
            strokes={symbol: list(_strokes(glyph.get("d", ""))) for symbol, glyph in glyphs.items()},
            thick=thick,
        )
    except (ElementTree.ParseError, OSError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise Mistake(f"style.fonts: {path} cannot be read as an SVG font ({error})") from error


def _numbers(glyphs: dict[str, ElementTree.Element], usual: dict[str, str], name: str) -> dict[str, float]:
    """By character, what its glyph gives, or else is usual."""
    given = {symbol: glyph.get(name, usual.get(name)) for symbol, glyph in glyphs.items()}
    return {symbol: float(number) for symbol, number in given.items() if number is not None}


def _strokes(path: str) -> Iterator[np.ndarray]:
    pen = _Pieces()
    parse_path(path, pen)
    return (np.array(stroke, dtype=np.float64) for stroke in pen.strokes)


class _Pieces(BasePen):
    """Keeps what it is told to draw as points with straight pieces between them."""

    def __init__(self) -> None:
        super().__init__()
        self.strokes: list[list[Any]] = []

    def _moveTo(self, point: Any) -> None:
        self.strokes.append([point])

    def _lineTo(self, point: Any) -> None:
        self.strokes[-1].append(point)

    def _curveToOne(self, leaves: Any, arrives: Any, end: Any) -> None:
        way = np.linspace(0, 1, PIECES + 1)[1:, None]
        corners = np.array([self.strokes[-1][-1], leaves, arrives, end], dtype=np.float64)
        shares = np.hstack([(1 - way) ** 3, 3 * way * (1 - way) ** 2, 3 * way**2 * (1 - way), way**3])
        self.strokes[-1].extend(shares @ corners)

    def _closePath(self) -> None:
        self.strokes[-1].append(self.strokes[-1][0])


@dataclass(frozen=True)
class LineFace:
    """A font of single lines in a size, in pixels; with the names that Pillow's faces have."""

    path: str
    size: float

    @property
    def _scale(self) -> float:
        return self.size / line_font(self.path).em

    def getlength(self, symbol: str) -> float:
        return line_font(self.path).advance.get(symbol, 0.0) * self._scale

    def lines(self, symbol: str, wide: float = 1.0) -> tuple[np.ndarray, float]:
        """uint8 [height, width], 255 where its lines are, one point thin, cut to them; how far their middle lies below the line's."""
        font = line_font(self.path)
        strokes = font.strokes.get(symbol)
        if not strokes:
            return np.zeros((1, 1), dtype=np.uint8), 0.0
        points = [stroke * [wide * self._scale, -self._scale] for stroke in strokes]
        first, last = np.min([p.min(0) for p in points], 0), np.max([p.max(0) for p in points], 0)
        width, height = (math.ceil(side) + 1 for side in last - first)
        canvas = np.zeros((height, width), dtype=np.uint8)
        for stroke in points:
            cv2.polylines(canvas, [np.round(stroke - first).astype(np.int32)], isClosed=False, color=255)
        return canvas, float((first[1] + last[1]) / 2 + font.middle * self._scale)

    def penned(self, symbol: str, wide: float, pen: float | None) -> np.ndarray:
        """Coverage, uint8 [height, width], of the glyph, `wide` times as wide, by a pen of so many pixels, or the font's own."""
        lines, _ = LineFace(self.path, FINE * self.size).lines(symbol, wide)
        if not lines.any():
            return lines
        pen = line_font(self.path).thick[symbol] * self._scale if pen is None else pen
        tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(1, round(FINE * pen)),) * 2)
        room = FINE * math.ceil(pen)
        rows, columns = (-(-(side + 2 * room) // FINE) for side in lines.shape)
        canvas = np.zeros((rows * FINE, columns * FINE), dtype=np.uint8)
        canvas[room : room + lines.shape[0], room : room + lines.shape[1]] = lines
        ink = cv2.resize(cv2.dilate(canvas, tip), (columns, rows), interpolation=cv2.INTER_AREA)
        left, top, width, height = cv2.boundingRect(ink)
        return ink[top : top + height, left : left + width]
