"""Writing of files that are either whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

UNFINISHED = ".part"  # the end of the name of a file that is being written


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """A file to write that takes `path`'s place only when it is complete and on the disk."""
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
    """Let `target` hold what `source` holds now: the same file where the file system has hard links, else a copy."""
    link = target.with_name(f".{target.name}{UNFINISHED}")
    link.unlink(missing_ok=True)
    try:
        os.link(source, link)
    except OSError:  # whatever else is wrong hinders the copy, too
        with source.open("rb") as original, replacing(target, "wb") as copy:
            shutil.copyfileobj(original, copy)
    else:
        link.replace(target)
