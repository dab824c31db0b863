"""Labelled folders with the labels in a CSV file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from capbench import images
from capbench.data import tables
from capbench.data.sources.base import Sample
from capbench.data.sources.folder import Folder, check_utf8, without_repeats
from capbench.data.splits import Rule
from capbench.errors import Mistake, nearest
from capbench.images.folder import Files
from capbench.text import with_zeros
from capbench.types import Share


@dataclass(frozen=True, kw_only=True)
class Csv(Folder):
    """Images and labels listed in a CSV file, which lies among the images or elsewhere."""

    labels: str
    file_column: str
    label_column: str
    split_column: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_utf8("data.labels", self.labels)

    @property
    def rule(self) -> Rule | None:
        """Rule that splits the images into parts; None where a column of the file names the parts."""
        return None if self.split_column else self.split

    def _labelled(self) -> list[Sample]:
        if self.split_column is None and self.split is None:
            raise Mistake("data.split: is null; give sizes, or name the column with data.split_column")
        return without_repeats(self._row(place, row) for place, row in self._rows())

    def _rows(self) -> Iterable[tuple[str, dict[str, str]]]:
        wanted = [self.file_column, self.label_column, *([self.split_column] if self.split_column else [])]
        try:
            return tables.rows(*self._table(), wanted)
        except images.BadImage as error:
            raise Mistake(f"{self.root}/{self.labels}: {error}; mend it, or split the folder") from error

    def _table(self) -> tuple[str, bytes]:
        """Return the place and the content of the CSV file, which lies below the root or elsewhere."""
        if self._below is not None:
            return f"{self.root}/{self._below}", self.files.read(self._below)
        elsewhere = Path(self.labels)
        if not elsewhere.is_file():
            names = [name for name in self.files.names if name.lower().endswith(".csv")]
            raise Mistake(f"data.labels: {self.root}/{self.labels} does not exist; {nearest(self.labels, names)}")
        return self.labels, Files(str(elsewhere.parent), "data.labels").read(elsewhere.name)

    @cached_property
    def _below(self) -> str | None:
        """Path of the CSV file below the root, or None where it lies elsewhere.

        It is the path in the settings, or that of the only file of this name in a subfolder, as in a zip file of a
        folder.
        """
        if self.labels in self.files.known:
            return self.labels
        deeper = [name for name in self.files.names if PurePosixPath(name).name == self.labels]
        return deeper[0] if len(deeper) == 1 and not Path(self.labels).is_file() else None

    def _row(self, place: str, row: dict[str, str]) -> Sample:
        written = row[self.file_column].strip()
        name = self._named(written)
        if name is None:
            if ".npy#" in written:
                raise Mistake(
                    f"{place}: {written!r} is in a NumPy array, which CapBench does not read; render with format=png or format=zip"
                )
            raise Mistake(f"{place}: {written!r} does not exist below {self.root}; mend the row or add the file")
        label = self._padded(row[self.label_column].strip())
        if not label:
            raise Mistake(f"{place}: has no label; fill it, or leave such rows out with data=ocr")
        return Sample(name, label, place, row[self.split_column].strip() if self.split_column else None)

    def _named(self, written: str) -> str | None:
        """Return the file that a row names, or None.

        A row may hold a path from the root, a path from the CSV file's folder, or an absolute path.
        """
        if written in self.files.known:
            return written
        path = written.replace("\\", "/")
        for start in ("", posixpath.dirname(self._below or Path(self.labels).absolute())):
            wanted = posixpath.normpath(posixpath.join(start, path))
            if posixpath.isabs(wanted):
                wanted = posixpath.relpath(wanted, self.files.root.absolute())
            if wanted in self.files.known:
                return wanted
        return None

    def _padded(self, text: str) -> str:
        return with_zeros(text, self.length) if isinstance(self.length, int) else text


@dataclass(frozen=True, kw_only=True)
class Ocr(Csv):
    """Images with labels on which OCR engines agreed.

    Rows without a label, or with less confidence than `min_confidence`, are left out.
    """

    confidence_column: str
    min_confidence: Share

    truth = "engines"

    def _labelled(self) -> list[Sample]:
        rows = list(self._rows())
        if rows and self.min_confidence > 0 and self.confidence_column not in rows[0][1]:
            raise Mistake(f"{rows[0][0]}: has no column {self.confidence_column!r}; set data.min_confidence=0")
        return without_repeats(
            self._row(place, row) for place, row in rows if row[self.label_column].strip() and self._sure(place, row)
        )

    def _sure(self, place: str, row: dict[str, str]) -> bool:
        if self.min_confidence == 0:
            return True
        try:
            return float(row[self.confidence_column]) >= self.min_confidence
        except (TypeError, ValueError) as error:
            raise Mistake(
                f"{place}: confidence {row[self.confidence_column]!r} is not a number; write 0 to 1"
            ) from error
