"""What an engine is: settings that, once opened, read one image at a time."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType

import numpy as np

from capbench.errors import Mistake
from capbench.text import Alphabet, Reading

Read = Callable[[np.ndarray], Reading]
"""From a decoded image, uint8 [height, width, 3 or 4], to what stands in it."""


class Unread(Exception):
    """Why an engine has no answer for this image; the next one may be fine."""


class Engine(ABC):
    """Settings of one way to read. They decide its answers, so they are part of an answer's address."""

    one_process = False
    """Whether it must not be asked by several processes at once."""

    @abstractmethod
    def open(self, alphabet: Alphabet) -> Read:
        """Load what is needed, once for each process; answers hold only symbols of the alphabet."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What else decides its answers: versions, weights."""


def needed(module: str, package: str) -> ModuleType:
    """A module of an optional package, or the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Mistake(f"label.engines: {package} is not installed; python -m pip install {package}") from error
