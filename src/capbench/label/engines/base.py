"""Engine: settings that, once opened, read one image at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from capbench.images import Exif
from capbench.text import Alphabet, Reading

Read = Callable[[np.ndarray], Reading]
"""From a decoded image, uint8 [height, width, 3 or 4], to what stands in it."""


class Unread(Exception):
    """Why an engine has no answer for this image; the next one may be fine."""


WIDEST = 100  # times as wide as high is the widest line: as many symbols as wide as high


def check_line(image: np.ndarray) -> None:
    """Refuse what is no line of text, before it is scaled to a line's height: it would fill the memory."""
    height, width = image.shape[:2]
    if width > WIDEST * height:
        raise Unread(f"is {width}×{height}, no line of text; at most {WIDEST} times as wide as high is read")


class Engine(ABC):
    """Settings of one way to read. They decide its answers, so they are part of an answer's address."""

    one_process = False
    """Whether it must not be asked by several processes at once."""

    @property
    def exif(self) -> Exif:
        """Whether the images that it is given are to be turned upright."""
        return "ignore"

    @abstractmethod
    def open(self, alphabet: Alphabet) -> Read:
        """Load what is needed, once for each process; answers hold only symbols of the alphabet."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What else decides its answers: versions, weights."""
