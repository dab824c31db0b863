"""File locks between processes; a lock ends with the process that holds it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from capbench.errors import Mistake
from capbench.utils import portable

NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # some network file systems have no locks
LOCK = ".lock"  # name of the lock file in a folder that is written


def claim(file: IO, refusal: str) -> None:
    """Lock a file against other processes while it is open; raise Mistake(`refusal`) where one holds the lock."""
    try:
        portable.lock(file)
    except BlockingIOError as error:
        raise Mistake(refusal) from error
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise


@contextmanager
def held(path: Path, mode: str, refusal: str) -> Iterator[IO]:
    """Open and lock a file until the end of the block; raise Mistake(`refusal`) where another process holds the lock.

    `mode` must be a writing one, because some file systems lock only files that are open for writing.
    """
    with path.open(mode) as file:
        claim(file, refusal)
        if not os.fstat(file.fileno()).st_nlink:  # the lock's holder removed the file between opening and locking
            raise Mistake(refusal)
        yield file


@contextmanager
def alone(out: Path, verb: str) -> Iterator[None]:
    """Keep other processes from writing a file, or into an existing folder, until the end of the block.

    The lock of a file is a second file beside it, because the file itself may be replaced by a new one.
    """
    lock = out / LOCK if out.is_dir() else out.with_name(f".{out.name}{LOCK}")
    with held(lock, "wb", f"{out}: another {verb} is writing there; wait until it ends"):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
