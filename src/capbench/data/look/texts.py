"""What the texts of a folder have in common: their lengths, their case, and zeros that a spreadsheet removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from capbench.text import MOST_CHARACTERS

RARE = 0.02  # share of the texts, or of the letters, that is taken for mistakes
LOST = 0.2  # most texts of which a spreadsheet removes zeros: a tenth of them begin with one
ENOUGH = 20  # texts, below which nothing is taken for a mistake


def without_fraction(texts: Sequence[str]) -> list[str] | None:
    """Return whole numbers that were all written as `1234.0`, as programs write a column with gaps; else None."""
    numbers = [text.removesuffix(".0") for text in texts]
    all_are = all(number != text and number.isdecimal() for number, text in zip(numbers, texts, strict=True))
    return numbers if all_are else None


def lost_zeros(texts: Sequence[str]) -> int | None:
    """Return the length to which numbers are to be filled up with zeros at their beginning, or None.

    Zeros were lost if the longest numbers are by far the most, no text begins with a zero, and shorter ones are there.
    """
    if len(texts) < ENOUGH or not all(text.isdecimal() for text in texts):
        return None
    lengths = Counter(map(len, texts))
    longest = max(lengths)
    shorter = len(texts) - lengths[longest]
    if not 0 < shorter <= LOST * len(texts) or any(text.startswith("0") and text != "0" for text in texts):
        return None
    return longest


def lengths(texts: Sequence[str]) -> tuple[int, int]:
    """Return the lengths of the shortest and the longest text, without those that are so rare that they are mistakes."""
    counts = Counter(map(len, texts))
    fixed, most = counts.most_common(1)[0]
    if len(texts) >= ENOUGH and most >= (1 - RARE) * len(texts):
        return fixed, fixed
    return min(counts), min(max(counts), MOST_CHARACTERS)


def fold(texts: Sequence[str]) -> Literal["lower", "upper"] | None:
    """Return the case that labels are to be converted to, where letters of the other case are rare; else None."""
    lower, upper = (
        sum(getattr(symbol, kind)() for text in texts for symbol in text) for kind in ("islower", "isupper")
    )
    if not lower or not upper or min(lower, upper) > RARE * (lower + upper):
        return None
    return "lower" if lower > upper else "upper"
