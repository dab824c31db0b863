from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from capbench import containers
from capbench.errors import BadImage
from capbench.images import decode

WIDTH, HEIGHT = 48, 32
NOISE = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def saved(kind: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    (picture or Image.fromarray(NOISE)).save(out, kind, **options)
    return out.getvalue()


def claiming(content: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its header, its checksums mended."""
    lie, kind = bytearray(content), containers.kind_of(content)
    if kind == "PNG":
        struct.pack_into(">II", lie, 16, width, height)
        struct.pack_into(">I", lie, 29, zlib.crc32(lie[12:29]))
    elif kind == "JPEG":
        frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        struct.pack_into(">HH", lie, frame + 5, height, width)
    elif kind == "GIF":
        frame = content.index(b"\x2c\0\0\0\0" + struct.pack("<HH", WIDTH, HEIGHT))
        struct.pack_into("<HH", lie, 6, width, height)
        struct.pack_into("<HH", lie, frame + 5, width, height)
    elif kind == "BMP":
        struct.pack_into("<ii", lie, 18, width, height)
    else:
        struct.pack_into("<HH", lie, 26, width, height)
    return bytes(lie)


FILES = {
    "PNG": saved("PNG"),
    "JPEG": saved("JPEG"),
    "JPEG with restarts": saved("JPEG", restart_marker_blocks=2),
    "grey JPEG": saved("JPEG", Image.fromarray(NOISE[:, :, 0])),
    "GIF": saved("GIF"),
    "interlaced GIF": saved("GIF", interlace=True),
    "BMP": saved("BMP"),
    "palette BMP": saved("BMP", Image.fromarray(NOISE).convert("P")),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("width", "height"),
    [(WIDTH, HEIGHT * 2), (WIDTH * 2, HEIGHT), (WIDTH, HEIGHT // 2), (WIDTH // 2, HEIGHT), (WIDTH, HEIGHT + 16)],
)
def test_a_header_that_lies_about_the_size_is_refused(name: str, width: int, height: int) -> None:
    assert decode(claiming(FILES[name], WIDTH, HEIGHT)).shape[:2] == (HEIGHT, WIDTH)
    with pytest.raises(BadImage, match="truncated" if width * height > WIDTH * HEIGHT else "holds more"):
        decode(claiming(FILES[name], width, height))


def test_one_row_too_many_or_too_few_is_seen() -> None:
    for name in ("PNG", "GIF", "BMP"):
        for height in (HEIGHT - 1, HEIGHT + 1):
            with pytest.raises(BadImage, match="truncated|holds more"):
                decode(claiming(FILES[name], WIDTH, height))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_sizes_beyond_the_limits_are_refused_before_they_are_decoded(kind: str) -> None:
    content = saved(kind)
    with pytest.raises(BadImage, match="has 16000×16000 pixels; at most 4,000,000"):
        decode(claiming(content, 16000, 16000))
    with pytest.raises(BadImage, match=r"has 0×\d+ pixels"):
        decode(claiming(content, 0, 10))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"lossless": True}], ids=["", "progressive", "lossless"]
)
def test_a_file_cut_anywhere_is_refused(kind: str, options: dict[str, Any]) -> None:
    content = saved(kind, **options)
    for length in [*range(1, len(content), 97), len(content) - 1]:
        with pytest.raises(BadImage):
            decode(content[:length])


def test_a_jpeg_cut_and_closed_again_is_refused() -> None:
    content = FILES["JPEG"]
    with pytest.raises(BadImage, match="truncated"):
        decode(content[: len(content) * 2 // 3] + b"\xff\xd9")


@pytest.mark.parametrize("seed", range(20))
def test_honest_files_of_any_size_are_read(seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = random.integers(1, 70, 2)
    flat = np.full((height, width, 3), random.integers(256), dtype=np.uint8)
    noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for pixels in (flat, noise):
        picture = Image.fromarray(pixels)
        for mode in ("L", "P", "RGB", "1"):
            for kind in ("PNG", "GIF", "BMP"):
                content = saved(kind, picture.convert(mode))
                expected = Image.open(io.BytesIO(content)).convert("RGB")
                assert (decode(content)[:, :, :3] == np.asarray(expected)).all()
        for mode in ("L", "RGB", "CMYK"):
            for options in (
                {},
                {"quality": 95, "subsampling": 0},
                {"quality": 5, "optimize": True},
                {"progressive": True},
            ):
                content = saved("JPEG", picture.convert(mode), **options)
                assert (decode(content) == np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))).all()


def test_an_interlaced_png_is_as_long_as_it_should_be() -> None:
    """Pillow writes none: the seven passes of Adam7 are put together here."""
    grey = NOISE[:13, :11, 0]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [b"\0" + row.tobytes() for top, left, down, right in passes for row in grey[top::down, left::right]]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def interlaced(rows: list[bytes]) -> bytes:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 11, 13, 8, 0, 0, 0, 1))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")

    assert (decode(interlaced(rows))[:, :, 0] == grey).all()
    with pytest.raises(BadImage, match="truncated"):
        decode(interlaced(rows[:-1]))
    with pytest.raises(BadImage, match="holds more"):
        decode(interlaced([*rows, rows[-1]]))


def frames(kind: str, count: int) -> bytes:
    pictures = [Image.new("L", (4, 4), i % 256) for i in range(count)]
    return saved(kind, pictures[0], save_all=True, append_images=pictures[1:], duration=20, lossless=True)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_frames_are_limited(kind: str) -> None:
    assert decode(frames(kind, containers.MOST_FRAMES)).shape == (4, 4, 3)
    with pytest.raises(BadImage, match="over 256 frames"):
        decode(frames(kind, containers.MOST_FRAMES + 1))


def test_parts_and_scans_are_limited() -> None:
    jpeg = saved("JPEG", progressive=True)
    exif = b"\xff\xe1\0\x09Exif\0\0X"
    assert decode(jpeg[:2] + exif * 100 + jpeg[2:]).shape == NOISE.shape
    with pytest.raises(BadImage, match="over 5,000 parts"):
        decode(jpeg[:2] + exif * 100_000 + jpeg[2:])
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    with pytest.raises(BadImage, match="over 64 scans"):
        decode(jpeg[:-2] + scan * 64 + b"\xff\xd9")
    png = saved("PNG")
    with pytest.raises(BadImage, match="over 5,000 parts"):
        decode(png[:33] + (b"\0\0\0\0teSt" + struct.pack(">I", zlib.crc32(b"teSt"))) * 5_000 + png[33:])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (FILES["BMP"][:10] + b"\x0a\0\0\0" + FILES["BMP"][14:], "begin at byte 10, within its header"),
        (FILES["BMP"][:10] + b"\xff\xff\xff\x7f" + FILES["BMP"][14:], "truncated"),
        (FILES["GIF"][:6] + b"\x10\0\x10\0" + FILES["GIF"][10:], "a frame that reaches beyond"),
        (FILES["GIF"][:13], "truncated within the header"),
        (saved("PNG", Image.fromarray(NOISE).convert("P")).replace(b"PLTE", b"plte"), "palette is missing"),
    ],
)
def test_other_lies(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content)
