"""Types of the service's responses, from which their JSON schemas are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NotRequired

from annotated_types import Ge, Le
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from capbench.decoding.sums import value_of
from capbench.errors import BadImage
from capbench.export.graph import Read
from capbench.serve.batching import Outcome
from capbench.serve.requests import Upload

Confidence = Annotated[float, Ge(0), Le(1)]
STRICT = ConfigDict(extra="forbid")


@with_config(STRICT)
class Symbol(TypedDict):
    """Symbol with its confidence."""

    symbol: str
    """Empty where the alphabet has no other symbol."""
    confidence: Confidence


@with_config(STRICT)
class Character(Symbol):
    """Symbol of a text, with the next best one."""

    runner_up: Symbol


@with_config(STRICT)
class Reading(TypedDict):
    """Text that one run reads in an image, or the reason why the run cannot read it."""

    run: str
    text: str | None
    confidence: Confidence | None
    characters: list[Character]
    error: str | None
    value: NotRequired[str | None]
    """Value of a sum; only where the request asks to solve sums."""
    value_error: NotRequired[str | None]
    """Reason why a text has no value; only where the request asks to solve sums."""


@with_config(STRICT)
class Image(TypedDict):
    """Readings of one image by each run, or the reason why it cannot be decoded."""

    filename: str | None
    readings: list[Reading]
    error: str | None


@with_config(STRICT)
class Images(TypedDict):
    """Images of a request, in the order in which they were sent."""

    images: list[Image]


@with_config(STRICT)
class Error(TypedDict):
    """Reason why a request has no result."""

    error: str
    images: NotRequired[list[Image]]


@with_config(STRICT)
class Run(TypedDict):
    """Name and alphabet of a run."""

    name: str
    alphabet: str


@with_config(STRICT)
class Limits(TypedDict):
    """Largest body in bytes, and largest number of images, of a request."""

    body: int
    files: int


@with_config(STRICT)
class Health(TypedDict):
    """State of the service."""

    status: str
    runs: list[Run]
    limits: Limits
    token: bool
    """True where requests need a token."""


TYPES: tuple[type, ...] = (Images, Error, Health)


def image(upload: Upload, outcome: Outcome, runs: Iterable[str], solve: bool) -> Image:
    """Return the response's entry for one image; `solve` asks for the values of sums."""
    if isinstance(outcome, BadImage):
        return {"filename": upload.filename, "readings": [], "error": str(outcome)}
    readings = [_of(run, reading, solve) for run, reading in zip(runs, outcome, strict=True)]
    return {"filename": upload.filename, "readings": readings, "error": None}


def _of(run: str, read: Read | BadImage, solve: bool) -> Reading:
    if isinstance(read, BadImage):
        return {"run": run, "text": None, "confidence": None, "characters": [], "error": str(read)}
    characters: list[Character] = [
        {"symbol": symbol, "confidence": _short(confidence), "runner_up": {"symbol": other, "confidence": _short(less)}}
        for symbol, confidence, other, less in read.characters
    ]
    confidence = _short(read.confidence)
    of_text: Reading = {
        "run": run,
        "text": read.text,
        "confidence": confidence,
        "characters": characters,
        "error": None,
    }
    if not solve:
        return of_text
    value, error = value_of(read.text)
    return {**of_text, "value": value, "value_error": error}


def _short(confidence: float) -> float:
    """Return a confidence with six decimals, at most 1, which rounding in 32 bits may exceed."""
    return min(round(float(confidence), 6), 1.0)


def was_read(image: Image) -> bool:
    """Return whether at least one run has read the image."""
    return any(reading["error"] is None for reading in image["readings"])
