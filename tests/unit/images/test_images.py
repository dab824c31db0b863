"""Decoding of images to pixels."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from capbench import images
from capbench.images import BadImage, decode
from tests.helpers.pictures import encoded, png_chunk


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], **chunks: bytes) -> bytes:
    """Return a PNG file with these header values, rows and chunks, and right checksums."""

    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    more = b"".join(png_chunk(kind.encode(), data) for kind, data in chunks.items())
    pixels = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + more + pixels + png_chunk(b"IEND", b"")


GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    assert (decode(encoded(Image.fromarray(GRADIENT), kind)) == GRADIENT[:, :, None]).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_decoded_to_rgb(kind: str) -> None:
    assert decode(encoded(Image.fromarray(GRADIENT).convert("RGB"), kind)).shape == (16, 16, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(mode: str) -> None:
    picture = Image.new("RGBA", (5, 4), (10, 20, 30, 40)).convert(mode)
    pixels = decode(encoded(picture))
    assert pixels.shape == (4, 5, 4)
    assert (pixels[:, :, 3] == 40).all()


def test_sixteen_bit_pixels_are_scaled_not_clipped() -> None:
    wide = (np.arange(256, dtype=np.uint16) * 256).reshape(16, 16)
    assert (decode(encoded(Image.fromarray(wide)))[:, :, 0] == GRADIENT).all()


def test_only_the_first_frame_of_an_animation_is_decoded() -> None:
    out = io.BytesIO()
    Image.new("L", (4, 4), 10).save(out, "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 200)])
    assert (decode(out.getvalue()) == 10).all()


def test_a_sixteen_bit_png_with_a_transparent_colour_is_decoded() -> None:
    grey = png(2, 1, 16, 0, [struct.pack(">HH", 0x1234, 0x1235)], tRNS=struct.pack(">H", 0x1234))
    assert decode(grey)[0].tolist() == [[0x12] * 3 + [0], [0x12] * 3 + [255]]
    colours = struct.pack(">HHHHHH", 0x1234, 0x5678, 0x9ABC, 0x1334, 0x5678, 0x9ABC)
    colour = png(2, 1, 16, 2, [colours], tRNS=colours[:6])
    assert decode(colour)[0].tolist() == [[0x12, 0x56, 0x9A, 0], [0x13, 0x56, 0x9A, 255]]
    with_alpha = png(1, 1, 16, 4, [struct.pack(">HH", 0x1234, 0x5678)])
    assert decode(with_alpha)[0].tolist() == [[0x12] * 3 + [0x56]]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_png_of_any_depth_is_decoded(depth: int) -> None:
    row = bytes([0b01 << (8 - depth) if depth < 8 else 1, 0])  # the second colour first
    content = png(1, 2, depth, 3, [row[:1], row[1:]], PLTE=bytes([1, 2, 3, 4, 5, 6]), tRNS=bytes([255, 9]))
    assert decode(content)[:, 0].tolist() == [[4, 5, 6, 9], [1, 2, 3, 255]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_only_when_asked(kind: str, orientation: int) -> None:
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8, :8] = 255  # one of four corners is white
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encoded(Image.fromarray(pixels), kind, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert decode(content).shape == decode(content, "ignore").shape == (16, 32, 3)
    assert decode(content)[0, 0, 0] > 200
    assert (decode(content, "turn") == np.asarray(expected)).all()


def test_damaged_exif_is_ignored_without_a_warning(tmp_path: Path) -> None:
    """Decode in a process of its own, since pytest filters warnings."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"
    (tmp_path / "x.jpg").write_bytes(encoded(Image.fromarray(GRADIENT), "JPEG", exif=exif))
    code = "from capbench.images import decode; print(decode(open('x.jpg', 'rb').read(), 'turn').shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("(16, 16, 3)\n", "")


def test_base64_and_data_uris_are_decoded_as_the_image() -> None:
    content = encoded(Image.fromarray(GRADIENT))
    for text in (base64.b64encode(content), b"data:image/png;base64," + base64.b64encode(content)):
        assert (decode(text) == decode(content)).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no image at all", "not an image of a known format"),
        (encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))[:900], "truncated"),
        (encoded(Image.fromarray(GRADIENT), "TIFF"), "not an image of a known format"),
        (encoded(Image.new("L", (3000, 3000))), "3000×3000 pixels"),
        (encoded(Image.new("1", (30000, 30000))), "pixels"),
        (b"\0" * (images.MOST_BYTES + 1), "at most 10,485,760 are accepted"),
        (base64.b64encode(base64.b64encode(encoded(Image.fromarray(GRADIENT)))), "not an image of a known format"),
        (encoded(Image.fromarray(GRADIENT)).replace(b"IHDR", b"IHDX"), "truncated within the header of a PNG"),
    ],
)
def test_bytes_that_are_no_usable_image_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content)
