"""Functions of the system that not every platform has, each with another platform's way."""

from __future__ import annotations

import importlib
import os
from typing import IO, Any

BEYOND = 1 << 40  # byte that is locked where a lock keeps others from reading: no file of CapBench is so long


def cores() -> int:
    """Return how many processor cores this process may use; on platforms that do not tell, how many there are."""
    of_process = getattr(os, "sched_getaffinity", None)  # macOS and Windows have none
    return os.cpu_count() or 1 if of_process is None else len(of_process(0))


def lock(file: IO) -> None:
    """Lock an open file against other processes until it is closed; raise BlockingIOError where one holds the lock."""
    fcntl = _module("fcntl")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    msvcrt = importlib.import_module("msvcrt")  # Windows
    place = file.tell()
    file.seek(BEYOND)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(error.errno, error.strerror) from error
    finally:
        file.seek(place)


def _module(name: str) -> Any:
    """Return a module of the standard library, or None on a platform that lacks it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
