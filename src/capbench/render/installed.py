"""Fonts of open licences that `python -m capbench.render.install_fonts` installs, and their files."""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from capbench.errors import Mistake

LIST = Path(__file__).parent / "fonts" / "families.csv"
COMMAND = "python -m capbench.render.install_fonts"


class Family(NamedTuple):
    """Font family in the list."""

    kind: str
    """sans, serif, monospaced, handwritten or display"""
    name: str
    faces: tuple[str, ...]
    """weight of each face, with an i behind it if it is italic"""
    version: str
    """of the package, whose files a version never changes"""
    licence: str
    """as an SPDX identifier"""

    @property
    def package(self) -> str:
        """Name of the npm package."""
        return f"@fontsource/{self.name}"

    def file(self, face: str) -> Path:
        """Return where a face is installed."""
        return folder() / f"{self.name}-{face}-{self.version}.ttf"


def folder() -> Path:
    """Return the folder of the installed fonts, in CapBench's cache."""
    return Path(os.environ.get("CAPBENCH_CACHE", "~/.cache/capbench")).expanduser() / "fonts"


@lru_cache(maxsize=1)
def families() -> list[Family]:
    """Return the list of families."""
    with LIST.open(newline="", encoding="utf-8") as file:
        return [
            Family(row["kind"], row["family"], tuple(row["faces"].split()), row["version"], row["licence"])
            for row in csv.DictReader(file)
        ]


def installed_fonts() -> list[str]:
    """Return the path of each font of the list, or raise Mistake where one is missing.

    It is all of them or none: otherwise which fonts a machine has would change what is drawn.
    """
    files = [family.file(face) for family in families() for face in family.faces]
    missing = sum(not file.is_file() for file in files)
    if missing:
        raise Mistake(
            f"style.fonts: {missing} of the {len(files)} fonts of `installed` are missing in {folder()}; run {COMMAND}"
        )
    return [str(file) for file in files]
