"""Metrics of readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capbench import metrics

PAIRS = st.lists(
    st.tuples(st.text("abAB", min_size=1, max_size=5), st.text("abAB", max_size=6)), min_size=1, max_size=30
)


def edit_distance(a: str, b: str) -> int:
    """Return the edit distance by the textbook's table, as a reference."""
    table = np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, table[j] + 1, table[j - 1] + (x != y)))
        table = np.array(row)
    return int(table[-1])


@given(PAIRS)
def test_scores_equal_their_definitions(pairs: list[tuple[str, str]]) -> None:
    texts, answers = [t for t, _ in pairs], [a for _, a in pairs]
    measured = metrics.scores(texts, answers)
    characters = sum(map(len, texts))
    assert measured["exact"] == np.mean([t == a for t, a in pairs])
    assert measured["exact_nocase"] == np.mean([t.lower() == a.lower() for t, a in pairs])
    assert measured["cer"] == sum(edit_distance(t, a) for t, a in pairs) / characters
    right = sum(x == y for t, a in pairs for x, y in zip(t, a, strict=False))
    assert measured["char"] == right / characters
    for place in range(max(map(len, texts))):
        there = [t[place] == a[place : place + 1] for t, a in pairs if place < len(t)]
        assert measured[f"position_{place + 1}"] == np.mean(there)


def test_characters_beyond_16_bits_count_as_one() -> None:
    assert metrics.scores(["a😀\0", "\ud800"], ["a😀", "\ud800"])["char"] == 3 / 4


@given(PAIRS)
def test_confusions_count_every_true_symbol_once(pairs: list[tuple[str, str]]) -> None:
    counted = metrics.confusions([t for t, _ in pairs], [a for _, a in pairs])
    for symbol in "abAB":
        there = sum(text.count(symbol) for text, _ in pairs)
        assert sum(count for (true, _), count in counted.items() if true == symbol) == there


def test_most_confused_pairs_are_sorted_and_hold_no_right_ones() -> None:
    counted = metrics.confusions(["aab", "ab"], ["abb", "bb"])
    assert metrics.most_confused(counted) == [("a", "b", 2)]


def test_calibration_error_is_zero_where_confidence_equals_accuracy() -> None:
    assert metrics.calibration([True, True, True, False], [0.75] * 4) == {"confidence": 0.75, "ece": 0.0}
    assert metrics.calibration([False] * 4, [1.0] * 4)["ece"] == 1.0


def test_wilson_interval_has_known_values() -> None:
    low, high = metrics.wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4901625, abs=1e-6), pytest.approx(0.9433178, abs=1e-6))
    assert metrics.wilson(0, 10)[0] == 0
    assert metrics.wilson(10, 10)[1] == pytest.approx(1)
