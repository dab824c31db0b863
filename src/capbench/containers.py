"""What an image file says of its picture, held against what it holds, before a decoder believes it.

A decoder makes up what is missing and drops what is too much: a file whose header lies would give a picture that
nobody drew. It also reads whatever is wrapped around the pixels, however many pieces that has.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from capbench.errors import BadImage

MOST_PIXELS = 4_000_000
MOST_FRAMES = 256
MOST_PARTS = 5_000  # chunks, segments or blocks; Pillow takes a time that grows with the square of some
MOST_FILL = 256  # bytes between two segments of a JPEG; Pillow reads them one by one
MOST_SCANS = 64  # of a JPEG; each passes over the whole picture

TOO_SHORT = "is truncated: its {} ends before the picture does"
TOO_LONG = "says {}×{} pixels and holds more"


class Outline(NamedTuple):
    """What a file says of its first frame."""

    kind: str
    width: int
    height: int
    content: bytes
    """What to decode: fails where the file's pixels end too soon."""
    cut: bytes | None = None
    """The same without the last pixels. Where it can be decoded all the same, the file holds more than it says."""


def outline(content: bytes) -> Outline:
    """The outline of an image file, or BadImage. Decodes nothing."""
    kind = kind_of(content)
    if kind is None:
        raise BadImage(f"is no image of a known format ({', '.join(KINDS)}), nor base64 text of one")
    try:
        return KINDS[kind].outline(content)
    except (struct.error, IndexError) as error:
        raise BadImage(f"is truncated within the header of a {kind} file") from error


def kind_of(content: bytes) -> str | None:
    """The format that the first bytes name."""
    return next((name for name, kind in KINDS.items() if kind.magic.match(content)), None)


def check_size(width: int, height: int) -> tuple[int, int]:
    if width <= 0 or height <= 0:
        raise BadImage(f"has {width}×{height} pixels")
    if width * height > MOST_PIXELS:
        raise BadImage(f"has {width}×{height} pixels; at most {MOST_PIXELS:,} are taken")
    return width, height


def _frames(count: int) -> None:
    if count > MOST_FRAMES:
        raise BadImage(f"has over {MOST_FRAMES} frames, the most that are taken")


def _parts() -> Iterator[None]:
    """As many turns as a file may have parts."""
    yield from [None] * MOST_PARTS
    raise BadImage(f"has over {MOST_PARTS:,} parts, the most that are taken")


def _png(content: bytes) -> Outline:
    chunks: dict[bytes, list[bytes]] = {}
    at = 8
    for _ in _parts():
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise BadImage(TOO_SHORT.format("file"))
        chunks.setdefault(kind, []).append(content[at + 8 : end - 4])
        if kind == b"IEND":
            break
        at = end
    _frames(len(chunks.get(b"fcTL", [])))
    header = chunks.get(b"IHDR", [b""])[0]
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", header)
    check_size(width, height)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if channels is None or depth not in (1, 2, 4, 8, 16):
        raise BadImage(f"is damaged: colours of type {colour} with {depth} bits")
    if colour == 3 and b"PLTE" not in chunks:
        raise BadImage("is damaged: its palette is missing")
    expected = _png_bytes(width, height, channels * depth, bool(interlaced))
    try:
        found = len(zlib.decompressobj().decompress(b"".join(chunks.get(b"IDAT", [])), expected + 1))
    except zlib.error as error:
        raise BadImage(f"is damaged: its pixels cannot be inflated ({error})") from error
    if found < expected:
        raise BadImage(TOO_SHORT.format("data"))
    if found > expected:
        raise BadImage(TOO_LONG.format(width, height))
    return Outline("PNG", width, height, content)


def _png_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of the inflated picture: each row has one more that names its filter."""
    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, right, down in adam7 if interlaced else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        total += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    return total


_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # stuffed bytes and restarts belong to the scan
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_CODE = b"\xff\x00" * 8  # ones alone are no Huffman code; eight bytes are read ahead


def _jpeg(content: bytes) -> Outline:
    at, frame, width, height = 2, 0, 0, 0
    for _ in _parts():
        marker = _MARKER.search(content, at, at + MOST_FILL)
        if marker is None or marker[1] == b"\xd9":
            raise BadImage(f"is truncated or damaged: no segment of a JPEG file follows byte {at:,}")
        code, at = marker[1][0], marker.end()
        if code == 0x01 or 0xD0 <= code <= 0xD8:  # these stand alone
            continue
        if code in _START_OF_FRAME:
            frame = code
            height, width = struct.unpack_from(">HH", content, at + 3)
        at += struct.unpack_from(">H", content, at)[0]
        if code == 0xDA:
            break
    check_size(width, height)
    if content.count(b"\xff\xda", at) >= MOST_SCANS:
        raise BadImage(f"has over {MOST_SCANS} scans, the most that are taken")
    end = _AFTER_SCAN.search(content, at)
    if end is None:
        raise BadImage(TOO_SHORT.format("file"))
    if end[1] != b"\xd9" or frame not in (0xC0, 0xC1):
        return Outline("JPEG", width, height, content)  # several scans, or progressive: nothing more can be said
    # libjpeg paints the rest grey when it meets the end mark too soon; without the mark it waits for more, in vain.
    scan = content[: end.start()]
    return Outline("JPEG", width, height, scan + _NO_CODE, scan[:-16] if len(scan) - at > 16 else None)


def _gif(content: bytes) -> Outline:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    check_size(width, height)
    at, frames = 13 + _gif_colours(flags), 0
    cut: bytes | None = None
    for _ in _parts():
        mark = content[at]
        if mark == 0x3B:
            break
        if mark == 0x21:
            at = _gif_blocks(content, at + 2)
        elif mark == 0x2C:
            left, top, columns, rows, flags = struct.unpack_from("<HHHHB", content, at + 1)
            if left + columns > width or top + rows > height:
                raise BadImage(f"says {width}×{height} pixels and has a frame that reaches beyond")
            start = at + 11 + _gif_colours(flags)
            at = _gif_blocks(content, start)
            frames += 1
            _frames(frames)
            cut = cut or content[:start] + _gif_without_end(content[start:at])
        else:
            at += 1  # some writers leave zeros between blocks
    if cut is None:
        raise BadImage("has no frame")
    return Outline("GIF", width, height, content, cut)


def _gif_colours(flags: int) -> int:
    """Bytes of the colour table that flags announce."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _gif_blocks(content: bytes, at: int) -> int:
    """Where the blocks of data that begin at `at` end."""
    while length := content[at]:
        at += 1 + length
    return at + 1


def _gif_without_end(blocks: bytes) -> bytes:
    """Blocks of data without their last four bytes: the end's code and a part of the last pixels'."""
    data, at = bytearray(), 0
    while length := blocks[at]:
        data += blocks[at + 1 : at + 1 + length]
        at += 1 + length
    del data[-4:]
    return b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))


def _bmp(content: bytes) -> Outline:
    offset, header = struct.unpack_from("<II", content, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", content, 18)
    height = abs(height)  # negative: from top to bottom
    check_size(width, height)
    if offset < 14 + header:
        raise BadImage(f"says that its pixels begin at byte {offset}, within its header")
    if packing in (0, 3):
        row = -(-width * bits // 32) * 4
        surplus = len(content) - offset - row * height
        if surplus < 0:
            raise BadImage(TOO_SHORT.format("data"))
        if surplus >= row and header < 124:  # a longer header may put a colour profile there
            raise BadImage(TOO_LONG.format(width, height))
    return Outline("BMP", width, height, content)


def _webp(content: bytes) -> Outline:
    if struct.unpack_from("<I", content, 4)[0] + 8 > len(content):
        raise BadImage(TOO_SHORT.format("file"))
    first = content[12:16]
    if first == b"VP8X":
        low = struct.unpack_from("<HBHB", content, 24)
        width, height = 1 + low[0] + (low[1] << 16), 1 + low[2] + (low[3] << 16)
    elif first == b"VP8L":
        packed = struct.unpack_from("<I", content, 21)[0]
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    check_size(width, height)
    _frames(content.count(b"ANMF"))
    return Outline("WEBP", width, height, content)


class _Kind(NamedTuple):
    magic: re.Pattern[bytes]
    outline: Callable[[bytes], Outline]


KINDS = {
    "PNG": _Kind(re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    "JPEG": _Kind(re.compile(rb"\xff\xd8\xff"), _jpeg),
    "GIF": _Kind(re.compile(rb"GIF8[79]a"), _gif),
    "BMP": _Kind(re.compile(rb"BM"), _bmp),
    "WEBP": _Kind(re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
}
