"""Cleaning steps of a view, each making one change to a picture before it is cut.

A picture is uint8: [height, width, 3] in colour, [height, width] in grey, and [height, width] of 0 and 255 in black and
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
Colour = Annotated[list[Byte], Len(3, 3)]
Rank = Annotated[int, Ge(1), Le(16)]
Kernel = Annotated[list[Pixels], Len(2, 2)]
SHADES = 16  # grey levels in each bin of the histogram that gives the commonest colour


class Kind(IntEnum):
    """Kinds of picture, from plain to rich; a step that takes one kind takes the plainer kinds too."""

    BLACK_AND_WHITE = 0
    GREY = 1
    COLOUR = 2


class Step(ABC):
    """One cleaning step: a callable from picture to picture of the same height and width.

    A picture is uint8: [height, width, 3] in colour, else [height, width]; in black and white it holds 0 and 255, and 255
    is ink. What must hold: the input is not changed; the result depends on it and on the settings alone; the step can be
    pickled, and its `repr` shows every setting, as a frozen dataclass's does.
    """

    takes: ClassVar[Kind]
    """Richest kind of picture that the step takes."""
    gives: ClassVar[Kind | None]
    """Kind of the result; None: the kind of the input."""

    @abstractmethod
    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return the changed picture, of the kind that `gives` says, from one that is at most as rich as `takes` says."""


def check_chain(steps: Sequence[Step], kind: Kind) -> Kind:
    """Return the kind of picture that the chain gives for a picture of `kind`.

    Raise Mistake where a step cannot take the kind that reaches it.
    """
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
    """Binarisation at level `at`, or at the level of Otsu's method.

    White is brighter than the level, or not brighter when inverted.
    """

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
    """Binarisation by the mean of the `size`×`size` pixels around each pixel.

    White is more than `by` levels brighter than the mean, or darker when inverted.
    """

    size: Odd
    by: Byte
    invert: bool = False

    takes = Kind.GREY
    gives = Kind.BLACK_AND_WHITE

    def __post_init__(self) -> None:
        _check_odd("Adaptive", self.size)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        picture = cv2.bitwise_not(picture) if self.invert else picture
        # OpenCV subtracts its constant from the mean, so a negative constant raises the threshold above the mean.
        return cv2.adaptiveThreshold(picture, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, self.size, -self.by)


@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """Blur with the 3×3 binomial filter."""

    takes = Kind.GREY
    gives = Kind.GREY

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        row = np.array([1, 2, 1], dtype=np.float32) / 4
        return cv2.sepFilter2D(picture, -1, row, row)


@dataclass(frozen=True, kw_only=True)
class Median(Step):
    """Median filter over the `size`×`size` pixels around each pixel."""

    size: Odd

    takes = Kind.COLOUR
    gives = None

    def __post_init__(self) -> None:
        _check_odd("Median", self.size)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.medianBlur(picture, self.size)


@dataclass(frozen=True, kw_only=True)
class Open(Step):
    """Morphological opening: removes bright things smaller than `size`, [height, width].

    [1, 3] removes thin vertical strokes, [3, 1] thin horizontal ones.
    """

    size: Kernel

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.morphologyEx(picture, cv2.MORPH_OPEN, np.ones(self.size, np.uint8))


@dataclass(frozen=True, kw_only=True)
class Close(Step):
    """Morphological closing: fills dark things smaller than `size`, [height, width]."""

    size: Kernel

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones(self.size, np.uint8))


@dataclass(frozen=True, kw_only=True)
class Divide(Step):
    """Division by the background, which becomes white.

    The background is the picture with dark things smaller than `size` filled, averaged over `size`×`size` pixels.
    """

    size: Pixels

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        filled = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((self.size, self.size), np.uint8))
        return cv2.divide(picture, cv2.blur(filled, (self.size, self.size)), scale=255)


@dataclass(frozen=True, kw_only=True)
class Ink(Step):
    """Largest channel difference from the background, the commonest colour: ink of any colour becomes bright."""

    takes = Kind.COLOUR
    gives = Kind.GREY

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return _away(picture, _commonest(picture))


@dataclass(frozen=True, kw_only=True)
class TextColour(Step):
    """Ink of the text's colour, the commonest colour of the ink; lines and dots of other colours are removed.

    Ink differs from the background by more than `ink` levels. Its colour differs from the text's by at most `within`.
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
class OneColour(Step):
    """Ink of one colour of several; ink of other colours is removed.

    `colour` is [red, green, blue], or a rank: 1 is the commonest colour besides the background, 2 the next one. A pixel
    has a colour if no channel differs from it by more than `within`.
    """

    colour: Colour | Rank
    within: Byte

    takes = Kind.COLOUR
    gives = Kind.BLACK_AND_WHITE

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        if isinstance(self.colour, int):
            return self._ranked(picture, self.colour)
        wanted = self.colour if picture.ndim == 3 else [round(sum(self.colour) / 3)]
        return self._near(picture, wanted)

    def _ranked(self, picture: np.ndarray, rank: int) -> np.ndarray:
        """Return the pixels of the colour of this rank; none where there are fewer colours."""
        near = self._near(picture, _commonest(picture))
        rest = cv2.bitwise_not(near)
        for _ in range(rank):
            if not rest.any():
                return rest
            near = cv2.bitwise_and(self._near(picture, _commonest(picture, rest)), rest)
            rest = cv2.subtract(rest, near)
        return near

    def _near(self, picture: np.ndarray, colour: Sequence[Any]) -> np.ndarray:
        return cv2.threshold(_away(picture, colour), self.within, 255, cv2.THRESH_BINARY_INV)[1]


@dataclass(frozen=True, kw_only=True)
class Specks(Step):
    """Removal of connected ink of fewer than `area` pixels."""

    area: Pixels

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        labels, stats = _components(picture)
        return _without(picture, labels, stats[:, cv2.CC_STAT_AREA] < self.area)


@dataclass(frozen=True, kw_only=True)
class Dots(Step):
    """Removal of round ink up to `size` pixels across that touches no other ink."""

    size: Pixels

    takes = Kind.BLACK_AND_WHITE
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        labels, stats = _components(picture)
        width, height, area = (stats[:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        small = np.maximum(width, height) <= self.size
        # A disc fills 0.79 of its bounding square, a disc of few pixels half of it, a bent stroke less.
        disc = (np.abs(width - height) <= 1) & (2 * area >= width * height)
        return _without(picture, labels, small & disc)


@dataclass(frozen=True, kw_only=True)
class Lines(Step):
    """Removal of ink up to `thickness` pixels thick that extends over at least `length` pixels.

    Thicker ink that it crosses stays.
    """

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
    """Removal of curves that can be followed from left to right through at least `length` columns.

    A curve is up to `thickness` pixels high in each column. Where it crosses other ink it may be lost for up to `gap`
    columns, and is searched for along its last slope; the ink that it crosses stays.
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
    """Return the mean colour of the commonest shade, a level per channel.

    Only the pixels set in `among`, uint8 [height, width], are counted, unless none is set.
    """
    shades: np.ndarray = np.zeros(picture.shape[:2], np.uint16)
    for channel in cv2.split(picture):
        shades = shades * SHADES + channel // SHADES
    counted = shades if among is None or not among.any() else shades[among > 0]
    fullest = (shades == np.bincount(counted.ravel()).argmax()).astype(np.uint8)
    return cv2.mean(picture, fullest)[: 1 if picture.ndim == 2 else 3]


def _away(picture: np.ndarray, colour: Sequence[Any]) -> np.ndarray:
    """Return the largest difference of any channel from `colour`, uint8 [height, width]."""
    apart = [cv2.absdiff(channel, level) for channel, level in zip(cv2.split(picture), colour, strict=True)]
    return functools.reduce(cv2.max, apart)


def _components(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the connected component at each pixel, and the measures of each component.

    The measures are left, top, width, height and area, int32 [component, 5]. Component 0 is everything that is not ink.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(picture, connectivity=8)
    return labels, stats


def _without(picture: np.ndarray, labels: np.ndarray, unwanted: np.ndarray) -> np.ndarray:
    """Return the picture without the components marked in `unwanted`, bool [component]."""
    unwanted[0] = False
    return np.where(unwanted[labels], np.uint8(0), picture)
