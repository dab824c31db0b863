"""Source: where pairs of image and text come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from capbench.data import splits
from capbench.data.splits import Rule
from capbench.data.views import View
from capbench.types import Count


class Sample(NamedTuple):
    """One pair before its image is decoded; `where` names its origin in messages."""

    name: str
    text: str
    where: str
    part: str | None


class Source(ABC):
    """Samples in a stable order, and the image of each."""

    train_size: Count | None
    on_bad: Literal["error", "skip"]
    truth: ClassVar[str] = "labels"
    """Who says what stands in its images: labels that come with them, renderer or engines"""

    @property
    @abstractmethod
    def samples(self) -> list[Sample]: ...

    @property
    @abstractmethod
    def key(self) -> str:
        """A hash of all that decides the images' pixels."""

    @abstractmethod
    def image(self, number: int) -> np.ndarray:
        """uint8 [height, width, 3 or 4], or BadImage. Called from several processes."""

    @abstractmethod
    def lengths(self) -> tuple[int, int]:
        """The shortest and the longest text to expect."""

    @property
    @abstractmethod
    def rule(self) -> Rule | None:
        """How the images are parted, or None where each sample names its part."""

    def parts(self, numbers: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """The part's name of each of the samples `numbers`, whose pixels have these digests."""
        if self.rule is not None:
            return self.rule.assign(digests)
        samples = [self.samples[number] for number in numbers]
        return splits.given([s.part for s in samples], [s.where for s in samples])

    @property
    def first_drawn(self) -> np.ndarray | None:
        """The first image of the stream that training images are drawn from; None where all images come from files."""
        return None

    def drawn_at(self, numbers: np.ndarray) -> np.ndarray:
        """The place of each of the samples `numbers` in that stream, int64 [sample]."""
        raise TypeError(f"{type(self).__name__} draws nothing")

    @property
    def renewed(self) -> int:
        """How many training images each epoch draws anew; 0 where all training images are among the samples."""
        return 0

    def renew(self, numbers: np.ndarray, view: View, characters: int) -> tuple[np.ndarray, list[str]]:
        """Views uint8 [image, ...view] and texts of training images, counted from the first epoch's first."""
        raise TypeError(f"{type(self).__name__} has its images once and for all")

    def poses(self, numbers: np.ndarray) -> np.ndarray:
        """How the characters of training images are drawn, float32 [image, position, number], NaN behind a text.

        Training images are counted as `renew` does. Of images that nobody here drew there are no numbers.
        """
        return np.empty((len(numbers), 0, 0), dtype=np.float32)
