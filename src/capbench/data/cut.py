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
LOW = 0.1  # share of the highest hill: what is lower is no character


class Pieces(NamedTuple):
    """One box for each expected character, from left to right; `NOTHING` where there is none."""

    boxes: list[Box]
    found: int
    """How many characters the cutter itself counted"""

    @property
    def miscounted(self) -> bool:
        """Whether they are not as many as expected: then no box is to be trusted."""
        return self.found != len(self.boxes)


class Cutter(ABC):
    """One way of cutting."""

    needs_ink: ClassVar[bool]
    """Whether it looks at the ink, and so needs a picture in black and white."""

    @abstractmethod
    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        """Of uint8 [height, width] or [height, width, channel], which should hold so many characters."""


@dataclass(frozen=True, kw_only=True)
class Fixed(Cutter):
    """Given boxes."""

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
    """Equal shares of the width."""

    needs_ink = False

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        height, width = picture.shape[:2]
        edges = [round(i * width / characters) for i in range(characters + 1)]
        return Pieces([[0, height, left, right] for left, right in pairwise(edges)], characters)


@dataclass(frozen=True, kw_only=True)
class ByInk(Cutter):
    """What the cutters that look at the ink share: broken characters are merged, joined ones split.

    A piece narrower than `narrowest` pixels, or one that stands above another, is merged with its nearest; one wider
    than `widest` is split where there is least ink (null: none is). That is what is counted. If it is fewer than
    expected, the widest pieces are split as long as none becomes too narrow; if it is more, those with least ink go.
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
        """Boxes around what hangs together, in any order."""

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        boxes = merged(self._found(picture), self.narrowest)
        parts = [1 if self.widest is None else -(-(box[3] - box[2]) // self.widest) for box in boxes]
        found = sum(parts)
        for _ in range(characters - found):
            # Small characters are narrow too: what is wide for its height holds several.
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
    """Cuts where a column holds up to `least` pixels of ink."""

    least: CountOrZero = 0

    def _found(self, ink: np.ndarray) -> list[Box]:
        columns = (ink > 0).sum(axis=0) > self.least
        edges = np.flatnonzero(np.diff(columns, prepend=False, append=False))
        return [
            box for left, right in edges.reshape(-1, 2).tolist() if (box := around(ink, [0, len(ink), left, right]))
        ]


@dataclass(frozen=True, kw_only=True)
class Components(ByInk):
    """Connected ink."""

    def _found(self, ink: np.ndarray) -> list[Box]:
        _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(ink), connectivity=8)
        return [[top, top + height, left, left + width] for left, top, width, height, _ in stats[1:].tolist()]


@dataclass(frozen=True, kw_only=True)
class Watershed(ByInk):
    """Smears the ink by `spread` pixels until each character is one hill, and cuts along the valleys between hills."""

    spread: Annotated[float, Gt(0), Le(100)] = 4.0

    def _found(self, ink: np.ndarray) -> list[Box]:
        smeared = cv2.GaussianBlur(ink.astype(np.float32), (0, 0), self.spread)
        rows, columns = np.nonzero(ink)
        hills = hilltops(smeared)[rows, columns]
        tops = np.flatnonzero(np.bincount(hills, minlength=1))
        high = tops[smeared.flat[tops] > LOW * smeared.max()]
        return [_box(rows[hills == top], columns[hills == top]) for top in high]


def hilltops(heights: np.ndarray) -> np.ndarray:
    """Where each pixel comes out by always climbing to its highest neighbour, as a place in the flat picture."""
    rows, columns = heights.shape
    framed = np.pad(heights, 1, constant_values=-1)
    highest = cv2.dilate(heights, np.ones((3, 3), np.uint8))
    places = np.arange(heights.size).reshape(rows, columns)
    above = places.copy()
    for y, x in product(range(3), range(3)):
        # Of equals the last: so no climb ever comes round.
        np.copyto(above, places + (y - 1) * columns + x - 1, where=framed[y : y + rows, x : x + columns] == highest)
    while not np.array_equal(above, higher := above.take(above)):
        above = higher
    return above


def _box(rows: np.ndarray, columns: np.ndarray) -> Box:
    return [int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1]


def around(ink: np.ndarray, box: Box) -> Box | None:
    """The box drawn in to the ink that it holds; None where it holds none."""
    top, bottom, left, right = box
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(ink[top:bottom, left:right]))
    return [top + y, top + y + height, left + x, left + x + width] if width else None


def merged(boxes: list[Box], narrowest: int) -> list[Box]:
    """Joins boxes that stand above each other, and narrow ones with a neighbour less than their width away."""
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
    """A box cut into so many of about the same width, where the columns hold least ink."""
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
