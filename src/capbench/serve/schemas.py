"""Types of the service's answers, which are also its schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NotRequired

from annotated_types import Ge, Le
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from capbench.errors import BadImage
from capbench.export.graph import Read
from capbench.serve.batching import Outcome
from capbench.serve.requests import Upload

Confidence = Annotated[float, Ge(0), Le(1)]
STRICT = ConfigDict(extra="forbid")


@with_config(STRICT)
class Symbol(TypedDict):
    symbol: str
    """Empty where the alphabet has no other."""
    confidence: Confidence


@with_config(STRICT)
class Character(Symbol):
    runner_up: Symbol


@with_config(STRICT)
class Reading(TypedDict):
    """What one run reads of an image; or why it cannot take it."""

    run: str
    text: str | None
    confidence: Confidence | None
    characters: list[Character]
    error: str | None


@with_config(STRICT)
class Image(TypedDict):
    """What was read of an image by each run; or why it is none."""

    filename: str | None
    readings: list[Reading]
    error: str | None


@with_config(STRICT)
class Images(TypedDict):
    """In the order in which they were sent."""

    images: list[Image]


@with_config(STRICT)
class Error(TypedDict):
    error: str
    images: NotRequired[list[Image]]


@with_config(STRICT)
class Run(TypedDict):
    name: str
    alphabet: str


@with_config(STRICT)
class Limits(TypedDict):
    body: int
    files: int


@with_config(STRICT)
class Health(TypedDict):
    status: str
    runs: list[Run]
    limits: Limits
    token: bool
    """Whether one is asked for."""


TYPES: tuple[type, ...] = (Images, Error, Health)


def image(upload: Upload, outcome: Outcome, runs: Iterable[str]) -> Image:
    if isinstance(outcome, BadImage):
        return {"filename": upload.filename, "readings": [], "error": str(outcome)}
    readings = [_of(run, reading) for run, reading in zip(runs, outcome, strict=True)]
    return {"filename": upload.filename, "readings": readings, "error": None}


def _of(run: str, read: Read | BadImage) -> Reading:
    if isinstance(read, BadImage):
        return {"run": run, "text": None, "confidence": None, "characters": [], "error": str(read)}
    characters: list[Character] = [
        {"symbol": symbol, "confidence": _short(confidence), "runner_up": {"symbol": other, "confidence": _short(less)}}
        for symbol, confidence, other, less in read.characters
    ]
    confidence = _short(read.confidence)
    return {"run": run, "text": read.text, "confidence": confidence, "characters": characters, "error": None}


def _short(confidence: float) -> float:
    """Six digits; what rounding in 32 bits put above one is one."""
    return min(round(float(confidence), 6), 1.0)


def was_read(image: Image) -> bool:
    return any(reading["error"] is None for reading in image["readings"])
