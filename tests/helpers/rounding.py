"""Floats that are equal but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def apart(found: Any, expected: Any) -> float:
    """Return the largest difference between two arrays of numbers, as a share of the largest expected number.

    Processors add in different orders, which leaves in every sum an error of the size of its largest terms. So a small
    number among large ones cannot be held against its own size, nor any number against a fixed one.
    """
    first, second = (_array(numbers) for numbers in (found, expected))
    assert first.shape == second.shape
    largest = np.abs(second).max(initial=np.finfo(np.float64).tiny)  # of nothing, and of zeros alone
    return float(np.abs(first - second).max(initial=0) / largest)


def _array(numbers: Any) -> np.ndarray:
    plain = numbers.detach().cpu() if isinstance(numbers, torch.Tensor) else numbers
    return np.asarray(plain, dtype=np.float64)
