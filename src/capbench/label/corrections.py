"""Labels by people: gold labels to measure against, and corrections that every later labelling keeps."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from capbench.data import corrections, tables
from capbench.data.corrections import COLUMNS, Correction, digest_of
from capbench.errors import BadImage, Mistake, nearest, printable
from capbench.images.folder import Files
from capbench.text import Codec, Reading, with_zeros

NAMED = 3  # files that a message lists by name


def read_gold(path: Path, codec: Codec, names: Iterable[str]) -> dict[str, str]:
    """Return the true texts by file name, case-folded as labels are.

    Raise Mistake where a file has two labels, or where none of the labelled files is among `names`.
    """
    gold: dict[str, str] = {}
    for row in corrections.read(path, "gold"):
        text = _text(row, codec)
        if text and gold.setdefault(row.name, text) != text:
            raise Mistake(f"gold: {path} has {row.name!r} as {gold[row.name]!r} and as {text!r}; keep one row")
    if gold.keys().isdisjoint(names):
        hint = nearest(min(gold), names) if gold else "it has no row with a label"
        raise Mistake(f"gold: none of the {len(gold):,} files that {path} labels is among the images; {hint}")
    return gold


class Corrections:
    """Labels by a person, kept in an append-only file; the newest line of an image counts."""

    def __init__(self, path: Path, codec: Codec, files: Files) -> None:
        self._path, self._codec, self._files = path, codec, files
        self._names = frozenset(files.images)
        self.texts: dict[str, str] = {}
        self.notices: list[str] = []
        """Messages about corrections that were changed or not taken."""
        if path.exists():
            self.texts = self._said(
                path, [row for row in corrections.read(path, "corrections") if row.name in self._names]
            )

    def merge(self, path: Path) -> None:
        """Add the corrections of another file; where the two differ, the newer file wins."""
        rows = corrections.read(path, "corrections")
        for row in rows:
            if row.name not in self._names:
                raise Mistake(f"{path}: {row.name!r} is not one of the images; {nearest(row.name, self._names)}")
        said = self._said(path, rows)
        given, kept = _time(path), _time(self._path) if self._path.exists() else 0
        differ = [name for name, text in said.items() if self.texts.get(name, text) != text]
        changes = [f"{name} {self.texts[name] or '∅'} → {said[name] or '∅'}" for name in differ]
        if given >= kept:
            self._notice(f"{path}: changes earlier corrections", changes)
        else:
            self._notice(f"{path}: is older than {self._path}; not taken where the two differ", changes)
            said = {name: text for name, text in said.items() if name not in differ}
        added = {name: text for name, text in said.items() if self.texts.get(name) != text}
        if added:
            self._append(added)
            newest = max(given, kept)  # the file's time is that of its newest correction
            os.utime(self._path, ns=(newest, newest))

    def prompt_for(self, disputed: Iterable[tuple[Path, str, Mapping[str, Reading]]]) -> None:
        """Ask on the terminal for the text of each disputed image that has no correction yet.

        An empty line skips the image, `-` leaves it out of the labels, and end of input (Ctrl-D) stops.
        """
        for path, name, readings in disputed:
            if name in self.texts:
                continue
            answers = ", ".join(f"{engine}: {reading.text or '∅'}" for engine, reading in readings.items())
            while True:
                try:
                    text = input(
                        f"{printable(path)}  ({printable(answers)})\ntext (Enter: skip, -: leave the image out, Ctrl-D: stop): "
                    ).strip()
                except EOFError:
                    return
                fault = None if text in ("", "-") else self._codec.fault(text)
                if fault is None:
                    break
                print(f"{text!r} {fault}")
            if text:
                self._append({name: "" if text == "-" else self._codec.alphabet.folded(text)})

    def _said(self, path: Path, rows: list[Correction]) -> dict[str, str]:
        """Return the texts of the rows whose images have not changed since the person saw them."""
        texts, others = {}, []
        for row in rows:
            if row.image and row.image != self._digest(row.name):
                others.append(row.name)
                continue
            text = texts[row.name] = _text(row, self._codec)
            fault = self._codec.fault(text) if text else None
            if fault:
                raise Mistake(f"{path}: {row.name!r} is labelled {row.label!r}, which {fault}; correct the row")
        self._notice(f"{path}: not taken, as the images under these names have changed", others)
        return texts

    def _digest(self, name: str) -> str:
        try:
            return digest_of(self._files.read(name))
        except BadImage:
            return ""

    def _append(self, texts: Mapping[str, str]) -> None:
        """Append rows to the file, with the columns and the delimiter that it already has."""
        self.texts |= texts
        self._path.parent.mkdir(parents=True, exist_ok=True)
        before = self._path.read_text(encoding="utf-8-sig") if self._path.exists() else ""
        delimiter = tables.delimiter_of(before)
        columns = next(csv.reader([before.partition("\n")[0].strip()], delimiter=delimiter)) if before else COLUMNS
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, delimiter=delimiter, extrasaction="ignore", lineterminator="\n")
            if not before:
                writer.writeheader()
            elif not before.endswith("\n"):
                file.write("\n")
            for name, text in texts.items():
                writer.writerow({"filename": name, "label": text, "image": self._digest(name)})

    def _notice(self, what: str, cases: list[str]) -> None:
        if cases:
            more = f" and {len(cases) - NAMED:,} more" if len(cases) > NAMED else ""
            self.notices.append(f"{what}: {', '.join(cases[:NAMED])}{more}")


def _time(path: Path) -> int:
    """Return the time of the file's last change, in nanoseconds."""
    return path.stat().st_mtime_ns


def _text(row: Correction, codec: Codec) -> str:
    text = codec.alphabet.folded(row.label)
    return with_zeros(text, codec.longest) if text and codec.shortest == codec.longest else text
