"""Judgement of a training's curve: was the recogniser still improving when the training ended?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from capbench.train.callbacks import WATCHED

LATE = 0.25  # share of the epochs, at the end, in which an improvement counts as one that goes on
LEAST_GAIN = 0.01  # of exact accuracy
LEAST_FALL = 0.02  # of the loss on validation, as a share of it
FEW = 0.5  # exact accuracy below which the loss is looked at too, as it falls before texts are read without a mistake


def improvement(rows: Sequence[Mapping[str, float]], images: int) -> str | None:
    """Return what was still improving in the last quarter of the epochs, or None.

    `rows` are those of metrics.csv, `images` is the number of validation images. A gain of exact accuracy counts if it is
    more than chance gives: one standard error of that many images.
    """
    late = max(1, round(LATE * len(rows)))
    if len(rows) <= late or WATCHED not in rows[0]:
        return None
    before, after = rows[:-late], rows[-late:]
    known, reached = (max(row[WATCHED] for row in part) for part in (before, after))
    if reached - known > max(LEAST_GAIN, math.sqrt(reached * (1 - reached) / images)):
        return f"{WATCHED} rose from {known:.4f} to {reached:.4f} in the last {_epochs(late)}"
    earlier, lowest = (min(row["val/loss"] for row in part) for part in (before, after))
    if max(known, reached) < FEW and lowest < (1 - LEAST_FALL) * earlier:
        return f"val/loss fell from {earlier:.3f} to {lowest:.3f} in the last {_epochs(late)}"
    return None


def _epochs(count: int) -> str:
    return "epoch" if count == 1 else f"{count} epochs"
