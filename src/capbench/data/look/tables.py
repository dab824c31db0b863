"""Texts in tables: the file, the delimiter and the columns that hold names of images and their texts."""

from __future__ import annotations

import csv
import io
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from capbench.data.look.kinds import Kind, kind, likeness
from capbench.errors import Mistake
from capbench.images import BadImage
from capbench.images.folder import Files

SUFFIXES = (".csv", ".tsv", ".txt")
DELIMITERS = (",", ";", "\t", "|", " ")
MOST_TEXTS = 20  # .txt files in a folder; where there are more, they are images or texts of single images
ENOUGH = 0.5  # share of the rows that must name an image that is there, or of the images that must be named
USUAL = ("label", "labels", "text", "texts", "solution", "answer", "captcha", "value", "code", "word")


Find = Callable[[str], str | None]
"""Function that returns the image that is meant by what is written in a table."""


class Row(NamedTuple):
    """Row of a table: the image that it names, None where there is no such image, what is written there, and its text."""

    line: int
    name: str | None
    written: str
    text: str


class Table(NamedTuple):
    """Table that names images, with the columns that may hold their texts, by heading or number from 1."""

    name: str
    columns: list[str]
    rows: list[Row]


class Images:
    """Names of images as a table may write them: the whole path, its end, or its end without the suffix.

    Where no name is the same to the letter, case is ignored, and so is the way in which accents are stored.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.count = len(names)
        self._exact = frozenset(names)
        ends = [{*map(_alike, (name, PurePosixPath(name).name, PurePosixPath(name).stem))} for name in names]
        counts = Counter(end for of_one in ends for end in of_one)
        self._known = {
            end: name for name, of_one in zip(names, ends, strict=True) for end in of_one if counts[end] == 1
        }

    def find(self, written: str, folder: str = "") -> str | None:
        """Return the image that is meant by a table in this folder, or None."""
        path = posixpath.normpath(written.strip().replace("\\", "/"))
        for exact in (posixpath.normpath(posixpath.join(folder, path)), path):
            if exact in self._exact:
                return exact
        return self._known.get(_alike(path)) or self._known.get(_alike(posixpath.basename(path)))


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def tables(files: Files, names: Sequence[str]) -> list[Table]:
    """Return the tables in a folder that name its images; raise Mistake where one may hold texts in two columns.

    `names` are the images.
    """
    images = Images(names)
    texts = [name for name in files.names if PurePosixPath(name).suffix.lower() == ".txt"]
    skipped = texts if len(texts) > MOST_TEXTS else []
    named = [name for name in files.names if PurePosixPath(name).suffix.lower() in SUFFIXES and name not in skipped]
    return [table for table in (_table(files, name, images) for name in named) if table is not None]


def _table(files: Files, name: str, images: Images) -> Table | None:
    """Return the table in a file, or None where the file does not name images."""
    try:
        content = _decoded(files.read(name))
    except BadImage as error:
        raise Mistake(f"{files.root}/{name}: {error}; mend it, or take it out") from error
    find = partial(images.find, folder=posixpath.dirname(name))
    for delimiter in DELIMITERS:
        rows = list(_rows(content, delimiter))
        found = _column_of_files(rows, find, images.count)
        if found is not None:
            return _with_texts(f"{files.root}/{name}", name, rows, found, find)
    return None


def _decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8, in UTF-16 with its mark, or as Windows writes it in Western Europe."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _rows(content: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row with at least two cells; none where the content is no such table."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error:
        return


def _column_of_files(rows: Sequence[tuple[int, list[str]]], find: Find, images: int) -> int | None:
    """Return the first column that names images in enough of the rows, or enough of so many images; else None."""
    widths = Counter(len(cells) for _, cells in rows)
    for column in range(widths.most_common(1)[0][0] if widths else 0):
        there = sum(len(cells) > column and find(cells[column]) is not None for _, cells in rows)
        if len(rows) > 1 and widths.most_common(1)[0][0] > 1 and there >= ENOUGH * min(len(rows) - 1, images):
            return column
    return None


def _with_texts(place: str, name: str, rows: list[tuple[int, list[str]]], files: int, find: Find) -> Table:
    """Return the table with the texts of the column that looks most like texts."""
    heading = rows[0][1] if find(rows[0][1][files] if len(rows[0][1]) > files else "") is None else None
    body = rows[1:] if heading is not None else rows
    width = Counter(len(cells) for _, cells in body).most_common(1)[0][0]
    names = heading if heading is not None and len(heading) >= width else [str(i + 1) for i in range(width)]
    values = {
        column: [cells[column] for _, cells in body if len(cells) > column and cells[column]]
        for column in range(width)
        if column != files
    }
    usual = [column for column in values if names[column].lower() in USUAL]
    likely = usual[:1] or _likeliest(values)
    if len(likely) > 1:
        columns = " or ".join(repr(names[column]) for column in likely)
        how = f"data=csv data.labels={name} data.file_column={names[files]} data.label_column={names[likely[0]]}"
        right = f"say which, as {how}" if heading is not None else "write a heading that names one of them label"
        raise Mistake(f"{place}: {columns} may be the column of texts; {right}")
    texts = likely[0] if likely else -1
    cells_of = [(line, cells[files], cells[texts] if len(cells) > max(texts, files) and likely else "")
                for line, cells in body if len(cells) > files]  # fmt: skip
    return Table(
        name,
        [names[column] for column in likely],
        [Row(line, find(file), file, text) for line, file, text in cells_of],
    )


def _likeliest(values: dict[int, list[str]]) -> list[int]:
    """Return the columns whose values look most like texts."""
    ranks = {column: likeness(texts) for column, texts in values.items() if kind(texts) < Kind.COUNTER}
    if not ranks and len(values) == 1:
        return list(values)
    return [column for column, rank in ranks.items() if rank == min(ranks.values())]
