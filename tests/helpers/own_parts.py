"""Settings that name the classes of a package outside CapBench."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OUTSIDE = Path(__file__).parent / "outside"
SPLIT = {"_target_": "capbench.data.splits.Split", "train": 8, "val": 4, "test": 4}


def own(name: str, /, **settings: Any) -> dict[str, Any]:
    """Return settings that build a class of the package `own_parts`."""
    return {"_target_": f"own_parts.{name}", **settings}


NETWORK = own("Network", width=8)
VIEW = own("Half", shrink="area")
STEP = own("Darker", by=3)
BLOTS = own("Blots", count=9)
SCRATCHES = own("Scratches", count=3)
CUTTER = own("Ends", margin=2)
ENGINE = own("Same", text="1234")
LOGGER = own("Lines", name="lines")
HALVED = own("Halved", width=8)
FIRST_RIGHT = own("FirstRight", count=1)
EPOCHS = own("Epochs", file="epochs.txt")


def written(file: Path) -> dict[str, Any]:
    """Return settings of the package's source for a file, which is written with sixteen texts."""
    file.write_text("\n".join(f"{number:04}" for number in range(1, 9999, 625)))
    return own("Written", file=str(file), split=SPLIT, shades=own("Shades", dark=0, light=255))


@contextmanager
def importable() -> Iterator[None]:
    """Make the package importable, and forget it afterwards."""
    sys.path.insert(0, str(OUTSIDE))
    try:
        yield
    finally:
        sys.path.remove(str(OUTSIDE))
        sys.modules.pop("own_parts", None)
