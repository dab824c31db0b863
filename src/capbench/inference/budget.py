"""Memory that reading may take, and the batch that fits it."""

from __future__ import annotations

from collections.abc import Callable

from capbench.errors import Mistake

MOST_BYTES = 2**29  # alive at once beside the weights; the largest of conf/ takes a fiftieth of it for one image
SPARE = (
    2  # numbers of eight bytes for each of the weights' that come on top: a network may be built of them, or keep them
)


def most(numbers: int) -> int:
    """How many bytes reading with so many numbers of weights may take."""
    return MOST_BYTES + SPARE * 8 * numbers


def images_at_once(wished: int, taken: Callable[[int], int], given: int) -> int:
    """How many images can be read at once: the wished number, halved until no more bytes are `taken` than given.

    Mistake where one image alone takes more.
    """
    count = wished
    while (bytes_of := taken(count)) > given:
        if count == 1:
            raise Mistake(f"takes {bytes_of:,} bytes to read one image; at most {given:,} are allowed")
        count //= 2
    return count
