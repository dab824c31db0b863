"""Number that differs with the kernel's sources.

numba caches machine code by the file of the function that it was compiled from, and does not see that a function of
another file has changed, which was compiled into it. So each function that Python calls has this number as the default
of a parameter that nobody gives: numba keeps machine code apart by the defaults of its parameters.
"""

from __future__ import annotations

import zlib
from pathlib import Path


def digest(folder: Path) -> int:
    """Return a number that differs with the Python files of a folder."""
    return zlib.crc32(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py"))))


SOURCES = digest(Path(__file__).parent)
