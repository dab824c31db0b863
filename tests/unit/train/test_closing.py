"""Last lines of a training: what would bring more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from capbench.train.closing import advice


def trained(minutes: float | None, epochs: int | None) -> Any:
    """Return an experiment with 400 validation images; the training's own minutes are a part of those that were set."""
    own = None if minutes is None else 0.7 * minutes
    return SimpleNamespace(
        material=SimpleNamespace(parts={"val": range(400)}),
        optim=SimpleNamespace(minutes=own, epochs=epochs),
        settings={"optim": {"minutes": minutes}},
    )


def rows(val: list[float], train: list[float], seconds: float = 420.0) -> list[dict[str, float]]:
    return [
        {"val/exact": read, "val/loss": 1 - read, "train/exact": learned, "seconds": seconds}
        for read, learned in zip(val, train, strict=True)
    ]


@pytest.mark.parametrize(
    ("minutes", "epochs", "val", "train", "told"),
    [
        (10, None, [0.30, 0.33, 0.34, 0.34], [0.18, 0.28, 0.31, 0.32],
         "only 0.3200 of the training images are read at the end: train longer with minutes=20, or try another model or view"),
        (20, None, [0.30, 0.33, 0.34, 0.34], [0.18, 0.28, 0.31, 0.32],
         "only 0.3200 of the training images are read at the end: try another model or view"),
        (None, 4, [0.30, 0.33, 0.34, 0.34], [0.18, 0.28, 0.31, 0.32],
         "only 0.3200 of the training images are read at the end: train longer with optim.epochs=8, or try another model or view"),
        (10, None, [0.90, 0.97, 0.98, 0.98], [0.80, 0.90, 0.95, 0.96],
         "more minutes, or more images like these, would bring little: validation is level at 0.9800"),
        (10, None, [0.50, 0.60, 0.61, 0.61], [0.80, 0.90, 0.95, 0.99],
         "more labelled images would bring more: 0.9500 of the training images are read, and 0.6100 of others"),
        (10, None, [0.30, 0.40, 0.45, 0.60], [0.30, 0.40, 0.45, 0.60],
         "still improving when the training ended: val/exact rose from 0.4500 to 0.6000 in the last epoch; train longer with minutes=20"),
    ],
)  # fmt: skip
def test_what_would_bring_more_is_told_by_the_curve(
    minutes: float | None, epochs: int | None, val: list[float], train: list[float], told: str
) -> None:
    assert advice(trained(minutes, epochs), rows(val, train)) == [told]


def test_nothing_is_said_of_one_epoch() -> None:
    assert advice(trained(None, 1), rows([0.5], [0.5])) == []
