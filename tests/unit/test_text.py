"""Alphabets, and the codec between texts and class numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capbench.errors import Mistake
from capbench.text import Alphabet, Codec


def alphabet(symbols: str, fold: str | None = None) -> Alphabet:
    return Alphabet(symbols=symbols, fold=fold)  # type: ignore[arg-type]


DIGITS = alphabet("0123456789")


@given(st.lists(st.text("abcé漢", min_size=1, max_size=5), min_size=1))
def test_texts_survive_encoding_over_positions(texts: list[str]) -> None:
    codec = Codec(alphabet("abcé漢"), 1, 5, "positions")
    assert codec.texts(codec.encode(texts)) == texts


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1))
def test_texts_survive_encoding_over_time(texts: list[str]) -> None:
    """Encode each symbol as two steps and a blank, since CTC needs a blank between equal neighbours."""
    codec = Codec(alphabet("ab"), 1, 4, "time")
    numbers = codec.encode(texts)
    frames = np.full((len(texts), 12), codec.blank)
    for i, row in enumerate(numbers):
        for p, number in enumerate(row):
            frames[i, 3 * p : 3 * p + 2] = number
    assert codec.texts(frames) == texts


def test_fixed_lengths_have_no_blank_class() -> None:
    assert Codec(DIGITS, 4, 4, "positions").classes == 10
    assert Codec(DIGITS, 3, 4, "positions").classes == 11
    assert Codec(DIGITS, 4, 4, "time").classes == 11


def test_confidence_over_positions_is_the_product() -> None:
    codec = Codec(DIGITS, 2, 2, "positions")
    (reading,) = codec.read(np.array([[3, 7]]), np.array([[0.5, 0.25]]))
    assert (reading.text, reading.confidence, reading.characters) == ("37", 0.125, (0.5, 0.25))


def test_confidence_of_a_shorter_text_includes_its_end() -> None:
    codec = Codec(DIGITS, 2, 3, "positions")
    (reading,) = codec.read(np.array([[3, 7, 10]]), np.array([[0.5, 0.25, 0.5]]))
    assert (reading.text, reading.confidence, reading.characters) == ("37", 0.0625, (0.5, 0.25))


def test_confidence_over_time_takes_the_best_step_of_each_character() -> None:
    codec = Codec(DIGITS, 1, 3, "time")
    best = np.array([[10, 3, 3, 10, 3]])
    (reading,) = codec.read(best, np.array([[0.9, 0.5, 0.8, 0.5, 1.0]]))
    assert reading.text == "33"
    assert reading.characters == (0.8, 1.0)
    assert reading.confidence == pytest.approx(0.9 * 0.8 * 0.5 * 1.0)


def test_a_folding_alphabet_ignores_case() -> None:
    codec = Codec(alphabet("abc", "lower"), 3, 3, "positions")
    assert codec.texts(codec.encode(["AbC"])) == ["abc"]
    assert codec.fault("ABC") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12x4", "'x' is outside the alphabet '0123456789'"),
        ("123", "has 3 symbols where 4 are expected"),
        ("12345", "has 5 symbols where 4 are expected"),
        ("1234", None),
    ],
)
def test_a_text_outside_the_alphabet_or_length_has_a_fault(text: str, reason: str | None) -> None:
    assert Codec(DIGITS, 4, 4, "positions").fault(text) == reason


def test_alphabet_auto_takes_the_sorted_symbols_of_the_texts() -> None:
    assert alphabet("auto").settled(["ba", "c1"]).symbols == "1abc"
    assert alphabet("auto", "upper").settled(["ba", "B"]).symbols == "AB"
    assert DIGITS.settled(["99"]) is DIGITS


def test_an_alphabet_of_all_of_unicode_is_accepted() -> None:
    every = "".join(map(chr, [*range(32, 0xD800), *range(0xE000, 0x110000)]))
    assert len(alphabet(every, None).symbols) > 1_000_000


@pytest.mark.parametrize(
    ("symbols", "fold", "message"),
    [("", None, "is empty"), ("abca", None, "'a' occurs twice"), ("Ab", "lower", "folded")],
)
def test_an_impossible_alphabet_is_refused(symbols: str, fold: str | None, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        alphabet(symbols, fold)
