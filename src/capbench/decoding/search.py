"""Search for the best text among those that are allowed, from the class probabilities of any recogniser."""

from __future__ import annotations

import numpy as np

from capbench.decoding import over_positions, over_time
from capbench.decoding.found import Found
from capbench.decoding.told import Told
from capbench.errors import Mistake, printable
from capbench.text import Alphabet, Codec, Reading, probabilities

TIMES = {"×": "x", "x": "×", "X": "×"}
"""Symbols that are drawn alike; labels of sums have one or the other"""


class Search:
    """Search among the texts that have the told symbols and lengths.

    Where the told alphabet folds several symbols of the recogniser into one, such as `a` and `A`, their probabilities
    are added at each position or step. A told `x` also stands for the recogniser's `×` where that is not told, and a
    told `×` for its `x`. Where no lengths are told, texts over positions have the recogniser's lengths,
    and texts over time any.
    """

    def __init__(self, codec: Codec, told: Told) -> None:
        """Prepare a search for what `codec` decodes; raise Mistake where the recogniser knows no such texts."""
        alphabet = told.alphabet or codec.alphabet
        shortest, longest = told.lengths or (codec.shortest, codec.longest)
        if codec.over == "positions" and not codec.shortest <= shortest <= longest <= codec.longest:
            known = str(codec.longest) if codec.shortest == codec.longest else f"{codec.shortest} to {codec.longest}"
            raise Mistake(f"length: [{shortest}, {longest}] is told and the recogniser reads {known} symbols")
        folded = [_as_told(alphabet, symbol) for symbol in codec.alphabet.symbols]
        classes = [[k for k, known in enumerate(folded) if known == symbol] for symbol in alphabet.symbols]
        unknown = "".join(symbol for symbol, some in zip(alphabet.symbols, classes, strict=True) if not some)
        if unknown:
            raise Mistake(
                f"alphabet: the recogniser does not know {printable(repr(unknown))}; "
                f"its symbols are {printable(repr(codec.alphabet.symbols))}"
            )
        self.codec = Codec(alphabet, shortest, longest, codec.over)
        """Codec of the allowed texts."""
        self._told = told
        self._blank = codec.blank if codec.classes > codec.blank else None
        self._classes = np.array([k for some in classes for k in some])
        self._starts = np.cumsum([0, *map(len, classes[:-1])])

    def check_steps(self, steps: int) -> None:
        """Raise Mistake where a recogniser with this number of positions or steps of time can give no allowed text."""
        needed = over_time.fewest_steps(self.codec.shortest, len(self.codec.alphabet.symbols))
        if self._told.lengths and self.codec.over == "time" and needed > steps:
            raise Mistake(
                f"length: texts of {self.codec.shortest} symbols take {needed} steps, and the recogniser has {steps}; "
                f"tell a smaller length"
            )

    def read(self, probability: np.ndarray) -> list[Reading]:
        """Return the readings for class probabilities [image, position or time, class] of the recogniser."""
        return [
            Reading(
                self.text(found),
                found.confidence,
                tuple(found.beliefs[np.arange(len(found.numbers)), found.numbers].tolist()),
            )
            for found in self.found(probability)
        ]

    def text(self, found: Found) -> str:
        """Return a found text."""
        return "".join(self.codec.alphabet.symbols[number] for number in found.numbers.tolist())

    def found(self, probability: np.ndarray) -> list[Found]:
        """Return the best allowed texts for class probabilities [image, position or time, class] of the recogniser."""
        steps = probability.shape[1]
        self.check_steps(steps)
        allowed = self._allowed(probabilities(probability))
        if self.codec.over == "positions":
            return over_positions.search(allowed, self.codec.shortest, self.codec.longest)
        lengths = self._told.lengths
        return over_time.search(allowed, lengths and (lengths[0], min(lengths[1], steps)))

    def _allowed(self, probability: np.ndarray) -> np.ndarray:
        """Return the probabilities of the told symbols, and of the blank last: 0 where the recogniser has none."""
        symbols = np.add.reduceat(probability[..., self._classes], self._starts, axis=-1)
        nothing = np.zeros((*probability.shape[:2], 1), probability.dtype)
        blank = nothing if self._blank is None else probability[..., [self._blank]]
        return np.concatenate([symbols, blank], axis=-1)


def _as_told(alphabet: Alphabet, symbol: str) -> str:
    """Return the symbol of a told alphabet that a recogniser's symbol stands for, or one outside it."""
    folded = alphabet.folded(symbol)
    return folded if folded in alphabet.symbols else alphabet.folded(TIMES.get(symbol, symbol))
