"""What an engine is: settings that, once opened, read one image at a time."""

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
