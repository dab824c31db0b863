"""Orientation of a picture, as its EXIF data says."""

from __future__ import annotations

from typing import Literal

UPRIGHT = 1
TAG = 0x0112
_SHORT = 3
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


def orientation(exif: bytes) -> int:
    """The number that EXIF gives to the way up, 1 to 8; UPRIGHT where it gives none or is damaged.

    Of all that may be written there, nothing else is read: the whole of it can cost many times what the pixels do.
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
