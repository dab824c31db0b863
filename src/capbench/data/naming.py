"""Extraction of labels from file names without a pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from capbench.errors import Mistake

APART = "_. ()-"  # separators between the pieces of a name
PIECE = f"[^{APART}]+"
NAME = re.compile(rf"(?:(?P<number>\d+)_)?(?P<label>{PIECE})")


class _Named(NamedTuple):
    path: PurePosixPath
    number: str | None
    label: str


def plain_labels(root: str, names: Sequence[str]) -> list[str]:
    """Return the text in each name such as 5UFQ.jpg, or such as 50_7136.png with a running number before the text.

    Raise Mistake for other names, and for numbers that may be texts themselves.
    """
    all_named = [_named(root, PurePosixPath(name)) for name in names]
    _check_beginnings(root, all_named)
    _check_lengths(root, all_named)
    return [named.label for named in all_named]


def _named(root: str, path: PurePosixPath) -> _Named:
    found = NAME.fullmatch(path.stem)
    if found is None:
        raise _ambiguous(root, path)
    return _Named(path, found["number"], found["label"])


def _check_beginnings(root: str, all_named: Sequence[_Named]) -> None:
    """Refuse names that look like a text and a counter of its copies.

    A number before two different texts is not a running number.
    """
    first: dict[tuple[PurePosixPath, str], _Named] = {}
    for named in all_named:
        other = first.setdefault((named.path.parent, named.number or named.label), named)
        if named.label != other.label:
            raise _ambiguous(root, named.path, f", as it begins like {other.path.name}")


def _check_lengths(root: str, all_named: Sequence[_Named]) -> None:
    """Refuse names that look like a text and a running number.

    Texts tend to have one length, running numbers do not.
    """
    numbered = [named for named in all_named if named.number is not None]
    if len({len(named.number or "") for named in numbered}) == 1 < len({len(named.label) for named in numbered}):
        raise _ambiguous(
            root, numbered[0].path, ", because all first pieces have the same length and the second pieces do not"
        )


def _ambiguous(root: str, path: PurePosixPath, why: str = "") -> Mistake:
    pieces = re.findall(PIECE, path.stem)
    if not pieces:
        return Mistake(f"{root}/{path}: holds no text; rename it, or keep it elsewhere")
    patterns = [
        f"{piece!r}: \"data.pattern='{f'{PIECE}[{APART}]+' * number}(?P<label>{PIECE}).*'\""
        for number, piece in enumerate(pieces[:3])
    ]
    *others, last = map(repr, pieces)
    either = f"{', '.join(others)} or {last} may be its text" if others else f"{last} may be its text or a part of it"
    return Mistake(f"{root}/{path}: {either}{why}; say which, for {', for '.join(patterns)}")
