"""Frames of an animation, combined into one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Literal

import numpy as np

Frames = Literal["first", "darkest", "mean", "all"]
"""Frames of an animation that are seen; see `combined`."""


def combined(frames: Sequence[np.ndarray], seen: Frames) -> np.ndarray:
    """Return one picture of all frames, each uint8 [height, width, 3 or 4] and of one size.

    `darkest` takes the least value of all frames in each channel of each pixel, `mean` the mean value; `all` puts the
    frames side by side, from left to right. Of several frames, transparent pixels are white.
    """
    if seen == "first" or len(frames) == 1:
        return frames[0]
    return _COMBINED[seen](list(map(_on_white, frames)))


def _on_white(frame: np.ndarray) -> np.ndarray:
    if frame.shape[2] == 3:
        return frame
    alpha = frame[:, :, 3:].astype(np.uint16)
    return ((frame[:, :, :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def _darkest(frames: Sequence[np.ndarray]) -> np.ndarray:
    return reduce(np.minimum, frames)


def _mean(frames: Sequence[np.ndarray]) -> np.ndarray:
    total: np.ndarray = np.stack(frames).sum(axis=0, dtype=np.uint32)
    return ((total + len(frames) // 2) // len(frames)).astype(np.uint8)


def _side_by_side(frames: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(frames, axis=1)


_COMBINED: dict[Frames, Callable[[Sequence[np.ndarray]], np.ndarray]] = {
    "darkest": _darkest,
    "mean": _mean,
    "all": _side_by_side,
}
