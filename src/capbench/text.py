"""Alphabets, conversion of text to class numbers and back, and the decoder of all recognisers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le, Len

from capbench.errors import Mistake

AUTO = "auto"
UNKNOWN = -100  # class number of a symbol outside the alphabet; torch's cross-entropy ignores it

Over = Literal["positions", "time"]

MOST_CHARACTERS = 256  # of one text
MOST_SYMBOLS = 100_000  # of an alphabet that a stranger's file names

Characters = Annotated[int, Ge(1), Le(MOST_CHARACTERS)]
Symbols = Annotated[str, Len(1, MOST_SYMBOLS)]
Lengths = Annotated[list[Annotated[int, Ge(0), Le(MOST_CHARACTERS)]], Len(2, 2)]  # shortest and longest
Length = Characters | Annotated[list[Characters], Len(2, 2)]


def bounds(length: int | list[int], key: str = "data.length") -> tuple[int, int]:
    """Return the shortest and the longest text length; `key` names the setting in messages."""
    shortest, longest = (length, length) if isinstance(length, int) else length
    if shortest > longest:
        raise Mistake(f"{key}: [{shortest}, {longest}] is reversed; write [shortest, longest]")
    return shortest, longest


def with_zeros(text: str, length: int) -> str:
    """Return a number padded to `length` digits, as spreadsheets remove leading zeros; return other texts unchanged."""
    return text.zfill(length) if text.isdecimal() else text


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """Symbols that a captcha may hold, in class order, with case folding."""

    symbols: str
    fold: Literal["lower", "upper"] | None

    def __post_init__(self) -> None:
        if self.symbols == AUTO:
            return
        if not self.symbols:
            raise Mistake("alphabet.symbols: is empty; give the symbols a captcha may hold, or auto")
        twice = sorted(symbol for symbol, count in Counter(self.symbols).items() if count > 1)
        if twice:
            raise Mistake(f"alphabet.symbols: {''.join(twice)!r} occurs twice; give each symbol once")
        if self.folded(self.symbols) != self.symbols:
            raise Mistake(f"alphabet.symbols: {self.symbols!r} changes when folded to {self.fold} case; give it folded")

    def folded(self, text: str) -> str:
        """Return the text in the alphabet's case."""
        if self.fold == "lower":
            return text.lower()
        if self.fold == "upper":
            return text.upper()
        return text

    def known(self) -> Alphabet:
        """Return this alphabet; raise Mistake if it is `auto`, for use where no labels exist."""
        if self.symbols == AUTO:
            raise Mistake(
                "alphabet.symbols: auto reads the alphabet from labels, and there are none; choose an alphabet, such as alphabet=digits"
            )
        return self

    def settled(self, texts: Iterable[str]) -> Alphabet:
        """Return this alphabet or, if it is `auto`, the symbols of `texts` in sorted order."""
        if self.symbols != AUTO:
            return self
        symbols = "".join(sorted({symbol for text in texts for symbol in self.folded(text)}))
        return Alphabet(symbols=symbols, fold=self.fold)


@dataclass(frozen=True, slots=True)
class Reading:
    """Text that a recogniser read, with its confidence and that of each character, from 0 to 1.

    The confidence of the text is at most the product of the characters' confidences; see `Codec.read`.
    """

    text: str
    confidence: float
    characters: tuple[float, ...]
    """Confidence of each character."""
    value: str | None = None
    """Value of the text where it is a sum that was to be solved, such as `15` for `8+7=`."""
    value_error: str | None = None
    """Reason why a text that was to be solved has no value."""


class Codec:
    """Conversion of texts with `shortest` to `longest` symbols to class numbers, and of scores to texts.

    Over `positions`, class k at position p means that symbol k is at p; where lengths differ, the class `blank` fills
    the positions after the text. Over `time` (CTC), repeats are merged and blanks dropped.
    """

    def __init__(self, alphabet: Alphabet, shortest: int, longest: int, over: Over) -> None:
        self.alphabet = alphabet
        self.shortest = shortest
        self.longest = longest
        self.over = over
        self.blank = len(alphabet.symbols)  # last, so that symbols have the same numbers with and without blanks
        self._has_blank = over == "time" or shortest != longest
        self._number = {symbol: number for number, symbol in enumerate(alphabet.symbols)}

    @property
    def classes(self) -> int:
        """Number of classes of a score, with the blank if there is one."""
        return len(self.alphabet.symbols) + self._has_blank

    def outside(self, text: str) -> list[str]:
        """Return the symbols of `text` that are not in the alphabet."""
        return sorted({symbol for symbol in self.alphabet.folded(text) if symbol not in self._number})

    def fault(self, text: str) -> str | None:
        """Return the reason why `text` cannot be encoded, or None."""
        folded = self.alphabet.folded(text)
        outside = self.outside(text)
        if outside:
            return f"{''.join(outside)!r} is outside the alphabet {self.alphabet.symbols!r}"
        if not self.shortest <= len(folded) <= self.longest:
            wanted = str(self.longest) if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
            return f"has {len(folded)} symbols where {wanted} are expected"
        return None

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """Return class numbers, int64 [text, longest], padded with `blank` after shorter texts.

        A symbol outside the alphabet is UNKNOWN over positions, and omitted over time.
        """
        rows = [[self._number.get(symbol, UNKNOWN) for symbol in self.alphabet.folded(text)] for text in texts]
        if self.over == "time":
            rows = [[number for number in row if number != UNKNOWN] for row in rows]
        numbers = np.full((len(rows), self.longest), self.blank, dtype=np.int64)
        for row, known in zip(numbers, rows, strict=True):
            row[: len(known)] = known
        return numbers

    def spell(self, numbers: np.ndarray) -> list[str]:
        """Return the texts of class numbers [text, longest] from `encode`."""
        symbols = np.array([*self.alphabet.symbols, ""])
        return ["".join(row) for row in symbols[np.where(numbers == UNKNOWN, self.blank, numbers)].tolist()]

    def kept(self, best: np.ndarray) -> np.ndarray:
        """Return a mask of the best classes [image, position or time] that become symbols, bool of the same shape."""
        symbols = best != self.blank
        if self.over == "time":
            symbols[:, 1:] &= best[:, 1:] != best[:, :-1]
        return symbols

    def texts(self, best: np.ndarray) -> list[str]:
        """Return the texts of the best classes [image, position or time]."""
        return self._spelled(best, self.kept(best))

    def _spelled(self, best: np.ndarray, kept: np.ndarray) -> list[str]:
        symbols = np.array([*self.alphabet.symbols, ""])[best]
        symbols[~kept] = ""
        return ["".join(row) for row in symbols.tolist()]

    def read(self, best: np.ndarray, probability: np.ndarray) -> list[Reading]:
        """Return the readings of the best classes and their probabilities, each [image, position or time].

        What is not a probability, such as a network gives whose numbers overflow, counts for the nearest one, and NaN for
        none.

        The confidence of the whole is the product over all entries, also the blanks that no character of the
        reading stands for; over time, over the runs of equal classes, blanks among them, each with its highest
        probability. So it is at most the product of the characters' confidences, and less where blanks are unsure.
        """
        probability = probabilities(probability)
        if self.over == "time":
            first = np.ones_like(best, dtype=bool)
            first[:, 1:] = best[:, 1:] != best[:, :-1]
            probability = _highest_of_run(best, probability)
            whole = probability.prod(1, where=first)
        else:
            whole = probability.prod(1)
        kept = self.kept(best)
        rows = zip(self._spelled(best, kept), whole.tolist(), probability.tolist(), kept.tolist(), strict=True)
        return [Reading(text, confidence, tuple(compress(row, keep))) for text, confidence, row, keep in rows]


def probabilities(numbers: np.ndarray) -> np.ndarray:
    """The same numbers where they lie from 0 to 1, else the nearest; 0 for what is not a number."""
    return np.fmin(np.fmax(numbers, 0), 1)  # both pass over NaN


def _highest_of_run(best: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the probabilities with, at the start of each run of equal classes, the highest one of that run."""
    highest = probability.copy()
    for step in range(best.shape[1] - 2, -1, -1):
        same = best[:, step] == best[:, step + 1]
        highest[same, step] = np.maximum(highest[same, step], highest[same, step + 1])
    return highest
