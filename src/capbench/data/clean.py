"""Steps that clean a grey picture before it is cut; each takes and gives uint8 [height, width]."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from capbench.ranges import Byte


class Step(ABC):
    """One step of a chain."""

    @abstractmethod
    def __call__(self, grey: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True)
class Threshold(Step):
    """Black and white: bright above `at`, or below it when inverted; Otsu's own level where `at` is otsu."""

    at: Byte | Literal["otsu"]
    invert: bool = False

    def __call__(self, grey: np.ndarray) -> np.ndarray:
        kind = cv2.THRESH_BINARY_INV if self.invert else cv2.THRESH_BINARY
        if self.at == "otsu":
            return cv2.threshold(grey, 0, 255, kind | cv2.THRESH_OTSU)[1]
        return cv2.threshold(grey, self.at, 255, kind)[1]


@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """The three-by-three binomial filter."""

    def __call__(self, grey: np.ndarray) -> np.ndarray:
        row = np.array([1, 2, 1], dtype=np.float32) / 4
        return cv2.sepFilter2D(grey, -1, row, row)
