from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capbench.data import splits
from capbench.data.splits import Split
from capbench.errors import Mistake

DIGESTS = st.lists(st.integers(0, 2**64 - 1), min_size=30, max_size=200, unique=True)


def split(train: int | float | None, val: int | float, test: int | float) -> Split:
    return Split(train=train, val=val, test=test)


def digests(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@given(DIGESTS, st.randoms())
def test_the_order_changes_nothing(values: list[int], random: object) -> None:
    known = np.array(values, dtype=np.uint64)
    order = np.random.default_rng(len(values)).permutation(len(values))
    for rule in (split(None, 0.2, 0.3), split(10, 5, 5), split(None, 4, 3)):
        assert (rule.assign(known)[order] == rule.assign(known[order])).all()


@given(DIGESTS)
def test_equal_images_stay_together(values: list[int]) -> None:
    known = np.array(values + values, dtype=np.uint64)
    for rule in (split(None, 0.2, 0.3), split(None, 7, 5)):
        parts = rule.assign(known)
        assert (parts[: len(values)] == parts[len(values) :]).all()


def test_an_image_keeps_its_part_when_others_are_added() -> None:
    rule = split(None, 0.1, 0.2)
    few, many = digests(500), digests(2000)
    assert (few == many[:500]).all()
    assert (rule.assign(few) == rule.assign(many)[:500]).all()


def test_fractions_and_counts_are_met() -> None:
    parts = split(None, 0.1, 0.2).assign(digests(20000))
    assert [round(float((parts == name).mean()), 1) for name in splits.PARTS] == [0.7, 0.1, 0.2]
    parts = split(100, 20, 30).assign(digests(200))
    assert [int((parts == name).sum()) for name in (*splits.PARTS, "")] == [100, 20, 30, 50]


def test_more_than_there_are() -> None:
    with pytest.raises(Mistake, match=r"data\.split\.val: 50 images are wanted and 40 are left"):
        split(None, 50, 60).assign(digests(100))


def test_fewer_training_images_are_among_more() -> None:
    known = digests(300)
    parts = split(None, 0.1, 0.2).assign(known)
    smaller, larger = (splits.keep_fewer(parts, known, size) for size in (20, 50))
    assert (smaller == "train").sum() == 20
    assert set(np.flatnonzero(smaller == "train")) < set(np.flatnonzero(larger == "train"))
    for name in ("val", "test"):
        assert ((smaller == name) == (parts == name)).all()
    with pytest.raises(Mistake, match="train_size: 9999 are wanted"):
        splits.keep_fewer(parts, known, 9999)


def test_given_parts() -> None:
    assert splits.given(["train", "test"], ["a:1", "a:2"]).tolist() == ["train", "test"]
    with pytest.raises(Mistake, match="a:2: split 'dev' is unknown; write train, val or test"):
        splits.given(["train", "dev"], ["a:1", "a:2"])
