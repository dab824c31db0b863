"""Kinds of values that stand beside images, in columns of tables and in pieces of file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

LONGEST = 16  # symbols of a text of a captcha; longer values are hashes
DENSE = 0.9  # share of the numbers between the lowest and the highest that a counter has
MOST_REPEATS = 3  # of one text among few images
SEVERAL = 20  # images for each different value: of these, few values are words or numbers of copies
DIGITS = frozenset("0123456789")
HEX = DIGITS | frozenset("abcdef")


class Kind(IntEnum):
    """Likeness to texts of captchas, the most like first."""

    TEXT = 0
    HEX = 1
    """Unique numbers of base 16, which name files; they may be texts all the same"""
    SYMBOL = 2
    """Few different values of one symbol: texts of one symbol, or numbers of copies"""
    COUNTER = 3
    """Numbers one after another, each once"""
    OTHER = 4
    """One value, few words, hashes, or nothing"""


def kind(values: Sequence[str]) -> Kind:
    """Return the kind of these values, one for each image."""
    different = set(values)
    if len(different) < 2 or "" in different or max(map(len, different)) > LONGEST:
        return Kind.OTHER
    if len(different) * SEVERAL <= len(values):
        return Kind.SYMBOL if max(map(len, different)) == 1 else Kind.OTHER
    if Counter(values).most_common(1)[0][1] > max(MOST_REPEATS, len(values) / SEVERAL):
        return Kind.OTHER
    unique = len(different) == len(values)
    if unique and counts(values):
        return Kind.COUNTER
    symbols = {symbol for value in different for symbol in value.lower()}
    alike = len({len(value) for value in different}) == 1
    if unique and alike and symbols <= HEX and symbols & DIGITS and symbols - DIGITS:
        return Kind.HEX
    return Kind.TEXT


def counts(values: Sequence[str]) -> bool:
    """Return True for numbers one after another, with the same word before each."""
    before = values[0].rstrip("".join(DIGITS))
    after = [value.removeprefix(before) for value in values]
    if not all(value.isdecimal() for value in after):
        return False
    numbers = {int(value) for value in after}
    return len(numbers) >= DENSE * (max(numbers) - min(numbers) + 1)


def likeness(values: Sequence[str]) -> tuple[int, bool, bool]:
    """Return a measure that is lower for values that look more like texts: kind, varying lengths, no repeats."""
    return kind(values), len({len(value) for value in values}) > 1, len(set(values)) == len(values)
