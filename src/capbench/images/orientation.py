"""Reading of a picture's orientation from its EXIF data."""

from __future__ import annotations

from typing import Literal

UPRIGHT = 1
TAG = 0x0112
_SHORT = 3
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


def orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; UPRIGHT where there is none or the data is damaged.

    Nothing else in the EXIF data is read, since all of it can cost many times as much as the pixels.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    entry = TAG.to_bytes(2, order) + _SHORT.to_bytes(2, order) + (1).to_bytes(4, order)
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if exif.startswith(entry, at):
            way = int.from_bytes(exif[at + 8 : at + 10], order)
            return way if 1 <= way <= 8 else UPRIGHT
    return UPRIGHT
