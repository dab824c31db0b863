"""Decoding of images: the one place where bytes from outside are checked and decoded."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from capbench.errors import BadImage
from capbench.images import containers
from capbench.images.base64_text import image_within
from capbench.images.frames import Frames, combined
from capbench.images.orientation import TAG, UPRIGHT

Exif = Literal["ignore", "turn"]
Picture = str | PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image.Image
"""One image: a path, a file's content, pixels in the order red, green, blue, alpha, or a Pillow image."""
ONE = (str, PathLike, bytes, bytearray, memoryview, np.ndarray, Image.Image)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".txt", ".b64"})
MOST_BYTES = 10 * 2**20  # size limit of a file

# Chosen by name, since Image.open would also try other formats that begin like these.
_DECODERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "WEBP": WebPImageFile,
}

# Errors that Pillow raises on purpose, then errors that its decoders raise by accident on malformed bytes. Only calls
# of Pillow are guarded by them, so that each of them means bad bytes.
_PURPOSEFUL = (OSError, SyntaxError, ValueError, EOFError)
_STUMBLED = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError),
    *(struct.error, zlib.error),
)
_DAMAGE = (*_PURPOSEFUL, *_STUMBLED)

# Pillow also warns of damaged metadata beside intact pixels, without naming the file.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def pixels(image: Picture, exif: Exif = "ignore", frames: Frames = "first") -> np.ndarray:
    """Return an image in any form as `decode` does, uint8 [height, width, 3 or 4], or raise BadImage."""
    if isinstance(image, np.ndarray):
        return _of_array(image)
    if isinstance(image, Image.Image):
        return _of_pillow(image, exif, frames)
    if isinstance(image, bytes | bytearray | memoryview):
        return decode(bytes(image), exif, frames=frames)
    if not isinstance(image, str | PathLike):
        raise BadImage(f"is of type {type(image).__name__}; give a path, bytes, an array or a Pillow image")
    try:
        with Path(image).open("rb") as file:
            return decode(file.read(MOST_BYTES + 1), exif, frames=frames)
    except (OSError, ValueError) as error:
        raise BadImage(f"cannot be read ({error})") from error


def _of_array(array: np.ndarray) -> np.ndarray:
    """Return an array of uint8 as [height, width, 3 or 4]; raise BadImage for another type or shape."""
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise BadImage(
            f"is an array of {array.dtype} {list(array.shape)}; "
            f"uint8 [height, width] or [height, width, 1, 3 or 4] is taken"
        )
    containers.check_size(array.shape[1], array.shape[0])
    return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2) if grey else array


def _of_pillow(picture: Image.Image, exif: Exif, frames: Frames) -> np.ndarray:
    containers.check_size(*picture.size)
    try:
        count = 1 if frames == "first" else getattr(picture, "n_frames", 1)
        containers.check_frames(count, *picture.size)
        whole = [_whole(picture)] if count == 1 else [*_every_frame(picture, count)]
        orientation = picture.getexif().get(TAG, UPRIGHT) if exif == "turn" else UPRIGHT
        return combined([_turned(frame, orientation) for frame in whole], frames)
    except _DAMAGE as error:
        raise BadImage(f"cannot be taken from Pillow ({error})") from error


def decode(content: bytes, exif: Exif = "ignore", most: int | None = None, frames: Frames = "first") -> np.ndarray:
    """Return the image as uint8 [height, width, 3], or [height, width, 4] where it has an alpha channel.

    The format is found from the content, whatever the file's name is; base64 text of an image is accepted in place of
    any format. `most` limits the bytes and the pixels to be processed: TooMuchWork is raised early where there are
    more. `frames` says which frames of an animation are seen. Any other content that cannot be decoded raises BadImage.
    """
    if not content:
        raise BadImage("is empty")
    if len(content) > MOST_BYTES:
        raise BadImage(f"has {len(content):,} bytes; at most {MOST_BYTES:,} are accepted")
    containers.check_work(len(content), most)
    if containers.kind_of(content) is None:
        content = image_within(content) or content
    outline = containers.outline(content, most)
    if frames != "first" and outline.frames > 1:
        return combined(_moving(content, outline, exif, most), frames)
    if outline.cut is not None and _readable(outline.kind, outline.cut):
        raise BadImage(containers.TOO_LONG.format(outline.width, outline.height))
    try:
        with _DECODERS[outline.kind](io.BytesIO(outline.content)) as picture:
            if picture.size != (outline.width, outline.height):
                raise BadImage("is damaged: it gives two sizes")
            return _turned(_whole(picture), outline.orientation if exif == "turn" else UPRIGHT)
    except _DAMAGE as error:
        raise _damaged(error) from error


def _moving(content: bytes, outline: containers.Outline, exif: Exif, most: int | None) -> list[np.ndarray]:
    """Return all frames of an animation, uint8 [height, width, 3 or 4]."""
    containers.check_frames(outline.frames, outline.width, outline.height, most)
    file = b"".join(content[start:end] for start, end in outline.spans)
    try:
        with _DECODERS[outline.kind](io.BytesIO(file)) as picture:
            count = getattr(picture, "n_frames", 1)
            containers.check_frames(count, *picture.size, most)
            return [
                _turned(frame, outline.orientation if exif == "turn" else UPRIGHT)
                for frame in _every_frame(picture, count)
            ]
    except _DAMAGE as error:
        raise _damaged(error) from error


def _every_frame(picture: Image.Image, count: int) -> Iterator[Image.Image]:
    """Yield all `count` frames as RGB or RGBA; the picture then shows the same frame as before."""
    shown = picture.tell()
    for number in range(count):
        picture.seek(number)
        yield _whole(picture).copy()  # the next frame takes its place
    picture.seek(shown)


def _damaged(error: Exception) -> BadImage:
    reason = " ".join(str(error).split()) or type(error).__name__
    return BadImage(f"is truncated or damaged ({reason})")


def _readable(kind: str, content: bytes) -> bool:
    """Return whether Pillow can decode a file of this format."""
    try:
        with _DECODERS[kind](io.BytesIO(content)) as picture:
            picture.load()
    except _DAMAGE:
        return False
    return True


def _turned(picture: Image.Image, orientation: int) -> np.ndarray:
    turn = _TURNS.get(orientation)
    return np.asarray(picture if turn is None else picture.transpose(turn))


def _whole(picture: Image.Image) -> Image.Image:
    """Return all pixels of the picture as RGB, or as RGBA where some may be transparent."""
    tile = getattr(picture, "tile", None)
    deep = ";16" in str(tile[0].args) if tile else False
    picture.load()
    whole = _eight_bits(picture, deep)
    mode = "RGBA" if "A" in whole.mode or "transparency" in whole.info else "RGB"
    return whole if whole.mode == mode else whole.convert(mode)  # which copies a picture that has this mode already


def _eight_bits(picture: Image.Image, deep: bool) -> Image.Image:
    """Return the picture with 16-bit grey, and with a transparent colour of 16 bits, reduced to 8 bits.

    Pillow clips 16-bit grey to white when it converts, and does not scale the colour that stands for transparent.
    """
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        wide = np.asarray(picture, dtype=np.uint32)
        grey = Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
        if clear is not None:
            grey.putalpha(Image.fromarray(np.where(wide == clear, 0, 255).astype(np.uint8)))
        return grey
    if deep and isinstance(clear, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in clear)
    return picture
