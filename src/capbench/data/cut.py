"""Cutters: boxes of the characters in a cleaned picture.

Boxes are [top, bottom, left, right] in pixels, the second of each pair exclusive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Annotated, ClassVar, NamedTuple

import cv2
import numpy as np
from annotated_types import Gt, Le, Len

from capbench.errors import Mistake
from capbench.types import CountOrZero, Pixels

Box = Annotated[list[CountOrZero], Len(4, 4)]
NOTHING: Box = [0, 0, 0, 0]
LOW = 0.1  # share of the highest peak; a lower peak is not a character


class Pieces(NamedTuple):
    """One box for each expected character, from left to right; `NOTHING` stands for a missing character."""

    boxes: list[Box]
    found: int
    """Number of characters that the cutter itself counted."""

    @property
    def miscounted(self) -> bool:
        """True where the cutter counted another number of characters than expected; then no box is reliable."""
        return self.found != len(self.boxes)


class Cutter(ABC):
    """One way of cutting a picture into characters.

    What must hold: the boxes lie within the picture and depend on it, on `characters` and on the settings alone; the
    cutter can be pickled, and its `repr` shows every setting, as a frozen dataclass's does.
    """

    needs_ink: ClassVar[bool]
    """True where the cutter works on the ink, and so needs a black and white picture."""

    @abstractmethod
    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        """Return boxes for `characters` characters in a picture, uint8 [height, width] or [height, width, channel].

        There are exactly `characters` boxes, from left to right; `NOTHING`, [0, 0, 0, 0], stands for a missing one.
        """


@dataclass(frozen=True, kw_only=True)
class Fixed(Cutter):
    """Boxes given in the settings."""

    boxes: list[Box]

    needs_ink = False

    def __post_init__(self) -> None:
        for top, bottom, left, right in self.boxes:
            if top >= bottom or left >= right:
                raise Mistake(
                    f"view.boxes: [{top}, {bottom}, {left}, {right}] holds no pixel; write [top, bottom, left, right]"
                )

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        if len(self.boxes) != characters:
            raise Mistake(
                f"view.boxes: has {len(self.boxes)} boxes and the texts have up to {characters} characters; "
                f"give one for each"
            )
        height, width = picture.shape[:2]
        for box in self.boxes:
            if box[1] > height or box[3] > width:
                raise Mistake(f"view.boxes: {box} reaches beyond an image of {height}×{width} pixels; mend the box")
        return Pieces(self.boxes, len(self.boxes))


@dataclass(frozen=True, kw_only=True)
class Equal(Cutter):
    """Boxes of equal width and full height."""

    needs_ink = False

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        height, width = picture.shape[:2]
        edges = [round(i * width / characters) for i in range(characters + 1)]
        return Pieces([[0, height, left, right] for left, right in pairwise(edges)], characters)


@dataclass(frozen=True, kw_only=True)
class ByInk(Cutter):
    """Base of the cutters that work on the ink: broken characters are merged, joined characters are split.

    A piece narrower than `narrowest` pixels, or one that stands above another, is merged with its neighbour. A piece
    wider than `widest` is split at the columns with least ink; null splits none. The result is counted. If it has fewer
    pieces than expected, those widest for their height are split further as long as no part becomes narrower than
    `narrowest`; if it has more, the pieces with least ink are dropped.
    """

    narrowest: Pixels = 4
    widest: Pixels | None = None

    needs_ink = True

    def __post_init__(self) -> None:
        if self.widest is not None and self.widest < 2 * self.narrowest:
            raise Mistake(
                f"view.cut.widest: {self.widest} cannot be split into pieces of at least view.cut.narrowest="
                f"{self.narrowest}; give at least {2 * self.narrowest}, or null"
            )

    @abstractmethod
    def _found(self, ink: np.ndarray) -> list[Box]:
        """Return boxes around connected ink, in any order."""

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        boxes = merged(self._found(picture), self.narrowest)
        parts = [1 if self.widest is None else -(-(box[3] - box[2]) // self.widest) for box in boxes]
        found = sum(parts)
        for _ in range(characters - found):
            # Small characters are narrow too, so a piece is split by its width relative to its height.
            flat = [
                (box[3] - box[2]) / (box[1] - box[0]) / count if box[3] - box[2] >= self.narrowest * (count + 1) else 0
                for box, count in zip(boxes, parts, strict=True)
            ]
            if not any(flat):
                break
            parts[flat.index(max(flat))] += 1
        boxes = [piece for box, count in zip(boxes, parts, strict=True) for piece in split(picture, box, count)]
        if len(boxes) > characters:
            boxes = sorted(boxes, key=lambda box: -cv2.countNonZero(picture[box[0] : box[1], box[2] : box[3]]))
        boxes = sorted(boxes[:characters], key=lambda box: box[2] + box[3])
        return Pieces(boxes + [NOTHING] * (characters - len(boxes)), found)


@dataclass(frozen=True, kw_only=True)
class Projection(ByInk):
    """Cuts at columns that hold at most `least` pixels of ink."""

    least: CountOrZero = 0

    def _found(self, ink: np.ndarray) -> list[Box]:
        columns = (ink > 0).sum(axis=0) > self.least
        edges = np.flatnonzero(np.diff(columns, prepend=False, append=False))
        return [
            box for left, right in edges.reshape(-1, 2).tolist() if (box := around(ink, [0, len(ink), left, right]))
        ]


@dataclass(frozen=True, kw_only=True)
class Components(ByInk):
    """Cuts between connected components of the ink."""

    def _found(self, ink: np.ndarray) -> list[Box]:
        _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(ink), connectivity=8)
        return [[top, top + height, left, left + width] for left, top, width, height, _ in stats[1:].tolist()]


@dataclass(frozen=True, kw_only=True)
class Watershed(ByInk):
    """Cuts along the valleys of the blurred ink; its peaks are the characters.

    `spread` is the blur's standard deviation in pixels.
    """

    spread: Annotated[float, Gt(0), Le(100)] = 4.0

    def _found(self, ink: np.ndarray) -> list[Box]:
        smeared = cv2.GaussianBlur(ink.astype(np.float32), (0, 0), self.spread)
        rows, columns = np.nonzero(ink)
        hills = hilltops(smeared)[rows, columns]
        tops = np.flatnonzero(np.bincount(hills, minlength=1))
        high = tops[smeared.flat[tops] > LOW * smeared.max()]
        return [_box(rows[hills == top], columns[hills == top]) for top in high]


def hilltops(heights: np.ndarray) -> np.ndarray:
    """Return the peak that each pixel reaches by climbing to its highest neighbour, step by step.

    `heights` is float32 [height, width]. A peak is an index into the flat picture, int64 [height, width].
    """
    rows, columns = heights.shape
    framed = np.pad(heights, 1, constant_values=-1)
    highest = cv2.dilate(heights, np.ones((3, 3), np.uint8))
    places = np.arange(heights.size).reshape(rows, columns)
    above = places.copy()
    for y, x in product(range(3), range(3)):
        # Among equal neighbours the last one wins, so that no climb runs in a circle.
        np.copyto(above, places + (y - 1) * columns + x - 1, where=framed[y : y + rows, x : x + columns] == highest)
    while not np.array_equal(above, higher := above.take(above)):
        above = higher
    return above


def _box(rows: np.ndarray, columns: np.ndarray) -> Box:
    return [int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1]


def around(ink: np.ndarray, box: Box) -> Box | None:
    """Return the box shrunk to the ink that it holds, or None where it holds none."""
    top, bottom, left, right = box
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(ink[top:bottom, left:right]))
    return [top + y, top + y + height, left + x, left + x + width] if width else None


def merged(boxes: list[Box], narrowest: int) -> list[Box]:
    """Return the boxes from left to right, with those joined that belong to one character.

    Two boxes are joined where they overlap horizontally by half of the narrower one, or where one is narrower than
    `narrowest` pixels and the gap between them is too.
    """
    joined: list[Box] = []
    for box in sorted(boxes, key=lambda box: box[2]):
        while joined and _belong(joined[-1], box, narrowest):
            last = joined.pop()
            box = [min(last[0], box[0]), max(last[1], box[1]), min(last[2], box[2]), max(last[3], box[3])]
        joined.append(box)
    return joined


def _belong(one: Box, other: Box, narrowest: int) -> bool:
    narrower = min(one[3] - one[2], other[3] - other[2])
    gap = max(one[2], other[2]) - min(one[3], other[3])
    return gap <= -narrower / 2 or (narrower < narrowest and gap < narrowest)


def split(ink: np.ndarray, box: Box, parts: int) -> list[Box]:
    """Return the box cut into `parts` boxes of about equal width, at the columns with least ink."""
    if parts == 1:
        return [box]
    top, bottom, left, right = box
    columns = (ink[top:bottom, left:right] > 0).sum(axis=0).tolist()
    width = len(columns) / parts
    reach = int(width / 4)
    middles = [round(number * width) for number in range(1, parts)]
    edges = [
        min(range(middle - reach, middle + reach + 1), key=lambda column: (columns[column], abs(column - middle)))
        for middle in middles
    ]
    pieces = [[top, bottom, left + begin, left + end] for begin, end in pairwise([0, *edges, len(columns)])]
    return [around(ink, piece) or piece for piece in pieces]
