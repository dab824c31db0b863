"""Mistakes of the user's: told in one line, without a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The numbers of errors that a full disk, a quota or a limit on files gives."""


class Mistake(Exception):
    """What is wrong, where, and what would be right, in one line."""


class BadImage(Exception):
    """Why these bytes are no image that CapBench takes: the end of a line that begins with the file's name."""


MOST_NAMED = 40


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
