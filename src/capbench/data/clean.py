"""Cleaning steps of a view, each doing one thing to a picture before it is cut.

A picture is uint8 [height, width, 3] in colour, [height, width] in grey, and [height, width] of 0 and 255 in black and
white, where white is ink. Sizes are in pixels of the image.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
from annotated_types import Ge, Le, Len

from capbench.data.follow import erase_curves
from capbench.errors import Mistake
from capbench.types import Byte, CountOrZero, Pixels

Odd = Annotated[int, Ge(3), Le(255)]
Kernel = Annotated[list[Pixels], Len(2, 2)]
SHADES = 16  # grey levels that count as one when the commonest colour is looked for


class Kind(IntEnum):
    """What a picture may be; a step that takes one kind takes the plainer ones too."""

    BLACK_AND_WHITE = 0
    GREY = 1
    COLOUR = 2


class Step(ABC):
    """One step of a chain."""

    takes: ClassVar[Kind]
    gives: ClassVar[Kind | None]
    """None: what it was given"""

    @abstractmethod
    def __call__(self, picture: np.ndarray) -> np.ndarray: ...


def check_chain(steps: Sequence[Step], kind: Kind) -> Kind:
    """The kind of picture that the chain gives, from one of `kind`; refuses a step that cannot take what it is given."""
    for number, step in enumerate(steps):
        if kind > step.takes:
            name = type(step).__name__
            if kind is Kind.COLOUR:
                raise Mistake(
                    f"view.clean.{number}: {name} takes no colour; put Ink or TextColour before it, or set view.channel=grey"
                )
            raise Mistake(f"view.clean.{number}: {name} takes black and white; put a Threshold before it")
        kind = kind if step.gives is None else step.gives
    return kind


@dataclass(frozen=True, kw_only=True)
class Threshold(Step):
    """Black and white: bright above `at`, or below it when inverted; Otsu's own level where `at` is otsu."""

    at: Byte | Literal["otsu"]
    invert: bool = False

    takes = Kind.GREY
    gives = Kind.BLACK_AND_WHITE

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        kind = cv2.THRESH_BINARY_INV if self.invert else cv2.THRESH_BINARY
        if self.at == "otsu":
            return cv2.threshold(picture, 0, 255, kind | cv2.THRESH_OTSU)[1]
        return cv2.threshold(picture, self.at, 255, kind)[1]


@dataclass(frozen=True, kw_only=True)
class Adaptive(Step):
    """Black and white: `by` levels brighter than the mean of the `size` pixels around, or darker when inverted."""

    size: Odd
    by: Byte
    invert: bool = False

    takes = Kind.GREY
    gives = Kind.BLACK_AND_WHITE

    def __post_init__(self) -> None:
        _check_odd("Adaptive", self.size)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        picture = cv2.bitwise_not(picture) if self.invert else picture
        # OpenCV's constant is taken from the mean: a negative one asks for more than it.
        return cv2.adaptiveThreshold(picture, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, self.size, -self.by)


@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """The three-by-three binomial filter."""

    takes = Kind.GREY
    gives = Kind.GREY

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        row = np.array([1, 2, 1], dtype=np.float32) / 4
        return cv2.sepFilter2D(picture, -1, row, row)


@dataclass(frozen=True, kw_only=True)
class Median(Step):
    """Each pixel becomes the median of the `size` by `size` around it."""

    size: Odd

    takes = Kind.COLOUR
    gives = None

    def __post_init__(self) -> None:
        _check_odd("Median", self.size)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.medianBlur(picture, self.size)


@dataclass(frozen=True, kw_only=True)
class Open(Step):
    """Takes away what is bright and smaller than `size`, [height, width]: [1, 3] thin uprights, [3, 1] flat lines."""

    size: Kernel

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.morphologyEx(picture, cv2.MORPH_OPEN, np.ones(self.size, np.uint8))


@dataclass(frozen=True, kw_only=True)
class Close(Step):
    """Fills what is dark and smaller than `size`, [height, width]."""

    size: Kernel

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones(self.size, np.uint8))


@dataclass(frozen=True, kw_only=True)
class Divide(Step):
    """Divides by the background, which becomes white: what is left of it when dark things under `size` are filled."""

    size: Pixels

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        filled = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((self.size, self.size), np.uint8))
        return cv2.divide(picture, cv2.blur(filled, (self.size, self.size)), scale=255)


@dataclass(frozen=True, kw_only=True)
class Ink(Step):
    """How far each pixel is from the background, the commonest colour: ink becomes bright, whatever its colour."""

    takes = Kind.COLOUR
    gives = Kind.GREY

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return _away(picture, _commonest(picture))


@dataclass(frozen=True, kw_only=True)
class TextColour(Step):
    """Ink of the text's colour, the commonest of the ink; lines and dots of other colours go.

    Ink is more than `ink` levels away from the background, and up to `within` from the text's colour.
    """

    ink: Byte
    within: Byte

    takes = Kind.COLOUR
    gives = Kind.BLACK_AND_WHITE

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        away = _away(picture, _commonest(picture))
        ink = cv2.threshold(away, self.ink, 255, cv2.THRESH_BINARY)[1]
        other = _away(picture, _commonest(picture, ink))
        return cv2.subtract(ink, cv2.threshold(other, self.within, 255, cv2.THRESH_BINARY)[1])


@dataclass(frozen=True, kw_only=True)
class Specks(Step):
    """Takes away connected ink of fewer than `area` pixels."""

    area: Pixels

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        labels, stats = _components(picture)
        return _without(picture, labels, stats[:, cv2.CC_STAT_AREA] < self.area)


@dataclass(frozen=True, kw_only=True)
class Dots(Step):
    """Takes away round ink of up to `size` pixels across that touches nothing."""

    size: Pixels

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        labels, stats = _components(picture)
        width, height, area = (stats[:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        small = np.maximum(width, height) <= self.size
        # A disc fills 0.79 of the square around it, one of few pixels half of it; a bent stroke less.
        disc = (np.abs(width - height) <= 1) & (2 * area >= width * height)
        return _without(picture, labels, small & disc)


@dataclass(frozen=True, kw_only=True)
class Lines(Step):
    """Takes away ink up to `thickness` thick where it runs on for `length` pixels; what it crosses stays, if thicker."""

    thickness: Pixels
    length: Pixels

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        thicker = np.ones((self.thickness + 1, self.thickness + 1), np.uint8)
        thick = cv2.morphologyEx(picture, cv2.MORPH_OPEN, thicker)
        thin = cv2.subtract(picture, cv2.dilate(thick, np.ones((3, 3), np.uint8)))
        labels, stats = _components(thin)
        reach = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        return _without(picture, labels, reach >= self.length)


@dataclass(frozen=True, kw_only=True)
class Curves(Step):
    """Follows curves from left to right and takes away those that run on for `length` columns.

    A curve is up to `thickness` pixels high in each column. Where it crosses something it is lost for up to `gap`
    columns and looked for where it was heading; what it crosses stays.
    """

    thickness: Pixels
    length: Pixels
    gap: CountOrZero

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return erase_curves(picture, self.thickness, self.length, self.gap)


def _check_odd(name: str, size: int) -> None:
    if size % 2 == 0:
        raise Mistake(f"view.clean ({name}).size: {size} has no middle pixel; write an odd number")


def _commonest(picture: np.ndarray, among: np.ndarray | None = None) -> Sequence[Any]:
    """The mean colour of the commonest shade, channel by channel; of the pixels `among`, if there are any."""
    shades: np.ndarray = np.zeros(picture.shape[:2], np.uint16)
    for channel in cv2.split(picture):
        shades = shades * SHADES + channel // SHADES
    counted = shades if among is None or not among.any() else shades[among > 0]
    fullest = (shades == np.bincount(counted.ravel()).argmax()).astype(np.uint8)
    return cv2.mean(picture, fullest)[: 1 if picture.ndim == 2 else 3]


def _away(picture: np.ndarray, colour: Sequence[Any]) -> np.ndarray:
    """The largest difference of any channel from `colour`, uint8 [height, width]."""
    apart = [cv2.absdiff(channel, level) for channel, level in zip(cv2.split(picture), colour, strict=True)]
    return functools.reduce(cv2.max, apart)


def _components(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which connected ink each pixel belongs to, and left, top, width, height, area of each; the first is no ink."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(picture, connectivity=8)
    return labels, stats


def _without(picture: np.ndarray, labels: np.ndarray, unwanted: np.ndarray) -> np.ndarray:
    unwanted[0] = False
    return np.where(unwanted[labels], np.uint8(0), picture)
