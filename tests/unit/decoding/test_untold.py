"""Readings where nothing is told: of the one length that the recogniser met, if there is one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from capbench.decoding import untold
from capbench.text import Alphabet, Codec, Over
from tests.helpers.paths import random_probabilities

ABC = Alphabet(symbols="abc", fold=None)


@pytest.mark.parametrize("length", [0, 1, 2, 3])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_path_of_a_length_is_the_most_likely_of_all_with_that_length(length: int, classes: int) -> None:
    codec = Codec(Alphabet(symbols="ab"[: classes - 1], fold=None), length, length, "time")
    probability = random_probabilities(np.random.default_rng(length), 30, 5, classes)
    paths = np.array(list(itertools.product(range(classes), repeat=5)))
    paths = paths[codec.kept(paths).sum(1) == length]
    likely = probability[:, np.arange(5), paths].prod(-1)  # [image, path]
    assert untold.path_of_length(probability, length).tolist() == paths[likely.argmax(1)].tolist()


def test_a_text_of_another_length_gets_the_path_of_that_length_and_the_others_stay() -> None:
    codec = Codec(ABC, 3, 3, "time")
    probability = random_probabilities(np.random.default_rng(1), 200, 8, 4)
    greedy = codec.read(probability.argmax(-1), probability.max(-1))
    right = [len(reading.text) == 3 for reading in greedy]
    assert 20 < sum(right) < 180
    readings = untold.read(codec, probability)
    assert all(len(reading.text) == len(reading.characters) == 3 for reading in readings)
    assert all(a == b for a, b, same in zip(greedy, readings, right, strict=True) if same)
    best, highest = untold.best(codec, probability)
    assert np.array_equal(highest, np.take_along_axis(probability, best[..., None], -1)[..., 0])


def test_an_image_without_symbols_keeps_its_empty_text() -> None:
    probability = np.full((1, 8, 4), 0.1)
    probability[..., -1] = 0.7
    assert [reading.text for reading in untold.read(Codec(ABC, 3, 3, "time"), probability)] == [""]


def test_probabilities_that_are_no_numbers_still_give_a_text_of_the_length() -> None:
    probability = np.full((2, 8, 4), np.nan, np.float32)
    probability[1] = 0
    assert [len(reading.text) for reading in untold.read(Codec(ABC, 3, 3, "time"), probability)] == [3, 3]


@pytest.mark.parametrize(("over", "shortest", "longest"), [("time", 2, 4), ("positions", 4, 5), ("positions", 5, 5)])
def test_where_several_lengths_were_met_the_best_classes_are_read(over: Over, shortest: int, longest: int) -> None:
    codec = Codec(ABC, shortest, longest, over)
    probability = random_probabilities(np.random.default_rng(1), 50, longest, codec.classes)
    assert untold.read(codec, probability) == codec.read(probability.argmax(-1), probability.max(-1))


def test_too_few_steps_for_the_length_leave_the_best_classes() -> None:
    codec = Codec(ABC, 5, 5, "time")
    probability = random_probabilities(np.random.default_rng(2), 10, 4, 4)
    assert untold.read(codec, probability) == codec.read(probability.argmax(-1), probability.max(-1))
