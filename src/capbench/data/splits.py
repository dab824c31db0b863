"""Assignment of images to train, validation and test by their content."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from capbench.errors import Mistake
from capbench.types import Count

PARTS = ("train", "val", "test")

MOST_OF_FEW = 0.2  # share of the images that validation, and test, may take to have enough

Size = Annotated[int, Ge(1)] | Annotated[float, Gt(0), Lt(1)]


class Rule(ABC):
    """Rule that assigns images to parts.

    With `val` null there is no validation, and the weights of the last epoch are kept.
    """

    val: Size | None

    @abstractmethod
    def assign(self, digests: np.ndarray) -> np.ndarray:
        """Return the part's name of each image, <U5 [image], from the digests of the pixels, uint64 [image]."""


@dataclass(frozen=True, kw_only=True)
class Split(Rule):
    """Sizes of the parts, each a number of images or a fraction; `train` null takes the rest, `val` null takes none.

    With fractions, an image keeps its part when other images are added; with numbers it may not.
    """

    train: Size | None
    val: Size | None
    test: Size
    least: Count | None = None
    """Images that validation and test have at least where they are fractions, as far as a fifth of all allows"""

    def assign(self, digests: np.ndarray) -> np.ndarray:
        """Return the part's name of each image, <U5 [image], from the digests of the pixels, uint64 [image].

        The parts follow one another along the range of the digests: test, val, train. A number takes the next images, a
        fraction the next piece of the range. So an image keeps its part when other images are added if that part and
        those before it are fractions; a number takes other images then. Equal images have equal digests and so are
        always in the same part. Images that are left over have the name "".
        """
        parts = np.full(len(digests), "", dtype="<U5")
        position = digests.astype(np.float64) / 2.0**64
        end = 0.0  # end of the last part, as a share of the digests' range
        for name in ("test", "val", "train"):
            free = parts == ""
            size = self._size(name, digests, free)
            if size is None:
                parts[free] = name if name == "train" else ""
            elif isinstance(size, float):
                end += size
                parts[free & (position < end)] = name
            else:
                taken = free & np.isin(digests, _lowest(digests[free], size, f"data.split.{name}"))
                parts[taken] = name
                end = position[taken].max()
        return parts

    def _size(self, name: str, digests: np.ndarray, free: np.ndarray) -> Size | None:
        """Return the size of a part: a number in place of a fraction of few images, which chance would decide.

        Copies of an image count once there. `free`, bool [image], are the images that no part has yet.
        """
        size: Size | None = getattr(self, name)
        different = len(np.unique(digests))
        if self.least is None or not isinstance(size, float) or size * different >= self.least or name == "train":
            return size
        few = max(1, min(self.least, int(MOST_OF_FEW * different)))
        return int(np.unique(digests[free], return_counts=True)[1][:few].sum())


@dataclass(frozen=True, kw_only=True)
class Folds(Rule):
    """Cross-validation: each image is tested once, by a recogniser that was trained on the other folds.

    `folds` is their number, or `all` for a fold of each image. In each training, `val` of its images, a number or a
    fraction, validate.
    """

    folds: Annotated[int, Ge(2)] | Literal["all"]
    val: Size | None

    def assign(self, digests: np.ndarray) -> np.ndarray:
        """Return "test" for each image, <U5 [image]: all of them are tested."""
        return np.full(len(digests), "test", dtype="<U5")

    def numbers(self, digests: np.ndarray) -> np.ndarray:
        """Return the fold of each image, int64 [image]; equal images share a fold."""
        different, rank = np.unique(digests, return_inverse=True)
        folds = len(different) if self.folds == "all" else self.folds
        if not 2 <= folds <= len(different):
            raise Mistake(
                f"data.split.folds: {self.folds} folds cannot be made of {len(different)} different images; set fewer"
            )
        return rank % folds

    def trained_without(self, fold: int | None, digests: np.ndarray) -> np.ndarray:
        """Return the part's name of each image, <U5 [image], where `fold` is tested; None tests no image."""
        parts = np.full(len(digests), "train", dtype="<U5")
        if fold is not None:
            parts[self.numbers(digests) == fold] = "test"
        rest = parts == "train"
        if self.val is not None:
            count = self.val if isinstance(self.val, int) else math.ceil(self.val * rest.sum())
            parts[rest & np.isin(digests, _lowest(digests[rest], count, "data.split.val"))] = "val"
        return parts


def _lowest(digests: np.ndarray, count: int, key: str) -> np.ndarray:
    """Return the lowest digests that together cover `count` images; images with equal digests stay together."""
    if count > len(digests):
        raise Mistake(f"{key}: {count} images are wanted, but {len(digests)} are left; set fewer")
    values, counts = np.unique(digests, return_counts=True)
    return values[: int(np.searchsorted(np.cumsum(counts), count)) + 1]


def given(names: Sequence[str | None], where: Sequence[str]) -> np.ndarray:
    """Return the part names that the data itself gives, <U5 [image]; raise Mistake for an unknown name."""
    for name, place in zip(names, where, strict=True):
        if name not in PARTS:
            raise Mistake(f"{place}: split {name!r} is unknown; write train, val or test")
    return np.array(names, dtype="<U5")


def keep_fewer(parts: np.ndarray, digests: np.ndarray, train_size: int) -> np.ndarray:
    """Return the parts with only the `train_size` training images of lowest digest left in training.

    The images of a smaller `train_size` are among those of a larger one.
    """
    train = np.flatnonzero(parts == "train")
    if train_size > len(train):
        raise Mistake(
            f"data.train_size: {train_size} images are wanted, but the training part has {len(train)}; set fewer"
        )
    ranked = train[np.argsort(digests[train], kind="stable")]
    fewer = parts.copy()
    fewer[ranked[train_size:]] = ""
    return fewer
