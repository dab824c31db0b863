"""Public interface of CapBench: the reader of runs, and the base classes of parts of a user's own.

`capbench.load(RUN).read("captcha.png").text` reads an image. The docstring of each class here is its contract: shapes,
types, and what must hold. What is not listed in `__all__` is private and may change in any version.

Importing this module imports nothing heavy: each name is imported from its module when it is first used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from capbench.errors import BadImage, Mistake

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from capbench.data.augment import AugmentStep
    from capbench.data.clean import Kind, Step
    from capbench.data.cut import Cutter, Pieces
    from capbench.data.sources.base import Sample, Source
    from capbench.data.splits import Split
    from capbench.data.views import View
    from capbench.inference.reader import Reader
    from capbench.label.engines.base import Engine, Unread
    from capbench.metrics import Metric
    from capbench.models.base import Model, Shape
    from capbench.render.ingredient import Ingredient
    from capbench.text import Alphabet, Reading
    from capbench.train.loggers import Logging, RunReport

os.environ.setdefault(
    "ORT_DISABLE_TELEMETRY", "1"
)  # onnxruntime sends telemetry unless this is set before it is imported

SAMPLE = Path(__file__).parent / "universal" / "sample.png"
"""Image of a captcha, to try a reader on"""

__all__ = [
    "SAMPLE",
    "Alphabet",
    "AugmentStep",
    "BadImage",
    "Callback",
    "Cutter",
    "Engine",
    "Ingredient",
    "Kind",
    "Logging",
    "Metric",
    "Mistake",
    "Model",
    "Pieces",
    "Reader",
    "Reading",
    "RunReport",
    "Sample",
    "Shape",
    "Source",
    "Split",
    "Step",
    "Unread",
    "View",
    "load",
]

_MODULES = {
    "Alphabet": "capbench.text",
    "AugmentStep": "capbench.data.augment",
    "Callback": "pytorch_lightning",
    "Cutter": "capbench.data.cut",
    "Engine": "capbench.label.engines.base",
    "Ingredient": "capbench.render.ingredient",
    "Kind": "capbench.data.clean",
    "Logging": "capbench.train.loggers",
    "Metric": "capbench.metrics",
    "Model": "capbench.models.base",
    "Pieces": "capbench.data.cut",
    "Reader": "capbench.inference.reader",
    "Reading": "capbench.text",
    "RunReport": "capbench.train.loggers",
    "Sample": "capbench.data.sources.base",
    "Shape": "capbench.models.base",
    "Source": "capbench.data.sources.base",
    "Split": "capbench.data.splits",
    "Step": "capbench.data.clean",
    "Unread": "capbench.label.engines.base",
    "View": "capbench.data.views",
}
"""Modules that define the public names, which are imported from there when first used."""


def load(run: str | PathLike[str], *, trust: Iterable[str] = ()) -> Reader:
    """Return a reader of the finished run in this folder; raise Mistake if it is no such run or cannot be trusted.

    `universal` is the run that CapBench ships, which reads captchas that it was not trained on.
    The run may name classes of CapBench, and of the top-level packages in `trust`, whose code then runs.
    """
    from capbench.inference.reader import Reader  # torch: seconds to import
    from capbench.runs import RunFolder
    from capbench.trust import trusting

    with trusting(trust):
        return Reader.of(RunFolder.named(run))


if not TYPE_CHECKING:  # a type checker would take any name for an existing one

    def __getattr__(name: str) -> object:
        """Import a public name from its module."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(_MODULES[name]), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
