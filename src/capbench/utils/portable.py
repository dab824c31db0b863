"""Functions of the system that not every platform has, each with another platform's way."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
from typing import IO, Any

BEYOND = 1 << 40  # byte that is locked where a lock keeps others from reading: no file of CapBench is so long
KEPT = 1 << 29  # bytes of freed memory that this process keeps at most
LARGEST_KEPT = 1 << 25  # bytes of one block; some versions of glibc accept no more
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h


def cores() -> int:
    """Return how many processor cores this process may use; on platforms that do not tell, how many there are."""
    of_process = getattr(os, "sched_getaffinity", None)  # macOS and Windows have none
    return os.cpu_count() or 1 if of_process is None else len(of_process(0))


def keep_freed_memory() -> None:
    """Make glibc keep the memory that a batch frees, for the next batch; another C library is left as it is.

    By default glibc returns large blocks to the kernel, which fills them with zeros when the next batch asks for memory.
    That takes a small network a third of its time.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


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
