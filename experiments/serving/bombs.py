"""Image files of each format that are as expensive to decode as the limits allow, or would be without limits."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIDE = 2000  # pixels; images of SIDE × SIDE are the largest allowed


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, depth: int, colour: int, data: bytes, before: bytes = b"") -> bytes:
    """Return a square PNG file; `data` is its compressed image data, `before` the chunks before it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as a file of a format."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def rle_bmp(width: int, height: int, data: bytes) -> bytes:
    """Return a BMP file with run lengths of one byte per pixel."""
    start = 54 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0) + bytes(1024) + data


# A file with more image data than its header says.
HUGE = png(SIDE, 8, 2, zlib.compress(bytes(2**24)))


def bombs() -> dict[str, list[bytes]]:
    """Return expensive image files by format."""
    waves = np.add.outer(np.sin(np.arange(SIDE) / 9), np.cos(np.arange(SIDE) / 7))
    grey = Image.fromarray(((waves + 2) * 60).astype(np.uint8))
    colour = Image.merge("RGB", [grey, grey.rotate(90), grey.rotate(180)])
    deep = zlib.compress((b"\0" + b"\x12\x34\x56\x78" * 2 * SIDE) * SIDE)
    profiles = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2**20), 9)) * 4_900
    slow = saved(grey, "JPEG", progressive=True)
    scan = slow[slow.rindex(b"\xff\xda") : -2]
    gif = saved(grey, "GIF")
    start = gif.index(b"\x2c\0\0\0\0")
    return {
        "PNG": [
            png(SIDE, 16, 6, deep),
            saved(colour.convert("RGBA"), "PNG"),
            png(8, 8, 0, zlib.compress(bytes(72)), profiles),
            HUGE,
        ],
        "JPEG": [
            saved(colour, "JPEG", quality=95),
            slow[:-2] + scan * (16 - slow.count(b"\xff\xda")) + b"\xff\xd9",
        ],
        "GIF": [
            gif,
            gif[:start] + b"\x21\xfe" + b"\x01a" * 90_000 + b"\0" + gif[start:],
            gif[:-1] + gif[start:-1] * (9 * 2**20 // len(gif)) + b";",
        ],
        "BMP": [
            saved(grey, "BMP"),
            rle_bmp(512, 512, b"\x01\x01" * (2**17 - 1) + b"\0\x01"),
        ],
        "WebP": [
            saved(colour, "WEBP", lossless=True, quality=0),
            saved(colour, "WEBP", quality=90, method=0),
        ],
    }


def small() -> list[bytes]:
    """Return files of the size of captchas that take the most time in Python code per byte."""
    gif = saved(Image.new("P", (8, 8), 3), "GIF")
    start = gif.index(b"\x2c\0\0\0\0")
    jpeg = saved(Image.new("L", (45, 45), 128), "JPEG")
    tables = b"\xff\xdb\xfd\xea" + (b"\0" + bytes(range(1, 65))) * 1000
    return [
        rle_bmp(362, 362, b"\x01\x01" * 64_000 + b"\0\x01"),
        gif[:start] + b"\x21\xfe" + b"\x01a" * 65_000 + b"\0" + gif[start:],
        jpeg[:2] + tables + jpeg[2:],
        png(8, 8, 0, zlib.compress(bytes(72)), chunk(b"teSt", b"") * 4_990),
    ]
