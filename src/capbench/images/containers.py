"""Checks of image files against their headers, before a decoder reads them.

A decoder makes up missing pixels and drops surplus ones, so that a file with a false header would give a picture that
nobody drew. A decoder also reads what surrounds the pixels, such as profiles, texts and later frames, which can cost
thousands of times as much as the pixels. So it is given a file that holds nothing but the picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from capbench.errors import BadImage
from capbench.images.orientation import UPRIGHT, orientation

MOST_PIXELS = 4_000_000
MOST_FRAMES = 256
MOST_PARTS = 5_000  # chunks, segments or extensions
MOST_BLOCKS = 100_000  # data blocks of a GIF; a file of the most bytes has 41,000 full ones
MOST_FILL = 256  # bytes between two segments of a JPEG
MOST_HEAD = 2**18  # bytes of a JPEG before its pixels, without metadata; Pillow reads tables one by one
MOST_RUNS = 2**18  # pixels, and bytes, of a run-length coded BMP; Pillow reads both one by one
MOST_SCANS = 64  # scans of a JPEG; each passes over the whole picture
MOST_SCANNED = 16 * MOST_PIXELS  # pixels that all scans pass over; a progressive picture has some ten scans
STEP = 16  # pixels that a decoder processes in the time of one step of Python

TOO_SHORT = "is truncated: its {} ends before the picture does"
TOO_LONG = "says {}×{} pixels and holds more"


class Outline(NamedTuple):
    """Format and size in pixels of a file's first frame, and the bytes to decode."""

    kind: str
    width: int
    height: int
    content: bytes
    """File to decode, without anything beside the picture; decoding fails where the file's pixels end too soon"""
    orientation: int = UPRIGHT
    """EXIF orientation, 1 to 8"""
    cut: bytes | None = None
    """`content` without its last pixels; if this can be decoded, the file holds more pixels than it says"""
    frames: int = 1
    """Number of frames, of which `content` may hold the first one only"""
    spans: tuple[tuple[int, int], ...] = ()
    """Where in the file the parts are that make all frames, if there are several"""


class TooMuchWork(BadImage):
    """Refusal of an image that takes more work than the caller allows."""


def outline(content: bytes, most: int | None = None) -> Outline:
    """Return the outline of an image file without decoding it, or raise BadImage.

    `most` limits the pixels that a decoder may process: TooMuchWork is raised where there are more.
    """
    kind = kind_of(content)
    if kind is None:
        raise BadImage(f"is not an image of a known format ({', '.join(KINDS)}), nor base64 text of one")
    try:
        return KINDS[kind].outline(content, most)
    except (struct.error, IndexError) as error:
        raise BadImage(f"is truncated within the header of a {kind} file") from error


def kind_of(content: bytes) -> str | None:
    """Return the format that the first bytes name, or None."""
    return next((name for name, kind in KINDS.items() if kind.magic.match(content)), None)


def check_work(amount: int, most: int | None) -> None:
    """Raise TooMuchWork where `amount`, in bytes or pixels, is above `most`."""
    if most is not None and amount > most:
        raise TooMuchWork(f"takes the work of {amount:,} bytes or pixels; {most:,} are allowed")


def check_size(width: int, height: int, most: int | None = None) -> tuple[int, int]:
    """Return width and height in pixels, or raise BadImage where a picture may not have that size."""
    if width <= 0 or height <= 0:
        raise BadImage(f"has {width}×{height} pixels")
    if width * height > MOST_PIXELS:
        raise BadImage(f"has {width}×{height} pixels; at most {MOST_PIXELS:,} are accepted")
    check_work(width * height, most)
    return width, height


def check_frames(count: int, width: int, height: int, most: int | None = None) -> None:
    """Raise BadImage where the frames of an animation, all of this size in pixels, may not be decoded together."""
    _frames(count)
    if count * width * height > MOST_PIXELS:
        raise BadImage(
            f"has {count} frames of {width}×{height} pixels; at most {MOST_PIXELS:,} pixels in all are accepted"
        )
    check_work(count * width * height, most)


def _frames(count: int) -> None:
    if count > MOST_FRAMES:
        raise BadImage(f"has over {MOST_FRAMES} frames, the most that are accepted")


def _if_several(frames: int, spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(spans) if frames > 1 else ()


def _turns(number: int, what: str, most: int | None = None) -> Iterator[None]:
    """Yield as many times as a file may have items of one kind, then raise BadImage.

    Each item counts as STEP pixels of the work that `most` limits.
    """
    for turn in range(number):
        check_work(STEP * turn, most)
        yield
    raise BadImage(f"has over {number:,} {what}, the most that are accepted")


def _parts() -> Iterator[None]:
    return _turns(MOST_PARTS, "parts")


_PNG_ONCE = (b"IHDR", b"PLTE", b"tRNS")
_PNG_MOVING = (*_PNG_ONCE, b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND")


def _png(content: bytes, most: int | None) -> Outline:
    chunks: dict[bytes, list[bytes]] = defaultdict(list)
    at, spans = 8, [(0, 8)]
    for _ in _parts():
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise BadImage(TOO_SHORT.format("file"))
        chunks[kind].append(content[at:end])
        if kind in _PNG_MOVING:
            spans.append((at, end))
        if kind == b"IEND":
            break
        at = end
    _frames(len(chunks[b"fcTL"]))
    for kind in _PNG_ONCE:
        if len(chunks[kind]) > 1:
            raise BadImage(f"is damaged: it has {len(chunks[kind]):,} chunks {kind.decode()}")
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", _png_data(chunks[b"IHDR"][0]))
    check_size(width, height, most)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if channels is None or depth not in (1, 2, 4, 8, 16):
        raise BadImage(f"is damaged: colours of type {colour} with {depth} bits")
    if colour == 3 and not chunks[b"PLTE"]:
        raise BadImage("is damaged: its palette is missing")
    expected = _png_bytes(width, height, channels * depth, bool(interlaced))
    try:
        found = len(zlib.decompressobj().decompress(b"".join(map(_png_data, chunks[b"IDAT"])), expected + 1))
    except zlib.error as error:
        raise BadImage(f"is damaged: its pixels cannot be inflated ({error})") from error
    if found < expected:
        raise BadImage(TOO_SHORT.format("data"))
    if found > expected:
        raise BadImage(TOO_LONG.format(width, height))
    picture = [chunk for kind in (*_PNG_ONCE, b"IDAT", b"IEND") for chunk in chunks[kind]]
    exif = _png_data(chunks[b"eXIf"][-1]) if chunks[b"eXIf"] else b""
    first = b"".join([content[:8], *picture])
    frames = max(1, len(chunks[b"fcTL"]))
    return Outline("PNG", width, height, first, orientation(exif), frames=frames, spans=_if_several(frames, spans))


def _png_data(chunk: bytes) -> bytes:
    """Return the data of a chunk, without its length, name and checksum."""
    return chunk[8:-4]


def _png_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Return the number of bytes of the inflated picture; each row has one more, which names its filter."""
    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, right, down in adam7 if interlaced else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        total += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    return total


_MARKER = re.compile(rb"\xff([^\x00\xff])")
_FILL = re.compile(rb"\xff{2,}")  # equivalent to a single fill byte; libjpeg reads them all again and again
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")  # stuffed bytes and restarts belong to the scan
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOTES = frozenset([*range(0xE1, 0xEE), 0xEF, 0xFE])  # metadata; not APP0 and APP14, which say how colours are coded
_NO_CODE = b"\xff\x00" * 8  # a run of ones is not a Huffman code; decoders read eight bytes ahead


def _jpeg(content: bytes, most: int | None) -> Outline:
    at, frame, width, height = 2, 0, 0, 0
    kept, exif = [content[:at]], b""
    for _ in _parts():
        marker = _MARKER.search(content, at, at + MOST_FILL)
        if marker is None or marker[1] == b"\xd9":
            raise BadImage(f"is truncated or damaged: no segment of a JPEG file follows byte {at:,}")
        code, at = marker[1][0], marker.end()
        if code == 0x01 or 0xD0 <= code <= 0xD8:  # markers without a length
            kept.append(content[at - 2 : at])
            continue
        if code in _START_OF_FRAME:
            frame = code
            height, width = struct.unpack_from(">HH", content, at + 3)
        end = at + struct.unpack_from(">H", content, at)[0]
        if code not in _NOTES:
            kept.append(content[at - 2 : end])
        elif code == 0xE1 and content.startswith(b"Exif\0\0", at + 2):
            exif = exif or content[at + 2 : end]
        at = end
        if code == 0xDA:
            break
    check_size(width, height, most)
    head, turned = b"".join(kept), orientation(exif)
    if len(head) > MOST_HEAD:
        raise BadImage(f"has over {MOST_HEAD:,} bytes before its pixels, the most that are accepted")
    pixels = _FILL.sub(b"\xff", content[at:])
    scans = 1 + pixels.count(b"\xff\xda")
    if scans > MOST_SCANS:
        raise BadImage(f"has over {MOST_SCANS} scans, the most that are accepted")
    if scans * width * height > MOST_SCANNED:
        raise BadImage(
            f"has {scans} scans of {width}×{height} pixels; at most {MOST_SCANNED:,} pixels in all are accepted"
        )
    check_work(scans * width * height, most)
    after = _AFTER_SCAN.search(pixels)
    if after is None:
        raise BadImage(TOO_SHORT.format("file"))
    if after[1] != b"\xd9" or frame not in (0xC0, 0xC1):  # several scans, or progressive: the end cannot be checked
        return Outline("JPEG", width, height, head + pixels, turned)
    # At an early end mark, libjpeg fills the rest with grey; without the mark it reports that data are missing.
    scan = pixels[: after.start()]
    cut = head + scan[:-16] if len(scan) > 16 else None
    return Outline("JPEG", width, height, head + scan + _NO_CODE, turned, cut)


def _gif(content: bytes, most: int | None) -> Outline:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    check_size(width, height, most)
    at, frames, blocks = 13 + _gif_colours(flags), 0, _turns(MOST_BLOCKS, "blocks of data", most)
    kept, first, spans = [content[:at]], b"", [(0, at)]
    for _ in _parts():
        mark, start = content[at], at
        if mark == 0x3B:
            break
        if mark == 0x21:
            _, at = _gif_data(content, start + 2, blocks)
            if content[start + 1] == 0xF9:  # may define the transparent colour
                spans.append((start, at))
                if not frames:
                    kept.append(content[start:at])
        elif mark == 0x2C:
            left, top, columns, rows, flags = struct.unpack_from("<HHHHB", content, start + 1)
            if left + columns > width or top + rows > height:
                raise BadImage(f"says {width}×{height} pixels and has a frame that reaches beyond")
            head = start + 11 + _gif_colours(flags)
            data, at = _gif_data(content, head, blocks)
            spans.append((start, at))
            if not frames:
                kept.append(content[start:head])
                first = data
            frames += 1
            _frames(frames)
        else:
            at += 1  # some writers leave zeros between blocks
    if not frames:
        raise BadImage("has no frame")
    before = b"".join(kept)
    # The last four bytes hold the end code and a part of the last pixels' code.
    cut = before + _gif_blocks(first[:-4])
    whole = before + _gif_blocks(first) + b"\0;"
    return Outline(
        "GIF", width, height, whole, cut=cut, frames=frames, spans=_if_several(frames, [*spans, (at, at + 1)])
    )


def _gif_colours(flags: int) -> int:
    """Return the number of bytes of the colour table that `flags` announces."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _gif_data(content: bytes, at: int, turns: Iterator[None]) -> tuple[bytes, int]:
    """Return the data of the blocks that begin at `at`, and the place after them; each block takes one of `turns`."""
    data = bytearray()
    while length := content[at]:
        next(turns)
        data += content[at + 1 : at + 1 + length]
        at += 1 + length
    return bytes(data), at + 1


def _gif_blocks(data: bytes) -> bytes:
    """Return the data in full blocks of 255 bytes and a last, smaller one."""
    pieces = (data[i : i + 255] for i in range(0, len(data), 255))
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _bmp(content: bytes, most: int | None) -> Outline:
    offset, header = struct.unpack_from("<II", content, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", content, 18)
    height = abs(height)  # negative where rows run from top to bottom
    check_size(width, height, most)
    if offset < 14 + header:
        raise BadImage(f"says that its pixels begin at byte {offset}, within its header")
    if packing in (0, 3):
        row = -(-width * bits // 32) * 4
        surplus = len(content) - offset - row * height
        if surplus < 0:
            raise BadImage(TOO_SHORT.format("data"))
        if surplus >= row and header < 124:  # a longer header may put a colour profile there
            raise BadImage(TOO_LONG.format(width, height))
    elif packing in (1, 2):
        runs = max(width * height, len(content) - offset)
        if runs > MOST_RUNS:
            raise BadImage(f"has over {MOST_RUNS:,} pixels or bytes in run lengths, the most that are accepted")
        check_work(STEP * runs, most)
    return Outline("BMP", width, height, content)


def _webp(content: bytes, most: int | None) -> Outline:
    end = struct.unpack_from("<I", content, 4)[0] + 8
    if end > len(content):
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
    check_size(width, height, most)
    at, frames, exif = 12, 0, b""
    for _ in _parts():
        if at + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", content, at)
        if kind == b"EXIF":
            exif = exif or content[at + 8 : at + 8 + length]
        frames += kind == b"ANMF"
        at += 8 + length + length % 2
    _frames(frames)
    return Outline(
        "WEBP",
        width,
        height,
        content[:end],
        orientation(exif),
        frames=max(1, frames),
        spans=_if_several(frames, [(0, end)]),
    )


class _Kind(NamedTuple):
    magic: re.Pattern[bytes]
    outline: Callable[[bytes, int | None], Outline]


KINDS = {
    "PNG": _Kind(re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    "JPEG": _Kind(re.compile(rb"\xff\xd8\xff"), _jpeg),
    "GIF": _Kind(re.compile(rb"GIF8[79]a"), _gif),
    "BMP": _Kind(re.compile(rb"BM"), _bmp),
    "WEBP": _Kind(re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
}
