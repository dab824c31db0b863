"""Atomic writing of files: either the whole file or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

UNFINISHED = ".part"  # suffix of a file that is being written


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary file that replaces `path` at the end of the block, once it is complete and on the disk."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    encoding = None if "b" in mode else "utf-8"
    try:
        with unfinished.open(mode, encoding=encoding, newline=None if "b" in mode else "") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def share(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no hard links."""
    link = target.with_name(f".{target.name}{UNFINISHED}")
    link.unlink(missing_ok=True)
    try:
        os.link(source, link)
    except OSError:  # any other fault makes the copy fail, too
        with source.open("rb") as original, replacing(target, "wb") as copy:
            shutil.copyfileobj(original, copy)
    else:
        link.replace(target)
