"""Python interface of CapBench: `capbench.load(RUN).read("captcha.png").text`. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING

from capbench.errors import BadImage, Mistake

if TYPE_CHECKING:
    from capbench.inference.reader import Reader

os.environ.setdefault(
    "ORT_DISABLE_TELEMETRY", "1"
)  # onnxruntime sends telemetry unless this is set before it is imported

__all__ = ["BadImage", "Mistake", "load"]


def load(run: str | PathLike[str], *, trust: Iterable[str] = ()) -> Reader:
    """Return a reader of the finished run in this folder; raise Mistake if it is no such run or cannot be trusted.

    The run may name classes of CapBench, and of the top-level packages in `trust`, whose code then runs.
    """
    from pathlib import Path

    from capbench.inference.reader import Reader  # torch: seconds to import
    from capbench.runs import RunFolder
    from capbench.trust import trusting

    with trusting(trust):
        return Reader.of(RunFolder(Path(run)))
