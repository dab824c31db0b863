"""Judgement of curves: a training that is still improving when it ends says so, and no other does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capbench.train import closing
from capbench.train.curve import gap, improvement
from tests.helpers.protocols import Train
from tests.helpers.settings import FAST

RISING = [0.0, 0.02, 0.1, 0.2, 0.3, 0.38, 0.44, 0.5]
SATURATED = [0.2, 0.7, 0.9, 0.95, 0.97, 0.975, 0.978, 0.98]
OVERFITTED = [0.1, 0.3, 0.45, 0.5, 0.5, 0.5, 0.5, 0.5]
NOISY = [0.5, 0.7, 0.62, 0.7, 0.66, 0.71, 0.68, 0.73]


def rows(exact: Sequence[float], losses: Sequence[float] | None = None) -> list[dict[str, float]]:
    losses = losses or [1 - value for value in exact]
    return [{"val/exact": value, "val/loss": loss} for value, loss in zip(exact, losses, strict=True)]


@pytest.mark.parametrize("images", [100, 1000, 10000])
def test_a_rising_curve_is_improving(images: int) -> None:
    told = improvement(rows(RISING), images)
    assert told == "val/exact rose from 0.3800 to 0.5000 in the last 2 epochs"


@pytest.mark.parametrize("curve", [SATURATED, OVERFITTED, [1.0] * 8, [0.0] * 8])
def test_a_level_curve_is_not(curve: list[float]) -> None:
    assert improvement(rows(curve), 10000) is None


def test_a_gain_that_chance_explains_does_not_count() -> None:
    assert improvement(rows(NOISY), 100) is None
    assert improvement(rows(NOISY), 10000) is not None


def test_a_falling_loss_counts_while_few_texts_are_read() -> None:
    falling = [3.0, 2.9, 2.8, 2.6, 2.4, 2.2, 2.0, 1.8]
    assert improvement(rows([0.0] * 8, falling), 100) == "val/loss fell from 2.200 to 1.800 in the last 2 epochs"
    assert improvement(rows([0.9] * 8, falling), 100) is None
    assert improvement(rows([0.0] * 8, [3.0] * 8), 100) is None
    assert improvement(rows([0.0] * 8, falling[::-1]), 100) is None


def test_nothing_is_said_of_one_epoch_or_without_validation() -> None:
    assert improvement(rows([0.1]), 100) is None
    assert improvement([{"train/exact": value} for value in RISING], 100) is None


def with_training(taught: float, read: float) -> list[dict[str, float]]:
    return [{**row, "train/exact": taught} for row in rows([0.1, read])]


def test_a_gap_to_the_training_images_is_told_where_chance_does_not_explain_it() -> None:
    told = "0.9900 of the training images are read, and 0.8000 of others"
    assert gap(with_training(0.99, 0.8), 1000) == told
    assert gap(with_training(0.99, 0.8), 10) is None
    assert gap(with_training(0.99, 0.98), 10000) is None
    assert gap(with_training(0.7, 0.8), 10000) is None
    assert gap(rows([0.1, 0.2]), 1000) is None
    assert gap([], 1000) is None


def test_the_commands_that_come_next_can_be_pasted() -> None:
    assert closing.commands("runs/a/1", {"data": {"root": "captchas/set.zip"}}) == [
        "read images: python -m capbench predict run=runs/a/1 images=captchas/set.zip",
        "serve:       python -m capbench serve run=runs/a/1",
        "export:      python -m capbench export run=runs/a/1 out=model.onnx",
    ]
    read, serve, _ = closing.commands("runs/a (1)", {"data": {}})
    assert read.endswith(""" predict "run='runs/a (1)'" images=DIR""")
    assert serve.endswith(""" serve "run='runs/a (1)'\"""")


def test_a_training_that_ends_too_soon_says_what_to_set(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "still improving when the training ended: x rose; train longer with optim.epochs=4\n"
    monkeypatch.setattr(closing, "improvement", lambda *_: "x rose")
    train(*FAST, "optim.epochs=2")
    assert told in capsys.readouterr().out
    train(*FAST, "optim.epochs=9", "optim.lr=1e-12", "trainer.patience=2", at="stopped")
    assert told[:40] not in capsys.readouterr().out
