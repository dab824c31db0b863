"""Augmentation steps of a user's own, alone and among those of albumentations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capbench import trust
from capbench.data.augment import Augment, AugmentStep
from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.settings import build, check
from capbench.train import experiment
from tests.helpers import own_parts
from tests.helpers.own_parts import BLOTS
from tests.helpers.settings import FAST, composed

ROTATE = {"Rotate": {"limit": 20, "p": 1.0}}
IMAGE = np.full((20, 30, 1), 200, np.uint8)
IMAGE[5:9, 5:20] = 30


@pytest.fixture(autouse=True)
def trusted() -> Iterator[None]:
    with own_parts.importable(), trust.trusting(["own_parts"]):
        yield


def augment(*steps: Any) -> Augment:
    settings = {"_target_": "capbench.data.augment.Augment", "steps": list(steps)}
    check(settings, Augment, "augment")
    built: Augment = build(settings)
    return built


@pytest.mark.parametrize("steps", [[BLOTS], [BLOTS, ROTATE], [ROTATE, BLOTS, ROTATE], [BLOTS, BLOTS]], ids=range(4))
def test_equal_seeds_give_equal_changes(steps: list[Any]) -> None:
    chain = augment(*steps)
    first = chain(IMAGE, [1, 2, 3])
    assert (first.shape, first.dtype) == (IMAGE.shape, np.uint8)
    assert np.array_equal(first, augment(*steps)(IMAGE, [1, 2, 3]))
    assert not np.array_equal(first, chain(IMAGE, [1, 2, 4]))
    assert not np.array_equal(first, IMAGE)
    assert not chain.empty


def test_two_equal_steps_draw_different_numbers() -> None:
    assert np.sum(augment(BLOTS, BLOTS)(IMAGE, [1]) == 0) > np.sum(augment(BLOTS)(IMAGE, [1]) == 0)


def test_a_step_of_our_own_after_one_of_albumentations_does_not_change_the_former() -> None:
    rotated = augment(ROTATE)(IMAGE, [7])
    changed = augment(ROTATE, BLOTS)(IMAGE, [7])
    assert np.array_equal(rotated[changed != 0], changed[changed != 0])


def test_a_step_that_changes_the_shape_is_a_mistake() -> None:
    class Smaller(AugmentStep):
        def __call__(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
            return image[1:]

    with pytest.raises(
        Mistake, match=r"^augment\.steps: Smaller makes uint8 \[19, 30, 1\] of uint8 \[20, 30, 1\]; keep"
    ):
        Augment(steps=[Smaller()])(IMAGE, [1])


@pytest.mark.parametrize(
    ("steps", "match"),
    [
        ([ROTATE, BLOTS | {"cuont": 1}], r"^augment\.steps\.1\.cuont: is not a setting .* augment\.steps\.1\.count"),
        ([BLOTS, 3], r"^augment\.steps\.1: 3 is not accepted"),
        ([{"Rotate": BLOTS}], r"^augment\.steps\.0\.Rotate\._target_: .* is not accepted; .* takes plain data"),
        (
            [{"_target_": "own_parts.Darker", "by": 3}],
            r"^augment\.steps\.0\._target_: own_parts\.Darker is no(t an?)? Au",
        ),
    ],
    ids=range(4),
)
def test_wrong_steps_are_refused(steps: list[Any], match: str) -> None:
    with pytest.raises(Mistake, match=match):
        augment(*steps)


def test_a_training_takes_the_step(tmp_path: Path) -> None:
    settings = composed(*FAST, "logger=none")
    settings["augment"]["steps"] = [BLOTS]
    run = RunFolder(tmp_path / "run")
    experiment.run(settings, run, resumed=False)
    assert run.result.exists()
