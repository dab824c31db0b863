"""What a user tells of the texts in images before they are read: their symbols and their lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from capbench.settings import build, conf_dir
from capbench.text import Alphabet, Length, bounds


@dataclass(frozen=True)
class Told:
    """Symbols and lengths of the texts that may be read; None: not told."""

    alphabet: Alphabet | None = None
    lengths: tuple[int, int] | None = None

    @classmethod
    def of(cls, alphabet: str | Alphabet | Mapping[str, Any] | None, length: Length | None) -> Told:
        """Return what is told by an alphabet and by a length, which is a count or [shortest, longest].

        An alphabet is the name of a file in conf/alphabet, symbols, the settings of an Alphabet, or an Alphabet.
        """
        if isinstance(alphabet, Mapping):
            alphabet = _built(alphabet)
        if isinstance(alphabet, str):
            alphabet = _named().get(alphabet) or Alphabet(symbols=alphabet, fold=None)
        lengths = None if length is None else bounds(length, "length")
        return cls(None if alphabet is None else alphabet.known(), lengths)

    def __bool__(self) -> bool:
        """Return True where anything is told."""
        return self != Told()


UNTOLD = Told()


@cache
def _named() -> dict[str, Alphabet]:
    """Return the alphabets of conf/alphabet by name."""
    files = sorted((conf_dir() / "alphabet").glob("*.yaml"))
    return {file.stem: _built(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files}


def _built(settings: Mapping[str, Any]) -> Alphabet:
    alphabet: Alphabet = build(settings)
    return alphabet
