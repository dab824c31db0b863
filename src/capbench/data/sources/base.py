"""Interface of the sources of image and text pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from capbench.data import splits
from capbench.data.splits import Rule
from capbench.data.views import View
from capbench.types import Count


class Sample(NamedTuple):
    """One pair before its image is decoded.

    `where` names its origin in messages; `part` is the part that the data itself gives, or None.
    """

    name: str
    text: str
    where: str
    part: str | None


class Source(ABC):
    """Samples in a stable order, and the image of each.

    What must hold: equal settings and equal files give equal samples, in the same order, and equal pixels; every text has
    at least one symbol; the source can be pickled, since other processes decode its images. A frozen dataclass with
    keyword-only fields suits it: its fields are the settings, such as `split: Split`, which `rule` may return.
    """

    train_size: Count | None
    on_bad: Literal["error", "skip"]
    truth: ClassVar[str] = "labels"
    """Origin of the texts: `labels` that come with the images, the `renderer`, or OCR `engines`"""

    @property
    @abstractmethod
    def samples(self) -> list[Sample]:
        """All samples; it is asked for often, so keep it (`functools.cached_property`)."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Text or hash that is equal only where all pixels are equal: prepared images are kept under it."""

    @abstractmethod
    def image(self, number: int) -> np.ndarray:
        """Return one image, uint8 [height, width, 3 or 4], or raise BadImage; called from several processes."""

    @abstractmethod
    def lengths(self) -> tuple[int, int]:
        """Return the lengths of the shortest and the longest text to expect."""

    @property
    @abstractmethod
    def rule(self) -> Rule | None:
        """Rule that splits the images into parts; None where each sample names its part."""

    def parts(self, numbers: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """Return the part's name of each of the samples `numbers`, whose pixels have these digests, uint64 [sample]."""
        if self.rule is not None:
            return self.rule.assign(digests)
        samples = [self.samples[number] for number in numbers]
        return splits.given([s.part for s in samples], [s.where for s in samples])

    @property
    def first_drawn(self) -> np.ndarray | None:
        """First image of the stream that training images are drawn from; None where all images come from files."""
        return None

    def drawn_at(self, numbers: np.ndarray) -> np.ndarray:
        """Return the index in the source's stream of each of the samples `numbers`, int64 [sample]."""
        raise TypeError(f"{type(self).__name__} draws nothing")

    @property
    def renewed(self) -> int:
        """Number of training images that each epoch draws anew; 0 where all training images are samples."""
        return 0

    def renew(self, numbers: np.ndarray, view: View, characters: int) -> tuple[np.ndarray, list[str]]:
        """Return the views, uint8 [image, ...view], and the texts of newly drawn training images.

        `numbers` count the images from the first one of the first epoch.
        """
        raise TypeError(f"{type(self).__name__} does not draw new images")

    def poses(self, numbers: np.ndarray) -> np.ndarray:
        """Return how the characters of training images are drawn, float32 [image, position, number].

        `numbers` count the images as `renew` does. NaN stands beyond the end of a text. Sources that do not draw their
        images give no numbers: [image, 0, 0].
        """
        return np.empty((len(numbers), 0, 0), dtype=np.float32)
