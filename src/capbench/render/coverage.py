"""Lookup of the characters that a TrueType or OpenType font has glyphs for.

A font of a few bytes may claim millions of characters, many times over. So characters are looked up one at a time and
never listed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container

import numpy as np

from capbench.utils import bounded

MOST_BYTES = 64 * 2**20  # size limit of a font file; collections of all Chinese characters have some 20 MiB
OUTLINES = (b"\0\1\0\0", b"OTTO", b"true")
COLLECTION = b"ttcf"
UNICODE = [(3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0)]  # platform and encoding, the best first


class Coverage(Container[str]):
    """Characters of a font, or of the first font of a collection; raises ValueError for any other file."""

    def __init__(self, path: str) -> None:
        content = bounded.read(path, MOST_BYTES)
        try:
            self._map = _best(_characters(content))
            (kind,) = struct.unpack_from(">H", self._map)
            self._glyph = FORMATS[kind]
        except (struct.error, LookupError) as error:
            raise ValueError("it has no table of Unicode characters that can be read") from error

    def __contains__(self, character: object) -> bool:
        try:
            return isinstance(character, str) and self._glyph(self._map, ord(character)) > 0
        except (struct.error, ValueError):  # the address is beyond the table's end
            return False


def _characters(content: bytes) -> bytes:
    """Return the table `cmap` of a font file."""
    start = struct.unpack_from(">I", content, 12)[0] if content.startswith(COLLECTION) else 0
    if not content.startswith(OUTLINES, start):
        raise ValueError("it is not a TrueType or OpenType font")
    (count,) = struct.unpack_from(">H", content, start + 4)
    for number in range(count):
        name, _, at, length = struct.unpack_from(">4sIII", content, start + 12 + 16 * number)
        if name == b"cmap":
            return content[at : at + length]
    raise LookupError


def _preference(one: tuple[tuple[int, int], int]) -> int:
    """Return the rank of a map by its platform and encoding, 0 for the best."""
    return UNICODE.index(one[0])


def _best(characters: bytes) -> bytes:
    """Return the table from the beginning of the map that covers most Unicode characters."""
    _, count = struct.unpack_from(">HH", characters)
    maps: dict[tuple[int, int], int] = {}
    for number in range(count):
        platform, encoding, at = struct.unpack_from(">HHI", characters, 4 + 8 * number)
        if (platform, encoding) in UNICODE:
            maps.setdefault((platform, encoding), at)
    if not maps:
        raise LookupError
    return characters[min(maps.items(), key=_preference)[1] :]


def _of_byte(table: bytes, code: int) -> int:
    """Return the glyph of a character in a map of format 0: one byte per character."""
    return table[6 + code] if code < 256 and 6 + code < len(table) else 0


def _of_segment(table: bytes, code: int) -> int:
    """Return the glyph of a character in a map of format 4: segments of 16-bit characters."""
    if code > 0xFFFF:
        return 0
    count = struct.unpack_from(">H", table, 6)[0] // 2
    ends = np.frombuffer(table, ">u2", count, 14)
    first, delta, step = (np.frombuffer(table, ">u2", count, 16 + 2 * count * column) for column in (1, 2, 3))
    place = int(np.argmax(ends >= code))
    if not first[place] <= code <= ends[place]:
        return 0
    glyph = code
    if step[place]:
        at = 16 + 6 * count + 2 * place + int(step[place]) + 2 * (code - int(first[place]))
        (glyph,) = struct.unpack_from(">H", table, at)
    return (glyph + int(delta[place])) % 2**16 if glyph else 0


def _of_row(form: str) -> Callable[[bytes, int], int]:
    """Return the lookup for a map of one row of consecutive characters; `form` is the layout of its header."""

    def glyph(table: bytes, code: int) -> int:
        first, count = struct.unpack_from(form, table)
        if not first <= code < first + count:
            return 0
        return struct.unpack_from(">H", table, struct.calcsize(form) + 2 * (code - first))[0]

    return glyph


def _of_group(each: int) -> Callable[[bytes, int], int]:
    """Return the lookup for a map of groups of characters.

    Within a group the glyph number grows by `each` per character: 1, or 0 where all share one glyph.
    """

    def glyph(table: bytes, code: int) -> int:
        (count,) = struct.unpack_from(">I", table, 12)
        first, last, begin = np.frombuffer(table, ">u4", 3 * count, 16).reshape(-1, 3).T
        within = np.flatnonzero((first <= code) & (code <= last))
        return int(begin[within[0]]) + each * (code - int(first[within[0]])) if len(within) else 0

    return glyph


FORMATS: dict[int, Callable[[bytes, int], int]] = {
    0: _of_byte,
    4: _of_segment,
    6: _of_row(">6xHH"),
    10: _of_row(">12xII"),
    12: _of_group(1),
    13: _of_group(0),
}
"""Lookup of the glyph number of a character's code, 0 where there is none, by the format of the map"""
