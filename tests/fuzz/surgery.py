"""Image files whose parts are repeated, dropped, swapped, truncated or enlarged.

Lengths and checksums are corrected afterwards, so that the damage reaches the code that reads the parts.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

LARGEST = 2**21  # bytes that one operation may add to a file


class Part(NamedTuple):
    """Part of a file, such as a chunk or a segment."""

    kind: bytes
    """Bytes before the data, such as a tag; empty for a part without a header."""
    data: bytes


class Format(NamedTuple):
    """Functions of a file format: split into parts, add length and checksum to a part, and wrap parts into a file."""

    parts: Callable[[bytes], Iterator[Part]]
    sealed: Callable[[Part], bytes]
    wrapped: Callable[[bytes], bytes]


def operated(content: bytes, random: np.random.Generator) -> bytes:
    """Return the file after one to four operations on its parts."""
    form = next(form for magic, form in FORMATS.items() if content.startswith(magic))
    parts = list(form.parts(content))
    for _ in range(random.integers(1, 5)):
        place, other = random.integers(len(parts), size=2)
        kind, data = parts[place]
        operation = random.integers(5)
        if operation == 0:
            most = LARGEST // (len(kind) + len(data) + 12)
            parts[place:place] = [parts[place]] * min(most, int(10 ** random.uniform(0, 4.5)))
        elif operation == 1 and len(parts) > 1:
            del parts[place]
        elif operation == 2:
            parts[place], parts[other] = parts[other], parts[place]
        elif operation == 3:
            parts[place] = Part(kind, data[: random.integers(len(data) + 1)])
        elif data:
            parts[place] = Part(kind, data * min(LARGEST // len(data), int(10 ** random.uniform(0, 6))))
    return form.wrapped(b"".join(map(form.sealed, parts)))


def _png_parts(content: bytes) -> Iterator[Part]:
    at = 8
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield Part(kind, content[at + 8 : at + 8 + length])
        at += 12 + length


def _png_chunk(part: Part) -> bytes:
    body = part.kind + part.data
    return struct.pack(">I", len(part.data)) + body + struct.pack(">I", zlib.crc32(body))


def _jpeg_parts(content: bytes) -> Iterator[Part]:
    at, kind = 2, b""
    while kind != b"\xff\xda":
        kind, length = struct.unpack_from(">2sH", content, at)
        yield Part(kind, content[at + 4 : at + 2 + length])
        at += 2 + length
    yield Part(b"", content[at:])


def _jpeg_segment(part: Part) -> bytes:
    data = part.data[:65_533] if part.kind else part.data
    return part.kind + (struct.pack(">H", 2 + len(data)) if part.kind else b"") + data


def _gif_parts(content: bytes) -> Iterator[Part]:
    at = 13 + (3 * (2 << (content[10] & 7)) if content[10] & 0x80 else 0)
    yield Part(b"", content[:at])
    while content[at] != 0x3B:
        start = at
        at += 2 if content[at] == 0x21 else 11 + (3 * (2 << (content[at + 9] & 7)) if content[at + 9] & 0x80 else 0)
        kind, data = content[start:at], b""
        while length := content[at]:
            data += content[at + 1 : at + 1 + length]
            at += 1 + length
        yield Part(kind, data)
        at += 1
    yield Part(b"", content[at:])


def _gif_blocks(part: Part) -> bytes:
    size = 1 + zlib.crc32(part.data) % 255  # blocks of other sizes than the usual 255 bytes
    pieces = [part.data[i : i + size] for i in range(0, len(part.data), size)]
    return part.kind + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0" if part.kind else part.data


def _riff_parts(content: bytes) -> Iterator[Part]:
    at = 12
    while at < len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        yield Part(kind, content[at + 8 : at + 8 + length])
        at += 8 + length + length % 2


def _riff_chunk(part: Part) -> bytes:
    return part.kind + struct.pack("<I", len(part.data)) + part.data + bytes(len(part.data) % 2)


def _bmp_parts(content: bytes) -> Iterator[Part]:
    offset = struct.unpack_from("<I", content, 10)[0]
    places = [0, 14, 54, offset, len(content)]
    yield from (Part(b"", content[start:end]) for start, end in pairwise(places))


FORMATS = {
    b"\x89PNG": Format(_png_parts, _png_chunk, lambda body: b"\x89PNG\r\n\x1a\n" + body),
    b"\xff\xd8": Format(_jpeg_parts, _jpeg_segment, lambda body: b"\xff\xd8" + body),
    b"GIF8": Format(_gif_parts, _gif_blocks, lambda body: body),
    b"RIFF": Format(_riff_parts, _riff_chunk, lambda body: b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body),
    b"BM": Format(_bmp_parts, lambda part: part.data, lambda body: body),
}
