"""Check of what code of a user's own makes of an image."""

from __future__ import annotations

import numpy as np

from capbench.errors import Mistake


def kept(changed: np.ndarray, before: np.ndarray, step: object, at: str) -> np.ndarray:
    """Return what a step has made of an array; raise Mistake where its shape or type is another. `at` is the step's key."""
    if (changed.shape, changed.dtype) != (before.shape, before.dtype):
        raise Mistake(
            f"{at}: {type(step).__name__} makes {changed.dtype} {list(changed.shape)} of {before.dtype} "
            f"{list(before.shape)}; keep the shape and the type"
        )
    return changed
