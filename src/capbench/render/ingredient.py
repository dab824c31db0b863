"""Ingredients of a style that are a user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from capbench.utils.shapes import kept


class Ingredient(ABC):
    """Ingredient of a style, of a user's own: a random change to each drawn picture.

    What must hold: the result has the shape of the input, which is not changed; it depends on the picture, the settings and
    the numbers that `random` draws alone; several threads may use the ingredient at once; it can be pickled, and its `repr`
    shows every setting, as a frozen dataclass's does.
    """

    @abstractmethod
    def __call__(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the changed picture, uint8 [height, width, 3] in red, green, blue, or [height, width, 1] in grey."""


def add_own(ingredients: Sequence[Ingredient], seed: int, index: int, picture: np.ndarray) -> None:
    """Change the picture of sample `index` of a seed in place by all ingredients in turn; equal numbers, equal changes."""
    for number, ingredient in enumerate(ingredients):
        random = np.random.default_rng([seed, index, number])
        picture[...] = kept(ingredient(picture, random), picture, ingredient, "style.own")
