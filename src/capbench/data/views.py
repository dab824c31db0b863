"""Views of an image: whole, or cleaned and cut into characters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import cv2
import numpy as np
from annotated_types import Len

from capbench.data.clean import Kind, Step, check_chain
from capbench.data.cut import NOTHING, Box, Components, Cutter, Equal, Fixed, Pieces, Projection, Watershed
from capbench.errors import Mistake
from capbench.types import Pixels

Channel = Literal["grey", "colour", "red", "green", "blue", "alpha"]
Size = Annotated[list[Pixels], Len(2, 2)]
CUTTERS = {"equal": Equal, "projection": Projection, "components": Components, "watershed": Watershed}


class View(ABC):
    """Transformation of a decoded image into a recogniser's input, which always has the same shape.

    What must hold: the view is a function of the image, the settings and the number of characters alone; it can be
    pickled, since other processes prepare images; its `repr` shows every setting, since it is part of the name under
    which prepared images are kept. A frozen dataclass is all of this. Raise Mistake for an image that the settings do not
    fit.
    """

    cuts: bool
    """Whether it gives one picture for each character."""
    size: Size | None
    """Height and width of the pictures that it gives; None: those of the image."""

    @abstractmethod
    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        """Return the view of an image, uint8 [height, width, 1, 3 or 4].

        The view is uint8 [height, width, channel], or [character, height, width, channel] with `characters` pictures.
        """


def pick(image: np.ndarray, channel: Channel) -> np.ndarray:
    """Return the wanted channels, uint8 [height, width, 1 or 3]; transparent pixels become white."""
    if channel == "alpha":
        if image.shape[2] < 4:
            raise Mistake("view.channel: alpha is wanted and an image has none; choose grey or colour")
        return image[:, :, 3:]
    if channel in ("red", "green", "blue"):
        return image[:, :, [("red", "green", "blue").index(channel)]]
    if image.shape[2] == 4 and image[:, :, 3].min() == 255:
        image = image[:, :, :3]
    elif image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint16)
        image = ((image[:, :, :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    if channel == "colour" or image.shape[2] == 1:
        return image
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[:, :, None]


def resize(image: np.ndarray, height: int, width: int, fit: Literal["stretch", "pad"]) -> np.ndarray:
    """Return the image, [height, width, channel], in a size in pixels.

    `pad` keeps the aspect ratio and repeats the edge.
    """
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
    """Whole image, resized to `size`, [height, width] in pixels.

    With `size` null the images keep their own size, which must then be the same for all.
    """

    channel: Channel
    size: Size | None
    fit: Literal["stretch", "pad"]

    cuts = False

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        image = pick(image, self.channel)
        return image if self.size is None else resize(image, self.size[0], self.size[1], self.fit)


@dataclass(frozen=True, kw_only=True)
class Characters(View):
    """One picture for each character: the image is cleaned step by step and cut, and each piece is resized.

    A cutter that is given by name has its default settings; `boxes` belong to `cut: fixed`. `size` is [height, width]
    in pixels.
    """

    channel: Channel
    clean: list[Step]
    cut: Literal["fixed", "equal", "projection", "components", "watershed"] | Cutter
    boxes: list[Box] | None
    size: Size

    cuts = True

    def __post_init__(self) -> None:
        if self.cut == "fixed" and not self.boxes:
            raise Mistake("view.boxes: is empty; view.cut=fixed needs a [top, bottom, left, right] for each character")
        if self.cut != "fixed" and self.boxes:
            name = self.cut if isinstance(self.cut, str) else type(self.cut).__name__
            raise Mistake(f"view.boxes: is not used by view.cut={name}; drop it or set view.cut=fixed")
        kind = check_chain(self.clean, Kind.COLOUR if self.channel == "colour" else Kind.GREY)
        if self.cutter.needs_ink and kind is not Kind.BLACK_AND_WHITE:
            raise Mistake(
                f"view.clean: ends in no black and white, which {type(self.cutter).__name__} needs; add a Threshold"
            )

    @cached_property
    def cutter(self) -> Cutter:
        """Cutter that `cut` names or holds."""
        if isinstance(self.cut, Cutter):
            return self.cut
        return Fixed(boxes=self.boxes or []) if self.cut == "fixed" else CUTTERS[self.cut]()

    def steps(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the picked channels, then the picture after each step: uint8 [height, width] or [height, width, 3]."""
        picture = np.ascontiguousarray(pick(image, self.channel))
        picture = picture[:, :, 0] if picture.shape[2] == 1 else picture
        yield picture
        for step in self.clean:
            picture = step(picture)
            yield picture

    def pieces(self, image: np.ndarray, characters: int) -> tuple[np.ndarray, Pieces]:
        """Return the cleaned picture and the boxes of its characters."""
        *_, picture = self.steps(image)
        return picture, self.cutter(picture, characters)

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        picture, pieces = self.pieces(image, characters)
        picture = picture.reshape(*picture.shape[:2], -1)
        return np.stack([self._piece(picture, box) for box in pieces.boxes])

    def _piece(self, picture: np.ndarray, box: Box) -> np.ndarray:
        if box == NOTHING:
            return np.zeros((*self.size, picture.shape[2]), dtype=np.uint8)
        top, bottom, left, right = box
        return resize(picture[top:bottom, left:right], self.size[0], self.size[1], "stretch")
