"""Doubts about copies of an image."""

from __future__ import annotations

import numpy as np

from capbench.data.copies import doubts
from capbench.data.sources.base import Sample
from capbench.text import Alphabet

ANY_CASE = Alphabet(symbols="auto", fold="lower")
CASES_APART = Alphabet(symbols="auto", fold=None)


def told(rows: list[tuple[int, str, str | None]], alphabet: Alphabet = CASES_APART) -> list[str]:
    samples = [Sample(f"{place}.png", text, "", part) for place, (_, text, part) in enumerate(rows)]
    return doubts(samples, np.array([digest for digest, _, _ in rows], dtype=np.uint64), alphabet)


def test_copies_with_equal_labels_and_parts_raise_no_doubt() -> None:
    assert told([(1, "ab", None), (2, "cd", None), (1, "ab", None), (3, "cd", None)]) == []
    assert told([(1, "ab", "train"), (2, "cd", "test"), (1, "ab", "train")]) == []


def test_copies_with_different_labels_are_named() -> None:
    (line,) = told([(7, "ab", None), (2, "cd", None), (7, "xy", None)])
    assert line.startswith("0.png 'ab' and 2.png 'xy' are one image with two labels; ")
    (line,) = told(
        [(7, "ab", None), (2, "cd", None), (7, "ab", None), (7, "xy", None), (2, "dc", None), (3, "e", None)]
    )
    assert line.startswith("1.png 'cd' and 4.png 'dc' are one image with two labels (and 1 more such); ")


def test_copies_in_different_parts_are_named() -> None:
    (line,) = told([(7, "ab", "train"), (2, "cd", "test"), (7, "ab", "test")])
    assert line.startswith("0.png (train) and 2.png (test) are one image in two parts; ")


def test_copies_that_differ_in_label_and_part_raise_two_doubts() -> None:
    assert len(told([(7, "ab", "train"), (7, "cd", "test")])) == 2


def test_labels_that_differ_in_case_are_equal_where_case_is_folded() -> None:
    rows: list[tuple[int, str, str | None]] = [(7, "ab", None), (7, "AB", None)]
    assert len(told(rows)) == 1
    assert told(rows, ANY_CASE) == []
