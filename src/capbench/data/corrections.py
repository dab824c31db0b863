"""Corrections of labels by people: CSV files of file names, texts and the images that the person saw."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from capbench.data import tables
from capbench.errors import Mistake

COLUMNS = ("filename", "label", "image")


class Correction(NamedTuple):
    """Row of a file of labels by a person; an empty label leaves the image out."""

    name: str
    label: str
    image: str
    """Digest of the file that the person saw, empty where the table has no such column."""


def digest_of(content: bytes) -> str:
    """Return a hash of a file's content, so that a renamed or copied image counts as the same one."""
    return hashlib.sha256(content).hexdigest()[:32]


def read(path: Path, key: str) -> list[Correction]:
    """Return the rows of a CSV file with the columns filename and label; messages name the setting `key`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Mistake(f"{key}: {path} cannot be read ({error.strerror})") from error
    table = tables.rows(str(path), content, COLUMNS[:2])
    rows = [Correction(*((row.get(column) or "").strip() for column in COLUMNS)) for _, row in table]
    return [row._replace(name=PurePosixPath(row.name).as_posix()) for row in rows if row.name or row.label]
