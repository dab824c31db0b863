"""Reading of CSV files, as spreadsheets and other programs write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from capbench.errors import Mistake, nearest

DELIMITERS = ",;\t"  # spreadsheets write the last two in countries whose numbers have a decimal comma


def delimiter_of(text: str) -> str:
    """Return the delimiter of a table's columns: the one that its heading holds most often."""
    return max(DELIMITERS, key=text.partition("\n")[0].count)


def rows(place: str, content: bytes, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row of a CSV file with its place, as `place:line`; raise Mistake where one of `columns` is missing."""
    try:
        text = content.decode("utf-8-sig")
        delimiter = delimiter_of(text)
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        for column in columns:
            if column not in (table.fieldnames or []):
                raise Mistake(f"{place}: has no column {column!r}; {nearest(column, table.fieldnames or [])}")
        for row in table:
            line = f"{place}:{table.line_num}"
            if any(row[column] is None for column in columns):
                raise Mistake(f"{line}: has fewer fields than the heading; fill the row")
            if any(row.pop(None, [])):
                raise Mistake(
                    f"{line}: has more fields than the heading; put quotes around one that holds a {delimiter!r}"
                )
            yield line, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise Mistake(f"{place}: is not a CSV file in UTF-8 ({error})") from error
