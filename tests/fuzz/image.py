"""Image files: valid ones, damaged ones, and bombs; the same number always gives the same file."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import ExifTags, Image

from capbench import images
from capbench.images import Frames
from capbench.images.containers import MOST_PIXELS
from tests.fuzz import surgery
from tests.fuzz.mutations import flipped, overwritten, rearranged, truncated
from tests.helpers.pictures import encoded, png_chunk

SEED = 20240


def png(width: int, height: int, depth: int, colour: int, data: bytes, before: bytes = b"") -> bytes:
    """Return a PNG file; `data` is its compressed image data, `before` the chunks before it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def zeros(mebibytes: int) -> bytes:
    """Return a deflate stream of zeros that is a thousand times larger when inflated."""
    pack = zlib.compressobj(9)
    first = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    return first + block * (mebibytes - 1) + b"\x03\0"


def valid() -> list[bytes]:
    """Return small images of each format and mode."""
    random = np.random.default_rng(SEED)
    noise = Image.fromarray(random.integers(0, 256, (14, 23, 4), dtype=np.uint8))
    smooth = Image.fromarray(np.add.outer(np.arange(40), np.arange(120)).astype(np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.XResolution] = 72.0
    ways: list[tuple[str, list[str], dict[str, Any]]] = [
        ("PNG", ["1", "L", "LA", "P", "RGB", "RGBA"], {}),
        ("PNG", ["RGB"], {"exif": exif, "icc_profile": b"profile" * 20}),
        ("JPEG", ["L", "RGB", "CMYK"], {}),
        ("JPEG", ["RGB"], {"progressive": True, "exif": exif}),
        ("JPEG", ["RGB"], {"quality": 95, "subsampling": 0, "restart_marker_blocks": 2, "comment": b"hello"}),
        ("GIF", ["1", "L", "P", "RGBA"], {}),
        ("BMP", ["1", "L", "P", "RGB", "RGBA"], {}),
        ("WEBP", ["L", "RGB", "RGBA"], {}),
        ("WEBP", ["RGB", "RGBA"], {"lossless": True, "exif": exif}),
    ]
    files = [
        encoded(picture.convert(mode), kind, **options)
        for picture in (noise, smooth.convert("RGBA"))
        for kind, modes, options in ways
        for mode in modes
    ]
    pictures = [smooth.rotate(20 * i) for i in range(4)]
    files += [
        encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50)
        for kind in ("PNG", "GIF", "WEBP")
    ]
    wide = random.integers(0, 65536, (9, 13), dtype=np.uint16)
    files.append(encoded(Image.fromarray(wide), "PNG"))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.repeat(wide, 3, axis=1))
    files.append(png(13, 9, 16, 2, zlib.compress(rows), png_chunk(b"tRNS", bytes(range(6)))))
    files.append(rle_bmp(23, 14, b"".join(b"\x17%c\0\0" % i for i in range(14)) + b"\0\1"))
    return files


def rle_bmp(width: int, height: int, data: bytes) -> bytes:
    """Return a BMP file with run-length encoded pixels."""
    size = 54 + 1024
    head = struct.pack("<2sIHHI", b"BM", size + len(data), 0, 0, size)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0) + bytes(1024) + data


def bombs() -> list[Callable[[], bytes]]:
    """Return functions that make small files which are expensive to decode."""
    grey = Image.new("L", (2000, 2000), 128)
    small = encoded(Image.new("L", (8, 8), 128), "JPEG")
    gif = encoded(Image.new("P", (8, 8), 3), "GIF")
    webp = encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 4)), "WEBP")
    slow = encoded(grey, "JPEG", progressive=True)
    scan = slow[slow.rindex(b"\xff\xda") : -2]
    start = gif.index(b"\x2c", 13)
    frame = gif[start:-1]
    text = b"note\0\0" + zeros(500)
    profile = png_chunk(b"iCCP", b"p\0\0" + zeros(1))
    tables = b"\xff\xdb\xfd\xea" + (b"\0" + bytes(range(1, 65))) * 1_000
    return [
        lambda: png(2000, 2000, 16, 6, zeros(31)),  # as large as allowed, and slightly truncated
        lambda: png(8, 8, 8, 0, zeros(5_000)),
        lambda: png(2_000_000_000, 2_000_000_000, 8, 6, zeros(500)),
        lambda: png(4_000_000, 1, 8, 6, zeros(500)),
        lambda: png(1, 4_000_000, 1, 0, zeros(500)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"zTXt", text)),
        lambda: png(
            8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(900_000))) * 90
        ),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"iCCP", text)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), profile * 4_900),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"eXIf", b"Exif\0\0" * 1_700_000)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"iTXt", b"note\0\1\0\0\0" + zeros(500))),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"teSt", b"") * 700_000),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        lambda: encoded(Image.new("RGBA", (2000, 2000)), "PNG"),
        lambda: encoded(grey.convert("CMYK"), "JPEG", progressive=True),
        lambda: slow[:-2] + scan * (9 * 2**20 // len(scan)) + b"\xff\xd9",
        lambda: small[:2] + b"\xff\xe1\0\x09Exif\0\0X" * 900_000 + small[2:],
        lambda: small[:2] + (b"\xff\xe1\x07\xfbExif\0\0" + bytes(2035)) * 4_900 + small[2:],
        lambda: small[:2] + b"\xff\xfe\0\x02" * 2_500_000 + small[2:],
        lambda: small[:2] + b"\xff" * 10_000_000 + small[2:],
        lambda: small[:2] + (b"\xff" * 240 + b"\0\xff\xfe\0\2") * 4_900 + small[2:],
        lambda: small[:-2] + b"\xff" * 10_000_000 + b"\0" + small[-2:],
        lambda: small[:2] + tables * 160 + small[2:],
        lambda: small.replace(b"\0\x08\0\x08", b"\xff\xff\xff\xff", 1),
        lambda: small.replace(b"\0\x08\0\x08", b"\x07\xd0\x07\xd0", 1),
        lambda: gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        lambda: gif[:6] + struct.pack("<HH", 2000, 2000) + gif[10:],
        lambda: gif[:-1] + frame * 200_000 + b";",
        lambda: gif[:-1] + b"\x21\xfe" + b"\x01a" * 4_900_000 + b"\0" + frame + b";",
        lambda: gif[:start] + b"\x21\xfe" + b"\x01a" * 4_900_000 + b"\0" + frame + b";",
        lambda: gif[: start + 11] + b"\x01a" * 4_900_000 + b"\0;",
        lambda: webp[:24] + b"\xff\xff\xff\xff\xff\xff" + webp[30:],
        lambda: encoded(Image.new("RGB", (16383, 240)), "WEBP"),
        lambda: webp + b"ANMF" * 2_000_000,
        lambda: webp[:4] + struct.pack("<I", len(webp) - 8 + 8_000_000) + webp[8:] + b"abcd\0\0\0\0" * 1_000_000,
        lambda: rle_bmp(2000, 2000, b"\x01\x01" * 4_000_000 + b"\0\x01"),
        lambda: rle_bmp(2000, 2000, b"\0\x02\xff\xff" * 2_000_000),
        lambda: rle_bmp(2_000_000_000, 1, b"\xff\x01"),
        lambda: rle_bmp(4_000_000, 1, b"\x01\x01\0\0"),
        lambda: rle_bmp(2000, -2000, b"\xff\x01" * 16_000),
        lambda: b"BM" + bytes(10_000_000),
        lambda: base64.b64encode(bytes(7_000_000)),
        lambda: b"data:image/png;base64," + b"%" * 10_000_000,
        lambda: b"data:" + b";" * 10_000_000 + b",",
        lambda: b"iVBORw0KGgo" + b"\n" * 10_000_000,
        lambda: b"iVBORw0KGgo" + b"=" * 10_000_000,
        lambda: base64.b64encode(png(8, 8, 8, 0, zeros(5_000))),
        lambda: bytes(10 * 2**20),
        lambda: b"\x89PNG\r\n\x1a\n" * 1_000_000,
        lambda: b"\xff\xd8\xff" * 3_000_000,
        lambda: b"GIF89a" * 1_600_000,
        lambda: b"RIFF\0\0\0\0WEBP" * 800_000,
    ]


class Fuzz:
    """Endless list of image files."""

    def __init__(self, seed: int = SEED) -> None:
        self.seed = seed
        self.valid = valid()
        self.bombs = bombs()
        self.ways: list[Callable[[bytes, np.random.Generator], bytes]] = [
            truncated,
            flipped,
            overwritten,
            self.spliced,
            rearranged,
            self.resealed,
            surgery.operated,
            self.noisy_text,
            lambda content, random: self.noisy_text(flipped(content, random), random),
            lambda content, random: flipped(overwritten(content, random), random),
        ]

    def __getitem__(self, number: int) -> bytes:
        if number < len(self.bombs):
            return self.bombs[number]()
        random = np.random.default_rng([self.seed, number])
        content = self.valid[random.integers(len(self.valid))]
        return self.ways[random.integers(len(self.ways))](content, random)

    def spliced(self, content: bytes, random: np.random.Generator) -> bytes:
        """Return the head of one file and the tail of another."""
        other = self.valid[random.integers(len(self.valid))]
        return content[: random.integers(1, 100)] + other[random.integers(1, 100) :]

    def resealed(self, content: bytes, random: np.random.Generator) -> bytes:
        """Return a PNG file with damaged, dropped, repeated and shuffled chunks, but valid checksums."""
        pngs = [file for file in self.valid if file.startswith(b"\x89PNG")]
        content, at, chunks = pngs[random.integers(len(pngs))], 8, []
        while at < len(content):
            length = struct.unpack_from(">I", content, at)[0]
            chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
            at += 12 + length
        for _ in range(random.integers(1, 4)):
            place = random.integers(len(chunks))
            kind, data = chunks[place]
            if random.random() < 0.6 and data:
                chunks[place] = (kind, (flipped, overwritten)[random.integers(2)](data, random))
            else:
                chunks.insert(
                    random.integers(len(chunks)), chunks.pop(place) if random.random() < 0.5 else (kind, data)
                )
        return content[:8] + b"".join(png_chunk(kind, data) for kind, data in chunks)

    @staticmethod
    def noisy_text(content: bytes, random: np.random.Generator) -> bytes:
        """Return a file in Base64, with or without a data URI's head, with a few symbols changed, dropped or added."""
        text = bytearray(base64.b64encode(content))
        for _ in range(random.integers(4)):
            place, symbol = random.integers(len(text) + 1), b"+/-_= \n\r\t%,;\0\xff*aZ9"[random.integers(18)]
            text[place : place + random.integers(2)] = bytes([symbol] * int(random.integers(2)))
        heads = [
            b"",
            b"data:image/png;base64,",
            b"data:;base64,",
            b"data:image/jpeg,",
            b"\xef\xbb\xbf",
            b"data:",
            b"\n ",
        ]
        changed = [bytes(text), bytes(text).replace(b"+", b"-").replace(b"/", b"_"), bytes(text).replace(b"+", b" ")]
        return heads[random.integers(len(heads))] + changed[random.integers(len(changed))]


class door:
    """Door that decodes an image; the length of the file decides how frames are seen, and whether it is turned upright."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._files = Fuzz(seed)
        self.sound = self._files.valid
        self.made = self._files.__getitem__

    def open(self, content: bytes) -> None:
        frames = get_args(Frames)[len(content) // 2 % 4]
        picture = images.decode(content, "turn" if len(content) % 2 else "ignore", frames=frames)
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] in (3, 4), picture.shape
        assert 0 < picture.shape[0] * picture.shape[1] <= MOST_PIXELS, picture.shape

    def close(self) -> None:
        pass
