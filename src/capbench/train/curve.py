"""Judgement of a training's curve: was the recogniser still improving, and does it read its training images better?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from capbench.train.callbacks import WATCHED

LATE = 0.25  # share of the epochs, at the end, in which an improvement counts as one that goes on
LEAST_GAIN = 0.01  # of exact accuracy
LEAST_FALL = 0.02  # of the loss on validation, as a share of it
LEAST_GAP = 0.02  # of exact accuracy, between training and validation
SURE = 2.0  # standard errors of the accuracy on validation that a gap must exceed
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


def gap(rows: Sequence[Mapping[str, float]], images: int) -> str | None:
    """Return how much better training images are read than the validation images, or None where they are not.

    The accuracy on training images is that while they were learned from, augmented. With `images` validation images, a
    gap counts if it is more than chance gives.
    """
    if not rows or not {WATCHED, "train/exact"} <= rows[0].keys():
        return None
    row = best(rows)
    taught, read = row["train/exact"], row[WATCHED]
    if taught - read <= max(LEAST_GAP, SURE * math.sqrt(read * (1 - read) / images)):
        return None
    return f"{taught:.4f} of the training images are read, and {read:.4f} of others"


def best(rows: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Return the row of the epoch whose weights are kept."""
    return max(rows, key=lambda row: (row[WATCHED], -row["val/loss"]))


def _epochs(count: int) -> str:
    return "epoch" if count == 1 else f"{count} epochs"
