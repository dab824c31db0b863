"""Reading of CSV files."""

from __future__ import annotations

import csv
from pathlib import Path


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each a value for every column's name."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
