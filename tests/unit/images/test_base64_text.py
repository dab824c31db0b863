"""Images as base64 text and data URIs."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from capbench.errors import BadImage
from capbench.images import decode
from tests.helpers.pictures import encoded


def picture(kind: str) -> bytes:
    """Return an image file of noise, so that its base64 holds each symbol of the alphabet."""
    return encoded(Image.fromarray(np.random.default_rng(1).integers(0, 256, (31, 47, 3), dtype=np.uint8)), kind)


KINDS = ["PNG", "JPEG", "GIF", "BMP", "WEBP"]

READ: dict[str, Callable[[str], str]] = {
    "bare": lambda text: text,
    "a newline at the end": lambda text: text + "\r\n",
    "a mark of UTF-8": lambda text: "\ufeff" + text,
    "no padding": lambda text: text.rstrip("="),
    "the URL's alphabet": lambda text: text.replace("+", "-").replace("/", "_"),
    "the URL's, unpadded": lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    "wrapped": lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
    "wrapped narrowly": lambda text: "\n".join(text[i : i + 10] for i in range(0, len(text), 10)),
    "wrapped by Windows": lambda text: "\r\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\r\n",
    "no type": lambda text: "data:;base64," + text,
    "capitals": lambda text: "DATA:;charset=utf-8;BASE64," + text,
    "a space after the comma": lambda text: "data:;base64, " + text,
    "percent signs": lambda text: "data:;base64," + quote(text, safe=""),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", READ)
def test_every_variant_of_base64_is_decoded_as_the_image(kind: str, way: str) -> None:
    content = picture(kind)
    padded = content + b"\0" if kind == "BMP" else content  # one byte more, so that the base64 needs padding
    text = base64.b64encode(padded).decode()
    assert {"+", "/"} <= set(text)
    assert (decode(READ[way](text).encode()) == decode(content)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", KINDS)
def test_a_data_uri_of_another_type_than_its_content_is_refused(kind: str, said: str) -> None:
    text = f"data:image/{said.lower()};base64,".encode() + base64.b64encode(picture(kind))
    if kind == said:
        assert (decode(text) == decode(picture(kind))).all()
    else:
        with pytest.raises(BadImage, match=f"says image/{said.lower()} and holds {kind}"):
            decode(text)


TEXT = base64.b64encode(picture("PNG")).decode()

REFUSED: dict[str, tuple[str, str]] = {
    "plus become space": (TEXT.replace("+", " "), r"a space \(a lost \+\?\) at its character \d+"),
    "one lost plus": (TEXT.replace("+", " ", 1), "a space"),
    "indented": ("\n".join("  " + TEXT[i : i + 76] for i in range(0, len(TEXT), 76)), "a space"),
    "a foreign symbol": (TEXT[:80] + "*" + TEXT[80:], r"with '\*' at its character 81"),
    "padding within": (TEXT[:80] + "=" + TEXT[80:], "with '=' at its character 81"),
    "too much padding": (TEXT.rstrip("=") + "=" * 3, "an impossible length"),
    "a symbol lost at the end": (TEXT.rstrip("=")[: len(TEXT) // 4 * 4 - 7], "an impossible length"),
    "cut short": (TEXT[:400], "truncated"),
    "two texts": (TEXT + TEXT if TEXT.endswith("=") else TEXT + "=" + TEXT, "with '=' at its character"),
    "plus become space in a URI": ("data:image/png;base64," + TEXT.replace("+", " "), "a space"),
    "no base64 in the URI": ("data:image/png," + quote(picture("PNG")), "does not say ;base64"),
    "no image in the URI": ("data:image/png;base64," + base64.b64encode(b"hello").decode(), "holds no image"),
    "nothing in the URI": ("data:image/png;base64,", "holds no image"),
    "nothing in a URI without type": ("data:;base64,", "not an image of a known format"),
    "another kind of type": ("data:text/plain;base64," + TEXT, "says text/plain and holds PNG"),
    "quoted": (f'"{TEXT}"', "not an image of a known format"),
    "UTF-16": (TEXT.encode("utf-16").decode("latin-1"), "not an image of a known format"),
    "base64 of a text": (base64.b64encode(b"hello, this is not an image").decode(), "not an image of a known format"),
    "one symbol": ("i", "not an image of a known format"),
    "only newlines": ("\n\n", "not an image of a known format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_damaged_base64_is_refused(case: str) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(BadImage, match=reason) as refused:
        decode(text.encode("latin-1"))
    assert "\n" not in str(refused.value)
