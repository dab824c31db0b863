"""How a recogniser sees an image: whole, or cleaned and cut into characters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import cv2
import numpy as np
from annotated_types import Len

from capbench.data.clean import Step
from capbench.errors import Mistake
from capbench.ranges import CountOrZero, Pixels

Channel = Literal["grey", "colour", "red", "green", "blue", "alpha"]
Size = Annotated[list[Pixels], Len(2, 2)]
Box = Annotated[list[CountOrZero], Len(4, 4)]


class View(ABC):
    """Turns a decoded image into what a recogniser is fed, always of one shape."""

    cuts: bool
    """Whether it gives one picture for each character."""

    @abstractmethod
    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        """From uint8 [height, width, 1, 3 or 4] to [height, width, channel], or [character, height, width, channel]."""


def pick(image: np.ndarray, channel: Channel) -> np.ndarray:
    """The wanted channels, uint8 [height, width, 1 or 3]; transparency shows white."""
    if channel == "alpha":
        if image.shape[2] < 4:
            raise Mistake("view.channel: alpha is wanted and an image has none; choose grey or colour")
        return image[:, :, 3:]
    if channel in ("red", "green", "blue"):
        return image[:, :, [("red", "green", "blue").index(channel)]]
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint16)
        image = ((image[:, :, :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    if channel == "colour" or image.shape[2] == 1:
        return image
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[:, :, None]


def resize(image: np.ndarray, height: int, width: int, fit: Literal["stretch", "pad"]) -> np.ndarray:
    """[height, width, channel] of the wanted size; `pad` keeps the aspect and repeats the edge."""
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    if fit == "pad":
        scale = min(height / rows, width / columns)
        inner = resize(image, max(1, round(rows * scale)), max(1, round(columns * scale)), "stretch")
        top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        bottom, right = height - inner.shape[0] - top, width - inner.shape[1] - left
        return np.pad(inner, ((top, bottom), (left, right), (0, 0)), mode="edge")
    shrinks = height < rows or width < columns
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(height, width, image.shape[2])


@dataclass(frozen=True, kw_only=True)
class Whole(View):
    """The whole image, resized; the images' own size where `size` is null, which must then be one."""

    channel: Channel
    size: Size | None
    fit: Literal["stretch", "pad"]

    cuts = False

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        image = pick(image, self.channel)
        return image if self.size is None else resize(image, self.size[0], self.size[1], self.fit)


@dataclass(frozen=True, kw_only=True)
class Characters(View):
    """One picture for each character: the image cleaned step by step, cut, and each piece resized.

    Boxes are [top, bottom, left, right] in pixels, the second of each pair exclusive.
    """

    channel: Channel
    clean: list[Step]
    cut: Literal["fixed", "equal", "components"]
    boxes: list[Box] | None
    size: Size

    cuts = True

    def __post_init__(self) -> None:
        if self.cut == "fixed" and not self.boxes:
            raise Mistake("view.boxes: is empty; view.cut=fixed needs a [top, bottom, left, right] for each character")
        if self.cut != "fixed" and self.boxes:
            raise Mistake(f"view.boxes: is not used by view.cut={self.cut}; drop it or set view.cut=fixed")
        if self.clean and self.channel == "colour":
            raise Mistake("view.channel: colour cannot be cleaned; choose grey, red, green, blue or alpha")
        if self.cut == "components" and not self.clean:
            raise Mistake("view.clean: is empty; view.cut=components needs a black and white picture: add a Threshold")
        for top, bottom, left, right in self.boxes or []:
            if top >= bottom or left >= right:
                raise Mistake(
                    f"view.boxes: [{top}, {bottom}, {left}, {right}] holds no pixel; write [top, bottom, left, right]"
                )

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        grey = pick(image, self.channel)
        for step in self.clean:
            grey = step(np.ascontiguousarray(grey[:, :, 0]))[:, :, None]
        boxes = self._places(grey, characters)
        if len(boxes) != characters:
            raise Mistake(
                f"view.boxes: has {len(boxes)} boxes and the texts have up to {characters} characters; give one for each"
            )
        return np.stack([resize(self._piece(grey, box), self.size[0], self.size[1], "stretch") for box in boxes])

    def _places(self, grey: np.ndarray, characters: int) -> list[list[int]]:
        height, width = grey.shape[:2]
        if self.cut == "fixed":
            return self.boxes or []
        if self.cut == "components":
            return component_boxes(grey[:, :, 0], characters)
        edges = [round(i * width / characters) for i in range(characters + 1)]
        return [[0, height, left, right] for left, right in pairwise(edges)]

    def _piece(self, grey: np.ndarray, box: list[int]) -> np.ndarray:
        top, bottom, left, right = box
        if top == bottom:  # a character that was not found
            return np.zeros((*self.size, grey.shape[2]), dtype=np.uint8)
        height, width = grey.shape[:2]
        if self.cut == "fixed" and (bottom > height or right > width):
            raise Mistake(f"view.boxes: {box} reaches beyond an image of {height}×{width} pixels; mend the box")
        return grey[top:bottom, left:right]


def component_boxes(mask: np.ndarray, characters: int) -> list[list[int]]:
    """The largest connected bright components from left to right; empty boxes where there are too few."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
    ink = sorted(stats[1:].tolist(), key=lambda stat: -stat[cv2.CC_STAT_AREA])[:characters]
    boxes = sorted(([top, top + height, left, left + width] for left, top, width, height, _ in ink), key=lambda b: b[2])
    return boxes + [[0, 0, 0, 0]] * (characters - len(boxes))
