from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from capbench import images
from capbench.images import BadImage, decode


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    assert (decode(encoded(Image.fromarray(GRADIENT), kind)) == GRADIENT[:, :, None]).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats(kind: str) -> None:
    assert decode(encoded(Image.fromarray(GRADIENT).convert("RGB"), kind)).shape == (16, 16, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(mode: str) -> None:
    picture = Image.new("RGBA", (5, 4), (10, 20, 30, 40)).convert(mode)
    pixels = decode(encoded(picture))
    assert pixels.shape == (4, 5, 4)
    assert (pixels[:, :, 3] == 40).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    wide = (np.arange(256, dtype=np.uint16) * 256).reshape(16, 16)
    assert (decode(encoded(Image.fromarray(wide)))[:, :, 0] == GRADIENT).all()


def test_only_the_first_frame_of_an_animation() -> None:
    out = io.BytesIO()
    Image.new("L", (4, 4), 10).save(out, "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 200)])
    assert (decode(out.getvalue()) == 10).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no image at all", "no image of a known format"),
        (encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))[:900], "truncated"),
        (encoded(Image.fromarray(GRADIENT), "TIFF"), "no image of a known format"),
        (encoded(Image.new("L", (3000, 3000))), "3000×3000 pixels"),
        (encoded(Image.new("1", (30000, 30000))), "pixels"),
        (b"\0" * (images.MOST_BYTES + 1), "at most 10,485,760 are taken"),
    ],
)
def test_what_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content)
