"""Base class of engines: settings that open to a function which reads one image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from capbench.images import Exif, Frames
from capbench.text import Alphabet, Reading

Read = Callable[[np.ndarray], Reading]
"""Function that reads a decoded image, uint8 [height, width, 3 or 4]."""


class Unread(Exception):
    """Reason why an engine has no answer for one image; the next image may be fine."""


WIDEST = 100  # the largest width of a line in multiples of its height, room for about as many symbols


def check_line(image: np.ndarray) -> None:
    """Raise Unread where an image, [height, width, …], is too wide for a line of text.

    Scaled to the height that a network needs, such an image would fill the memory.
    """
    height, width = image.shape[:2]
    if width > WIDEST * height:
        raise Unread(
            f"is {width}×{height}, too wide for a line of text; its width may be at most {WIDEST} times its height"
        )


class Engine(ABC):
    """Settings of one engine.

    All of them are part of the key under which the journal keeps the engine's answers, so `repr` shows each, as a frozen
    dataclass's does. What must hold: the engine can be pickled, since each process opens its own; the same image always
    gets the same answer; a function that has no answer for an image raises Unread.
    """

    one_process = False
    """True where only one process at a time may call the engine."""

    @property
    def exif(self) -> Exif:
        """`turn` where images must be turned upright by their EXIF orientation before a read, else `ignore`."""
        return "ignore"

    @property
    def frames(self) -> Frames:
        """Frames of an animation that are seen before a read."""
        return "first"

    @abstractmethod
    def open(self, alphabet: Alphabet) -> Read:
        """Load the engine, once per process, and return its read function; answers hold only symbols of `alphabet`."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of packages and weights, which decide the answers besides the settings."""
