"""Texts in the names of image files: the piece of the name that looks like a text in all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from capbench.data.look.kinds import Kind, counts, kind, likeness
from capbench.data.naming import APART

MOST_PIECES = 8  # of a name, from its beginning and from its end
ENOUGH = 0.9  # share of the names that must have the piece


@dataclass(frozen=True)
class Place:
    """Place of a text in file names: the number of a piece, counted from 0, or from -1 back at the end.

    `apart` are the separators between the pieces.
    """

    number: int
    apart: str = APART

    @property
    def pattern(self) -> str:
        """Regular expression for `data.pattern` that finds the text in a whole name."""
        piece, between = f"[^{self.apart}]+", f"[{self.apart}]+"
        if self.number >= 0:
            return f"(?:{piece}{between}){{{self.number}}}(?P<label>{piece}?)(?:{between}.*)?\\.[^.]*"
        return f"(?:.*{between})?(?P<label>{piece})(?:{between}{piece}){{{-self.number - 1}}}\\.[^.]*"

    def of(self, name: str) -> str:
        """Return the text in a name, or "" where the name has no such piece."""
        pieces = pieces_of(name, self.apart)
        there = self.number < len(pieces) if self.number >= 0 else -self.number <= len(pieces)
        return pieces[self.number] if there else ""


def places(names: Sequence[str]) -> list[Place]:
    """Return the places whose pieces look most like texts; several where none looks more like texts than another."""
    found: dict[tuple[str, ...], Place] = {}
    apart = separators(names)
    for number in (*range(MOST_PIECES), *range(-1, -MOST_PIECES - 1, -1)):
        texts = tuple(map(Place(number, apart).of, names))
        if texts.count("") <= (1 - ENOUGH) * len(texts):
            found.setdefault(texts, Place(number, apart))
    ranked = {}
    for texts, place in found.items():
        named = [text for text in texts if text]
        if kind(named) < Kind.COUNTER and not _counts_in_folders(names, texts):
            ranked[place] = likeness(named)
    return [place for place, rank in ranked.items() if rank == min(ranked.values())]


def _counts_in_folders(names: Sequence[str], texts: Sequence[str]) -> bool:
    """Return True where the images of each folder are numbered, so that numbers occur once in several folders."""
    folders = defaultdict(list)
    for name, text in zip(names, texts, strict=True):
        folders[PurePosixPath(name).parent].append(text)
    several = [values for values in folders.values() if len(values) > 1]
    return bool(several) and all(len({*values}) == len(values) and counts(values) for values in several)


def separators(names: Sequence[str]) -> str:
    """Return the separators of the pieces: all, or the only one that gives all names the same number of pieces.

    The others are then symbols of texts, as in `8-7=_1.png` beside `8+7=_2.png`.
    """
    for apart in (APART, *APART.replace("-", ""), "-"):
        counts = {len(pieces_of(name, apart)) for name in names}
        if len(counts) == 1 and (apart == APART or counts != {1}):
            return apart
    return APART


def pieces_of(name: str, apart: str) -> list[str]:
    """Return the pieces of a file's name, without its folder and its suffix."""
    return re.findall(f"[^{apart}]+", PurePosixPath(name).stem)
