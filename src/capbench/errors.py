"""Errors that a user can act on, each printed in one line without a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exceeded quota and an exceeded file size limit."""


MOST_SHOWN = 80  # characters of a value
MOST_IN_LINE = 2_000  # characters of a line


def printable(value: object, most: int = MOST_SHOWN) -> str:
    """Return the value, which may come from an untrusted file, as one short line.

    Control characters are escaped and a long value loses its middle.
    """
    text = _cut(str(value), most)
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return _cut(text, most)


def lines(values: Iterable[object]) -> str:
    """Return lines for the screen, each kept to one line of bounded length whatever it contains."""
    return "\n".join(printable(line, MOST_IN_LINE) for line in values)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most // 4  # the end of a path or a message is often the most useful part
    return f"{text[: most - end - 1]}…{text[-end:]}"


class Mistake(Exception):
    """Error of a user, as one line: where it is, what is wrong, and what would be right."""

    def __init__(self, line: object) -> None:
        super().__init__(printable(line, MOST_IN_LINE))


class BadImage(Exception):
    """Error about an image that cannot be read, as the end of a line that begins with the file's name."""

    def __init__(self, line: object) -> None:
        super().__init__(printable(line, MOST_IN_LINE))


MOST_NAMED = 40  # options listed in a hint


def first_line(error: BaseException) -> str:
    """What an error says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(wrong: str, right: Iterable[str]) -> str:
    """Return a hint for the end of a Mistake: the closest valid options, or a list of all."""
    options = sorted(set(right))
    close = get_close_matches(wrong, options, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if not options:
        return "there is nothing to choose from"
    more = f" and {len(options) - MOST_NAMED:,} more" if len(options) > MOST_NAMED else ""
    return "choose from " + ", ".join(options[:MOST_NAMED]) + more
