"""The one door for images: every byte from outside is checked and decoded here, or refused by name."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
MOST_BYTES = 10 * 2**20
MOST_PIXELS = 4_000_000


class BadImage(Exception):
    """Why these bytes are no image that CapBench takes."""


def decode(content: bytes) -> np.ndarray:
    """The first frame as uint8 [height, width, 3], or [height, width, 4] where it has an alpha channel."""
    if not content:
        raise BadImage("is empty")
    if len(content) > MOST_BYTES:
        raise BadImage(f"has {len(content):,} bytes; at most {MOST_BYTES:,} are taken")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise BadImage(f"has {width}×{height} pixels; at most {MOST_PIXELS:,} are taken")
                picture.load()
                transparent = "A" in picture.mode or "transparency" in picture.info
                return np.asarray(_eight_bits(picture).convert("RGBA" if transparent else "RGB"))
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        raise BadImage(f"is no image of a known format ({', '.join(FORMATS)})") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise BadImage(f"is truncated or damaged ({error})") from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey to white when it converts; scale it instead."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    return picture
