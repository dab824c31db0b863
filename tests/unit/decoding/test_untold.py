"""Readings where nothing is told: their lengths are among those that the recogniser met."""

from __future__ import annotations

import numpy as np
import pytest

from capbench.decoding import untold
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.text import Alphabet, Codec, Over
from tests.helpers.paths import random_probabilities

ABC = Alphabet(symbols="abc", fold=None)


def test_a_text_of_another_length_is_searched_for_and_the_others_stay() -> None:
    codec = Codec(ABC, 3, 3, "time")
    whole = random_probabilities(np.random.default_rng(1), 200, 8, 4)
    best, highest = whole.argmax(-1), whole.max(-1)
    greedy = codec.read(best, highest)
    searched = Search(codec, Told(lengths=(3, 3))).read(whole)
    known = [len(reading.text) == 3 for reading in greedy]
    assert 20 < sum(known) < 180
    asked: list[int] = []

    def of_all(some: list[int]) -> np.ndarray:
        asked.extend(some)
        return whole[some]

    readings = untold.read(codec, best, highest, of_all)
    assert readings == [a if same else b for a, b, same in zip(greedy, searched, known, strict=True)]
    assert asked == [number for number, same in enumerate(known) if not same]


@pytest.mark.parametrize(("over", "shortest", "longest"), [("time", 2, 4), ("positions", 4, 5), ("positions", 5, 5)])
def test_where_several_lengths_were_met_the_best_classes_are_read(over: Over, shortest: int, longest: int) -> None:
    codec = Codec(ABC, shortest, longest, over)
    whole = random_probabilities(np.random.default_rng(1), 50, longest, codec.classes)
    best, highest = whole.argmax(-1), whole.max(-1)
    assert untold.read(codec, best, highest, lambda some: whole[some]) == codec.read(best, highest)


def test_too_few_steps_for_the_lengths_leave_the_best_classes() -> None:
    codec = Codec(ABC, 5, 5, "time")
    whole = random_probabilities(np.random.default_rng(2), 10, 4, 4)
    readings = untold.read(codec, whole.argmax(-1), whole.max(-1), lambda some: whole[some])
    assert readings == codec.read(whole.argmax(-1), whole.max(-1))
