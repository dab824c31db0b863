"""Markdown of generated pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `make reference`; do not edit. -->"


def page(title: str, *parts: str) -> str:
    """Return a page of paragraphs, tables and headings; empty ones are left out."""
    return "\n\n".join([NOTE, f"# {title}", *filter(None, parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already; no text where there are no rows."""
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) if lines else ""


def plain(text: str) -> str:
    """Return text that Markdown shows as it is, in a table as well."""
    return re.sub(r"([\\`*_<|\[\]])", r"\\\1", text)


def prose(text: str) -> str:
    """Return text of which Markdown shows all as it is except code in backticks."""
    return "".join(part if part.startswith("`") else plain(part) for part in re.split(r"(`[^`]*`)", text))


def code(text: str) -> str:
    """Return text as code, in a table as well."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""
