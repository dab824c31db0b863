"""Best text of one image among the allowed ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """Best text of one image, with probabilities among all allowed texts."""

    numbers: np.ndarray
    """Number of each symbol in the told alphabet, int64 [character]"""
    confidence: float
    """Probability of the text divided by that of all allowed texts"""
    beliefs: np.ndarray
    """Probability of each symbol at each place, where those before it are right, float64 [character, symbol]"""

    @classmethod
    def of(cls, numbers: np.ndarray, confidence: float, beliefs: np.ndarray) -> Found:
        """Return the same, without what rounding adds to a probability of 1."""
        return cls(numbers, min(float(confidence), 1.0), np.minimum(beliefs, 1))
