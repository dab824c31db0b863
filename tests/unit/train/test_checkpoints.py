"""Which epoch is the best one, and that a resumed training still knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from capbench.train.callbacks import WATCHED, Checkpoints, by_chance


def after(checkpoints: Checkpoints, exacts: Sequence[float | None], images: int, before: int = 0) -> int:
    """Return the best epoch after epochs of these accuracies on validation; None: there is no validation."""
    for number, exact in enumerate(exacts, before):
        trainer = MagicMock(current_epoch=number, is_global_zero=False, should_stop=False)
        trainer.datamodule.material.parts = {"val": range(images)}
        measured = {} if exact is None else {WATCHED: exact}
        checkpoints.on_train_epoch_end(trainer, SimpleNamespace(measured=measured))
        kept = trainer.save_checkpoint.call_args.args[0].name
        assert kept == ("best.ckpt" if checkpoints.best_epoch == number + 1 else "last.ckpt")
    return checkpoints.best_epoch


@pytest.mark.parametrize(
    ("exacts", "images", "best"),
    [
        ([0.1, 0.98, 1.0, 0.99, 0.97], 100, 4),  # one image fewer is chance
        ([0.1, 0.98, 1.0, 0.99, 0.97], 1000, 3),  # ten are not
        ([0.5, 0.91, 0.90, 0.88, 0.87], 100, 4),  # nine are misread: three are chance
        ([0.5, 0.6, 0.7, 0.8], 100, 4),
        ([0.0, 0.0], 100, 2),
        ([None, None, None], 100, 3),
    ],
)
def test_the_best_epoch_is_the_latest_that_is_as_good_but_for_chance(
    exacts: list[float | None], images: int, best: int, tmp_path: Path
) -> None:
    assert after(Checkpoints(tmp_path), exacts, images) == best


def test_a_resumed_training_knows_the_highest_accuracy(tmp_path: Path) -> None:
    begun, resumed = Checkpoints(tmp_path), Checkpoints(tmp_path)
    after(begun, [0.5, 0.95], 100)
    resumed.load_state_dict(begun.state_dict())
    assert after(resumed, [0.92, 0.94], 100, before=2) == 4
    assert after(resumed, [0.92], 100, before=4) == 4


def test_a_checkpoint_of_an_older_version_is_understood(tmp_path: Path) -> None:
    resumed = Checkpoints(tmp_path)
    resumed.load_state_dict({"best": [0.95, -0.2], "best_epoch": 2})
    assert after(resumed, [0.9], 100, before=2) == 2


def test_chance_takes_one_image_at_least() -> None:
    assert by_chance(1.0, 50) == 1 / 50
    assert by_chance(0.96, 100) == pytest.approx(2 / 100)
