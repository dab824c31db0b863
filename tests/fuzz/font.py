"""TrueType and OpenType fonts: damaged, dropped or swapped tables, and bombs of character maps and glyphs."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen

from capbench.render.faces import bundled_fonts, known
from capbench.render.painter import Painter
from capbench.render.reference import CaptchaPackage
from capbench.render.style import Style
from tests.fuzz.mutations import damaged, flipped, generator, overwritten, pick
from tests.helpers.settings import style

SYMBOLS = "0123456789"
SEEDS = ["cmss10.ttf", "cmtt10.ttf", "cmb10.ttf"]  # chosen because they are small
TABLES = [
    b"cmap",
    b"head",
    b"maxp",
    b"hhea",
    b"hmtx",
    b"loca",
    b"glyf",
    b"CFF ",
    b"fpgm",
    b"prep",
    b"cvt ",
    b"post",
    b"OS/2",
    b"name",
]


class Drawn:
    """Door that draws a font in one of several styles; the first byte of an input is the style's number."""

    suffix = ".ttf"

    def __init__(self, folder: Path, seed: int, fonts: Sequence[bytes]) -> None:
        self.pid = os.getpid()
        self.seed, self.fonts, self._folder, self._number = seed, list(fonts), folder, 0
        calm = style("style.stretch=false", "style.fade=false", "style.noise=[]")
        small, large = replace(calm, font_sizes=[30]), replace(calm, font_sizes=[200], width=1024, height=400)
        self.looks: list[Style] = self._looks(small, large)
        self.sound = [bytes([0]) + font for font in self.fonts]

    @staticmethod
    def _looks(small: Style, large: Style) -> list[Style]:
        pens: dict[str, Any] = {"pens": [2.0], "fonts": [str(bundled_fonts()["angular.svg"])]}
        return [replace(small, **pens), replace(small, **pens, widths=[4.0]), replace(large, **pens)]

    def open(self, content: bytes) -> None:
        self._number += 1
        path = self._folder / f"{self._number}{self.suffix}"  # a new name each time, because fonts are cached by name
        path.write_bytes(content[1:])
        try:
            own = replace(self.looks[content[0]], fonts=[str(path)])
            symbols = "".join(symbol for symbol in SYMBOLS if symbol in known(str(path))) or SYMBOLS
            self._draw(own, symbols)
        finally:
            path.unlink()

    @staticmethod
    def _draw(own: Style, symbols: str) -> None:
        pictures = Painter(own, symbols, 1, 1, 5).pictures(np.arange(4), threads=1)
        assert pictures.shape == (4, own.height, own.width, 3)

    def close(self) -> None:
        pass


class door(Drawn):
    """Door that draws a font with CapBench's renderer, or as the captcha package does."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._builtin = style("style=default")
        fonts = [bundled_fonts()[name].read_bytes() for name in SEEDS]
        super().__init__(folder, seed, [*fonts, cff(), collection(fonts[0])])

    def _looks(self, small: Style, large: Style) -> list[Style]:  # type: ignore[override]
        return [small, replace(small, outline=0.5), large, self._builtin, replace(self._builtin, font_sizes=[60])]

    def _draw(self, own: Style, symbols: str) -> None:  # type: ignore[override]
        if own.stretch and own.font_sizes == [60]:
            CaptchaPackage(own, symbols, 1, 1, 5).pictures(np.arange(4))
        else:
            super()._draw(own, symbols)

    def made(self, number: int) -> bytes:
        random = generator("font", self.seed, number)
        look = bytes([int(random.integers(len(self.looks)))])
        content = pick(random, self.fonts)
        way = int(random.integers(8))
        if way == 0 or content.startswith(b"ttcf"):
            return look + damaged(content, random, self.fonts)
        tables = taken_apart(content)
        if way == 1:
            tables[b"cmap"] = bomb_of_characters(random)
        elif way == 2 and b"glyf" in tables:
            bomb_of_glyphs(tables, random)
        else:
            for _ in range(random.integers(1, 4)):
                _change(tables, [taken_apart(font) for font in self.fonts if not font.startswith(b"ttcf")], random)
        return look + put_together(content[:4], tables)


def taken_apart(font: bytes) -> dict[bytes, bytes]:
    """Return the tables of a font by tag."""
    (count,) = struct.unpack_from(">H", font, 4)
    entries = (struct.unpack_from(">4s4xII", font, 12 + 16 * number) for number in range(count))
    return {name: font[at : at + length] for name, at, length in entries}


def put_together(kind: bytes, tables: dict[bytes, bytes], start: int = 0) -> bytes:
    """Return a font of these tables; `start` is its offset in the file, in bytes."""
    head = kind + struct.pack(">HHHH", len(tables), 0, 0, 0)
    at, entries, body = start + 12 + 16 * len(tables), b"", b""
    for name, data in sorted(tables.items()):
        entries += struct.pack(">4sIII", name, 0, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return head + entries + body


def collection(font: bytes) -> bytes:
    """Return a font collection that holds one font."""
    head = b"ttcf" + struct.pack(">HHII", 1, 0, 1, 16)
    return head + put_together(font[:4], taken_apart(font), len(head))


def cff() -> bytes:
    """Return an OpenType font with PostScript outlines, one of them a curve."""
    names = [".notdef", *(f"n{symbol}" for symbol in SYMBOLS)]
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(symbol): f"n{symbol}" for symbol in SYMBOLS})
    strings = {}
    for number, name in enumerate(names):
        pen = T2CharStringPen(600, None)
        pen.moveTo((50, 0))
        pen.lineTo((500, 20 * number))
        pen.curveTo((500, 300), (400, 700), (100, 700 - 9 * number))
        pen.closePath()
        strings[name] = pen.getCharString()
    builder.setupCFF("Own", {}, strings, {})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()


def _change(tables: dict[bytes, bytes], others: Sequence[dict[bytes, bytes]], random: np.random.Generator) -> None:
    """Damage, drop, swap or truncate one table."""
    name = pick(random, [table for table in TABLES if table in tables] if random.random() < 0.8 else list(tables))
    data = tables.get(name, b"")
    way = random.integers(8)
    if way == 0:
        tables.pop(name, None)
    elif way == 1:
        other = pick(random, others)
        tables[name] = other.get(name, data)
    elif way == 2:
        tables[name] = data[: random.integers(len(data) + 1)]
    elif way == 3 and data:
        tables[name] = damaged(data, random)
    elif data:
        tables[name] = (flipped, overwritten, overwritten)[random.integers(3)](data, random)


def bomb_of_characters(random: np.random.Generator) -> bytes:
    """Return a character map whose groups or segments are huge, many, or overlapping."""
    kind, count = int(pick(random, [4, 4, 6, 10, 12, 12, 13, 0, 2, 14, 99])), int(10 ** random.uniform(0, 4))
    if kind in (12, 13):
        groups = b"".join(struct.pack(">III", 0, int(pick(random, [0x10FFFF, 2**32 - 1, 57])), 1) for _ in range(count))
        said = count if random.random() < 0.7 else int(pick(random, [0, 2**31, 2**32 - 1]))
        body = struct.pack(">HHIII", kind, 0, 16 + len(groups), 0, said) + groups
    elif kind == 4:
        columns = [random.integers(0, 2**16, count).astype(">u2") for _ in range(4)]
        if random.random() < 0.7:
            columns[0][:], columns[1][:] = 0xFFFF, 0
        body = struct.pack(">HHHHHHH", 4, 0, 0, 2 * count % 2**16, 0, 0, 0) + columns[0].tobytes() + b"\0\0"
        body += b"".join(column.tobytes() for column in columns[1:])
    else:
        body = struct.pack(">HHHHH", kind, 10, 0, 0, 2**16 - 1) + bytes(count)
    return struct.pack(">HHHHI", 0, 1, 3, int(pick(random, [1, 10])), 12) + body


def bomb_of_glyphs(tables: dict[bytes, bytes], random: np.random.Generator) -> None:
    """Replace the glyphs by deeply nested ones and ones with many distant points, often with an odd em size."""
    if random.random() < 0.5:
        head = bytearray(tables[b"head"])
        struct.pack_into(">H", head, 18, int(pick(random, [1, 15, 16, 64, 16384])))
        tables[b"head"] = bytes(head)
    (glyphs,) = struct.unpack_from(">H", tables[b"maxp"], 4)
    box = struct.pack(">hhhhh", -1, 0, 0, 1000, 1000)
    made = []
    for number in range(glyphs):
        if number < 2 or random.random() < 0.1:
            points = int(10 ** random.uniform(0.5, 3))
            ends = struct.pack(">hhhhhHH", 1, -32768, -32768, 32767, 32767, points - 1, 0)
            places = random.integers(-32768, 32768, (2, points)).astype(">i2").tobytes()
            made.append(ends + bytes([1]) * points + places)
            continue
        parts = [
            struct.pack(">HHbb", 0x22, int(number - 1 - random.integers(2)), 1, 1)
            for _ in range(int(random.integers(1, 9)))
        ]
        parts[-1] = struct.pack(">HHbb", 0x02, number - 1, 1, 1)
        made.append(box + b"".join(parts))
    made = [one + bytes(-len(one) % 4) for one in made]
    starts = np.cumsum([0, *map(len, made)])
    head = bytearray(tables[b"head"])
    struct.pack_into(">h", head, 50, 1)
    tables[b"head"], tables[b"loca"], tables[b"glyf"] = bytes(head), starts.astype(">u4").tobytes(), b"".join(made)
    if random.random() < 0.8:
        maxp = bytearray(tables[b"maxp"].ljust(32, b"\0"))
        maxp[6:32] = b"\xff" * 26
        tables[b"maxp"] = bytes(maxp)
