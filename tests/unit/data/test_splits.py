"""Splits into training, validation and test, and folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capbench.data import splits
from capbench.data.splits import Folds, Split
from capbench.errors import Mistake

DIGESTS = st.lists(st.integers(0, 2**64 - 1), min_size=30, max_size=200, unique=True)


def split(train: int | float | None, val: int | float | None, test: int | float) -> Split:
    return Split(train=train, val=val, test=test)


def digests(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@given(DIGESTS, st.randoms())
def test_a_split_does_not_depend_on_the_order_of_images(values: list[int], random: object) -> None:
    known = np.array(values, dtype=np.uint64)
    order = np.random.default_rng(len(values)).permutation(len(values))
    for rule in (split(None, 0.2, 0.3), split(10, 5, 5), split(None, 4, 3), split(None, 0.2, 3)):
        assert (rule.assign(known)[order] == rule.assign(known[order])).all()


@given(DIGESTS)
def test_a_split_keeps_equal_images_together(values: list[int]) -> None:
    known = np.array(values + values, dtype=np.uint64)
    for rule in (split(None, 0.2, 0.3), split(None, 7, 5), split(None, 0.2, 5)):
        parts = rule.assign(known)
        assert (parts[: len(values)] == parts[len(values) :]).all()


def test_a_split_without_validation_keeps_its_test_images() -> None:
    known = digests(100)
    with_val, without = (split(None, val, 0.2).assign(known) for val in (0.1, None))
    assert set(without) == {"train", "test"}
    assert ((without == "test") == (with_val == "test")).all()
    assert set(split(50, None, 20).assign(known)) == {"train", "test", ""}


@given(DIGESTS)
def test_splits_by_fractions_or_counts_give_the_published_parts(values: list[int]) -> None:
    known = np.array(values, dtype=np.uint64)
    place, position = known.argsort().argsort(), known.astype(np.float64) / 2.0**64
    lowest = np.select([place < 5, place < 12, place < 25], ["test", "val", "train"], "")
    assert (split(13, 7, 5).assign(known) == lowest).all()
    assert (split(None, 7, 5).assign(known) == np.where(lowest == "", "train", lowest)).all()
    ranges = np.select([position < 0.2, position < 0.2 + 0.1, position < 0.2 + 0.1 + 0.3], ["test", "val", "train"], "")
    assert (split(0.3, 0.1, 0.2).assign(known) == ranges).all()
    assert (split(None, 0.1, 0.2).assign(known) == np.where(ranges == "", "train", ranges)).all()


@pytest.mark.parametrize("test", [200, 400, 500, 1000, 3000])
def test_a_count_for_test_leaves_validation_its_fraction(test: int) -> None:
    parts = split(None, 0.1, test).assign(digests(4000))
    assert (parts == "test").sum() == test
    assert abs(int((parts == "val").sum()) - 400) < 80  # four standard deviations
    assert (parts == "train").sum() + (parts == "val").sum() == 4000 - test


def test_a_fraction_for_test_leaves_validation_its_count() -> None:
    known = digests(4000)
    parts = split(0.3, 500, 0.2).assign(known)
    assert ((parts == "test") == (split(None, None, 0.2).assign(known) == "test")).all()
    assert (parts == "val").sum() == 500
    assert abs(int((parts == "train").sum()) - 1200) < 120


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (split(None, 0.1, 0.2), {"train", "val", "test"}),
        (split(0.3, 0.1, 0.2), {"train", "val", "test", ""}),
        (split(None, None, 0.2), {"train", "test"}),
        (split(None, 50, 0.2), {"test"}),
    ],
)
def test_parts_given_by_fractions_stay_when_images_are_added(rule: Split, kept: set[str]) -> None:
    few, many = digests(500), digests(2000)
    assert (few == many[:500]).all()
    before, after = rule.assign(few), rule.assign(many)[:500]
    for part in kept:
        assert ((before == part) == (after == part)).all()


def test_parts_given_by_counts_change_when_images_are_added() -> None:
    rule = split(None, 100, 200)
    before, after = rule.assign(digests(1000)), rule.assign(digests(2000))[:1000]
    assert 0 < ((before == "test") & (after == "test")).sum() < 200


def test_parts_have_the_sizes_of_their_fractions_and_counts() -> None:
    parts = split(None, 0.1, 0.2).assign(digests(20000))
    assert [round(float((parts == name).mean()), 1) for name in splits.PARTS] == [0.7, 0.1, 0.2]
    parts = split(100, 20, 30).assign(digests(200))
    assert [int((parts == name).sum()) for name in (*splits.PARTS, "")] == [100, 20, 30, 50]


def test_a_split_of_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(Mistake, match=r"data\.split\.val: 50 images are wanted, but 40 are left"):
        split(None, 50, 60).assign(digests(100))


def test_smaller_train_sizes_are_subsets_of_larger_ones() -> None:
    known = digests(300)
    parts = split(None, 0.1, 0.2).assign(known)
    smaller, larger = (splits.keep_fewer(parts, known, size) for size in (20, 50))
    assert (smaller == "train").sum() == 20
    assert set(np.flatnonzero(smaller == "train")) < set(np.flatnonzero(larger == "train"))
    for name in ("val", "test"):
        assert ((smaller == name) == (parts == name)).all()
    with pytest.raises(Mistake, match="train_size: 9999 images are wanted"):
        splits.keep_fewer(parts, known, 9999)


def test_parts_of_a_column_are_taken_and_unknown_ones_refused() -> None:
    assert splits.given(["train", "test"], ["a:1", "a:2"]).tolist() == ["train", "test"]
    with pytest.raises(Mistake, match="a:2: split 'dev' is unknown; write train, val or test"):
        splits.given(["train", "dev"], ["a:1", "a:2"])


@given(DIGESTS, st.sampled_from(["all", 2, 10]))
def test_each_image_is_in_one_fold_whatever_the_order(values: list[int], wanted: int | str) -> None:
    rule = Folds(folds=wanted, val=None)  # type: ignore[arg-type]
    known = np.array(values, dtype=np.uint64)
    numbers = rule.numbers(known)
    sizes = np.bincount(numbers)
    assert len(sizes) == (len(values) if wanted == "all" else wanted)
    assert sizes.max() - sizes.min() <= 1
    order = np.random.default_rng(len(values)).permutation(len(values))
    assert (numbers[order] == rule.numbers(known[order])).all()
    assert (rule.numbers(np.array(values + values, dtype=np.uint64)) == np.tile(numbers, 2)).all()


@given(DIGESTS, st.sampled_from([None, 1, 7, 0.1]))
def test_test_images_of_a_fold_neither_train_nor_validate(values: list[int], val: int | float | None) -> None:
    rule = Folds(folds=5, val=val)
    known = np.array(values + values, dtype=np.uint64)  # each image twice
    numbers = rule.numbers(known)
    tested = np.zeros(len(known), dtype=int)
    for number in range(5):
        parts = rule.trained_without(number, known)
        assert ((parts == "test") == (numbers == number)).all()
        assert (parts[: len(values)] == parts[len(values) :]).all()
        rest = int((parts != "test").sum())
        least = -(-rest // 10) if val == 0.1 else int(val or 0)
        assert least <= (parts == "val").sum() <= least + 1  # copies stay together
        tested += parts == "test"
    assert (tested == 1).all()
    whole = rule.trained_without(None, known)
    assert (whole == "test").sum() == 0
    assert (whole == "train").sum() > 0


def test_more_folds_than_images_are_refused() -> None:
    with pytest.raises(Mistake, match=r"data\.split\.folds: 9 folds cannot be made of 8 different images; set fewer"):
        Folds(folds=9, val=None).numbers(np.tile(digests(8), 2))
    with pytest.raises(Mistake, match=r"data\.split\.folds: all folds cannot be made of 1 different images"):
        Folds(folds="all", val=None).numbers(np.tile(digests(1), 3))


@pytest.mark.parametrize(
    ("images", "expected"), [(10, (2, 2)), (60, (12, 12)), (100, (20, 20)), (149, (29, 29)), (200, (None, 30))]
)
def test_small_sets_have_enough_validation_images(images: int, expected: tuple[int | None, int]) -> None:
    digests = np.random.default_rng(images).integers(0, 2**64, images, dtype=np.uint64)
    parts = Split(train=None, val=0.1, test=0.2, least=30).assign(digests)
    test, val = ((parts == name).sum() for name in ("test", "val"))
    assert val == expected[1]
    assert test == expected[0] or (expected[0] is None and 0.1 * images < test < 0.3 * images)
    assert (parts == "train").sum() == images - test - val


def test_copies_of_an_image_count_once_in_small_sets() -> None:
    different = np.random.default_rng(1).integers(0, 2**64, 10, dtype=np.uint64)
    for copied in different:
        digests = np.concatenate([different, np.repeat(copied, 90)])
        parts = Split(train=None, val=0.1, test=0.2, least=30).assign(digests)
        assert [len(np.unique(digests[parts == name])) for name in ("train", "val", "test")] == [6, 2, 2]


def test_large_sets_are_split_by_fractions() -> None:
    digests = np.random.default_rng(1).integers(0, 2**64, 1000, dtype=np.uint64)
    plain = Split(train=None, val=0.1, test=0.2)
    assert (plain.assign(digests) == Split(train=None, val=0.1, test=0.2, least=30).assign(digests)).all()
