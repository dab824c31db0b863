"""Errors that a user can act on, each told in one line without a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The numbers of errors that a full disk, a quota or a limit on files gives."""


MOST_SHOWN = 80  # characters of a value
MOST_IN_LINE = 2_000


def printable(value: object, most: int = MOST_SHOWN) -> str:
    """A value that a stranger may have chosen as one short line: what a terminal obeys is spelt out, the middle cut."""
    text = _cut(str(value), most)
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return _cut(text, most)


def lines(told: Iterable[object]) -> str:
    """Lines for a screen, of which each stays one, of bounded length, whatever stands in it."""
    return "\n".join(printable(line, MOST_IN_LINE) for line in told)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most // 4  # of a path or a message it often says most
    return f"{text[: most - end - 1]}…{text[-end:]}"


class Mistake(Exception):
    """What is wrong, where, and what would be right, in one line."""

    def __init__(self, line: object) -> None:
        super().__init__(printable(line, MOST_IN_LINE))


class BadImage(Exception):
    """Why these bytes are no image that CapBench takes: the end of a line that begins with the file's name."""

    def __init__(self, line: object) -> None:
        super().__init__(printable(line, MOST_IN_LINE))


MOST_NAMED = 40


def first_line(error: BaseException) -> str:
    """What an error says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(wrong: str, right: Iterable[str]) -> str:
    """A hint that names the likeliest right ones, or all of a few: ends a Mistake's line."""
    options = sorted(set(right))
    close = get_close_matches(wrong, options, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if not options:
        return "there is nothing to choose from"
    more = f" and {len(options) - MOST_NAMED:,} more" if len(options) > MOST_NAMED else ""
    return "choose from " + ", ".join(options[:MOST_NAMED]) + more
