"""Settings of the files of conf/ as they are written there: key, value and comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Setting:
    """Setting of a file: its key with dots, or the group that an entry of the defaults list chooses an option of."""

    key: str
    value: str
    comment: str


@dataclass(frozen=True)
class Described:
    """What a file of conf/ holds."""

    about: str
    """The comment at its top."""
    bases: list[str]
    """Options of the same folder whose settings the file takes over."""
    groups: list[Setting]
    """Entries of its defaults list that choose an option of a group."""
    settings: list[Setting]


def described(path: Path) -> Described:
    """Return what a file of conf/ holds, without what it sets in Hydra itself."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    entries = {key.value: value for key, value in root.value} if root else {}
    file = _File(text)
    defaults = entries.pop("defaults", None)
    chosen = [] if defaults is None else defaults.value
    return Described(
        about=file.about(),
        bases=[entry.value for entry in chosen if isinstance(entry, yaml.ScalarNode) and entry.value != "_self_"],
        groups=[
            Setting(key.value, value.value, file.comment(key, value))
            for entry in chosen
            if isinstance(entry, yaml.MappingNode)
            for key, value in entry.value
            if not key.value.startswith("override ")
        ],
        settings=[one for one in file.settings(root) if one.key.partition(".")[0] not in ("defaults", "hydra")],
    )


class _File:
    """Text of a YAML file, to find the comments of its nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines()

    def settings(self, node: Any, prefix: str = "") -> Iterator[Setting]:
        """Yield the settings of a block of keys and of the blocks in it, except the names of classes."""
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                yield from self.settings(value, f"{prefix}{key.value}.")
            elif not key.value.startswith("_"):
                yield Setting(f"{prefix}{key.value}", self._value(value), self.comment(key, value))

    def comment(self, key: Any, value: Any) -> str:
        """Return the comment behind a value, or behind its key if the value stands in the lines below."""
        last = key if isinstance(value, yaml.CollectionNode) and not value.flow_style else value
        return self.lines[last.end_mark.line][last.end_mark.column :].partition("#")[2].strip()

    def about(self) -> str:
        """Return the comment at the top, without what it says to Hydra."""
        top = takewhile(lambda line: line.startswith("#"), self.lines)
        return " ".join(line.lstrip("# ") for line in top if not line.startswith("# @package"))

    def _value(self, value: Any) -> str:
        """Return the value as it is written; a list of several lines becomes one line."""
        written = self.text[value.start_mark.index : value.end_mark.index]
        if isinstance(value, yaml.SequenceNode) and not value.flow_style:
            return f"[{', '.join(self._value(item) for item in value.value)}]"
        return " ".join(written.split())


def inherited(folders: Sequence[Path], name: str) -> Iterator[Described]:
    """Yield the file of this name and those whose settings it takes over, its own first.

    Each is looked for in the folders, in this order; nothing is yielded for a file that is in none of them.
    """
    files = (folder / f"{name}.yaml" for folder in folders)
    if found := next(filter(Path.is_file, files), None):
        own = described(found)
        yield own
        for base in reversed(own.bases):
            yield from inherited(folders, base)
