"""Comparison of floats that may differ by rounding."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

Numbers = ArrayLike | torch.Tensor


def apart(found: Numbers, expected: Numbers) -> float:
    """Return the largest difference between two arrays of numbers, as a share of the largest expected number.

    Processors add in different orders, and the error of a sum is in proportion to its largest terms. So neither a small
    number's own size nor a fixed number can bound its error.
    """
    first, second = (_array(numbers) for numbers in (found, expected))
    assert first.shape == second.shape
    largest = np.abs(second).max(initial=np.finfo(np.float64).tiny)  # for empty arrays and for zeros alone
    return float(np.abs(first - second).max(initial=0) / largest)


def _array(numbers: Numbers) -> np.ndarray:
    plain = numbers.detach().cpu() if isinstance(numbers, torch.Tensor) else numbers
    return np.asarray(plain, dtype=np.float64)
