"""Locks on files between processes; a lock ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from capbench.errors import Mistake

NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems have none
LOCK = ".lock"  # in a folder that is written


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
        if not os.fstat(file.fileno()).st_nlink:  # it was removed since it was opened
            raise Mistake(refusal)
        yield file


@contextmanager
def alone(out: Path, verb: str) -> Iterator[None]:
    """Keep other processes from writing a file, or into a folder that exists, until the end of the block.

    A file is locked by another one beside it, as it may be replaced by a new one.
    """
    lock = out / LOCK if out.is_dir() else out.with_name(f".{out.name}{LOCK}")
    with held(lock, "wb", f"{out}: another {verb} writes there; wait for its end"):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
