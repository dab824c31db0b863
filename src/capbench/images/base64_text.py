"""Images written as base64 text, bare or as a data URI."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

from capbench.errors import BadImage
from capbench.images.containers import kind_of

_URI = re.compile(rb"data:(?P<type>[\w.+*/-]{0,100})(?P<parameters>[^,]{0,200}),", re.IGNORECASE)
_TYPES = {
    "image/png": "PNG",
    "image/x-png": "PNG",
    "image/apng": "PNG",
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/x-bmp": "BMP",
    "image/x-ms-bmp": "BMP",
    "image/webp": "WEBP",
}
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Escapes written by forms and scripts; urllib's unquote would take gigabytes for a text of percent signs only.
_ESCAPED = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0D": b"", b"%0A": b""}
_OUTSIDE = re.compile(rb"[^A-Za-z0-9+/]")
_BEGINNING = 16  # characters, enough to recognise every format


def image_within(content: bytes) -> bytes | None:
    """Return the image file that a base64 text holds, or None for other text; raise BadImage for damaged base64.

    Lines may be wrapped, the alphabet may be the one for URLs, and the padding may be missing. A space is refused,
    since it may be a plus sign changed by a form, or mere white space.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    uri = _URI.match(text)
    if uri is None:
        return _bytes_of(text) if kind_of(_beginning(text)) else None
    if not uri["parameters"].lower().endswith(b";base64"):
        raise BadImage("is a data URI that does not say ;base64")
    text = text[uri.end() :].lstrip()
    for escaped, symbol in _ESCAPED.items():
        text = text.replace(escaped, symbol).replace(escaped.lower(), symbol)
    image = _bytes_of(text)
    said, found = uri["type"].decode("latin-1").strip().lower(), kind_of(image)
    if said and _TYPES.get(said) != found:
        raise BadImage(f"is a data URI that says {said} and holds {found or 'no image of a known format'}")
    return image


def _beginning(text: bytes) -> bytes:
    """Return the decoded first characters of a text, or no bytes where it is not base64."""
    unwrapped = text[: 4 * _BEGINNING].translate(_URL_SAFE, delete=b"\r\n")
    try:
        return b64decode(unwrapped[:_BEGINNING], validate=True)
    except binascii.Error:
        return b""


def _bytes_of(text: bytes) -> bytes:
    """Return the decoded base64 text, or raise BadImage where it is malformed."""
    text = text.translate(_URL_SAFE, delete=b"\r\n")
    digits = text.rstrip(b"=")
    wrong = _OUTSIDE.search(digits)
    if wrong:
        shown = "a space (a lost +?)" if wrong[0] == b" " else ascii(wrong[0].decode("latin-1"))
        raise BadImage(f"is base64 text with {shown} at its character {wrong.start() + 1}")
    missing = -len(digits) % 4
    if missing == 3 or len(text) - len(digits) > missing:
        raise BadImage("is base64 text of an impossible length; it is truncated or its padding is wrong")
    return b64decode(digits + b"=" * missing, validate=True)
