"""Locks on files between processes. A lock ends with the process that holds it, however that process ended."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from capbench.errors import Mistake

NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems have none


def claim(file: IO, refusal: str) -> None:
    """Keep a file from other processes while it is open; Mistake(`refusal`) where one of them has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Mistake(refusal) from error
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise


@contextmanager
def held(path: Path, mode: str, refusal: str) -> Iterator[IO]:
    """Open a file that no other process has until the end of the block; Mistake(`refusal`) where one has it.

    `mode` is one that writes: some file systems lock no others.
    """
    with path.open(mode) as file:
        claim(file, refusal)
        yield file
