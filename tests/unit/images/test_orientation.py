"""Orientation in EXIF data."""

from __future__ import annotations

import struct

import pytest
from PIL import ExifTags, Image

from capbench.images.orientation import TAG, UPRIGHT, orientation


def tiff(order: str, *entries: tuple[int, int, int, int], count: int | None = None) -> bytes:
    """Return EXIF data of one table of entries: tag, type, count, value."""
    head = struct.pack(
        order + "2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries) if count is None else count
    )
    return head + b"".join(struct.pack(order + "HHIHxx", *entry) for entry in entries) + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("way", range(1, 9))
def test_orientation_is_found_among_other_exif_entries_in_both_byte_orders(order: str, way: int) -> None:
    exif = tiff(order, (0x010F, 2, 1, 65), (TAG, 3, 1, way), (0x0128, 3, 1, 2))
    assert orientation(exif) == orientation(b"Exif\0\0" + exif) == way


def test_orientation_written_by_pillow_is_read() -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "a camera with a long name"
    tags[ExifTags.Base.XResolution] = 72.0
    tags[ExifTags.Base.Orientation] = 6
    assert orientation(tags.tobytes()) == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"JJ*\0" + tiff("<", (TAG, 3, 1, 6))[4:],
        tiff("<"),
        tiff("<", (0x0128, 3, 1, 6)),
        tiff("<", (TAG, 2, 1, 6)),
        tiff("<", (TAG, 3, 2, 6)),
        tiff("<", (TAG, 3, 1, 9)),
        tiff("<", (TAG, 3, 1, 6), count=0),
        tiff("<", (0x0128, 3, 1, 2), count=65_535),
        tiff("<", (TAG, 3, 1, 6))[:18],
        b"Exif\0\0" * 1_000_000,
    ],
)
def test_missing_or_damaged_exif_means_upright(exif: bytes) -> None:
    assert orientation(exif) == UPRIGHT
