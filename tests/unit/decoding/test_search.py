"""Search among allowed texts, held against trying all of them."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import pytest

from capbench.decoding import over_time
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.errors import Mistake
from capbench.text import Alphabet, Codec, Length
from tests.helpers.paths import Text, all_texts, random_probabilities

ABC = Alphabet(symbols="abc", fold=None)


def codec(
    symbols: str = "abc", shortest: int = 1, longest: int = 4, over: Literal["positions", "time"] = "time"
) -> Codec:
    return Codec(Alphabet(symbols=symbols, fold=None), shortest, longest, over)


def over_all_positions(probability: np.ndarray) -> dict[Text, float]:
    """Return the probability of each text over positions, for probabilities [position, class, the blank last]."""
    positions, classes = probability.shape
    texts = {}
    for length in range(positions + 1):
        for text in product(range(classes - 1), repeat=length):
            filled = [*text, *[classes - 1] * (positions - length)]
            texts[text] = float(np.prod(probability[np.arange(positions), filled]))
    return texts


def check_best(texts: dict[Text, float], found: over_time.Found) -> None:
    """Check a found text against the probabilities of all allowed ones."""
    whole, text = sum(texts.values()), tuple(found.numbers.tolist())
    assert texts[text] == pytest.approx(max(texts.values()))
    assert found.confidence == pytest.approx(texts[text] / whole)
    for place, beliefs in enumerate(found.beliefs):
        begun = {other: p for other, p in texts.items() if other[:place] == text[:place]}
        for number, belief in enumerate(beliefs):
            share = sum(p for other, p in begun.items() if other[place : place + 1] == (number,))
            assert belief == pytest.approx(share / sum(begun.values()), abs=1e-9)


@pytest.mark.parametrize("lengths", [None, (0, 1), (2, 2), (1, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize("symbols", ["a", "abc"])
def test_over_time_the_answer_is_that_of_trying_every_allowed_text(
    symbols: str, lengths: tuple[int, int] | None
) -> None:
    steps = 7 if symbols == "a" else 6
    allowed = lengths or (0, steps)
    probability = random_probabilities(np.random.default_rng(1), 12, steps, len(symbols) + 1)
    searched = Search(codec(symbols), Told(None, lengths)).found(probability)
    for one, found in zip(probability, searched, strict=True):
        texts = {text: p for text, p in all_texts(one).items() if allowed[0] <= len(text) <= allowed[1]}
        check_best(texts, found)


@pytest.mark.parametrize("lengths", [None, (1, 1), (2, 3), (4, 4)])
def test_over_positions_the_answer_is_that_of_trying_every_allowed_text(lengths: tuple[int, int] | None) -> None:
    shortest, longest = lengths or (1, 4)
    probability = random_probabilities(np.random.default_rng(1), 12, 4, 4)
    for one, found in zip(
        probability, Search(codec(over="positions"), Told(None, lengths)).found(probability), strict=True
    ):
        check_best({text: p for text, p in over_all_positions(one).items() if shortest <= len(text) <= longest}, found)


def test_texts_of_one_length_over_positions_have_no_blank() -> None:
    probability = random_probabilities(np.random.default_rng(1), 5, 3, 3)
    (found, *_) = Search(codec(shortest=3, longest=3, over="positions"), Told(Alphabet(symbols="ca", fold=None))).found(
        probability
    )
    best = probability[0][:, [2, 0]]
    assert found.numbers.tolist() == best.argmax(1).tolist()
    assert found.confidence == pytest.approx(np.prod(best.max(1) / best.sum(1)))


def test_the_text_of_many_paths_wins_over_the_best_path() -> None:
    probability = np.array([[[0.4, 0.6], [0.4, 0.6]]])  # the best path is empty: 0.36; the others read a: 0.64
    (reading,) = Search(codec("a"), Told(None, (0, 1))).read(probability)
    assert reading.text == "a"
    assert reading.confidence == pytest.approx(0.64)


@pytest.mark.parametrize("over", ["positions", "time"])
def test_an_answer_outside_the_mask_gives_way_to_the_best_one_within(over: Literal["positions", "time"]) -> None:
    """The best classes read `bb`, and none of them is allowed."""
    probability = np.array([[[0.1, 0.7, 0.05, 0.15], [0.05, 0.7, 0.15, 0.1], [0.02, 0.08, 0.0, 0.9]]])
    known = codec(over=over, longest=3)
    assert "b" in known.texts(probability.argmax(-1))[0]
    (reading,) = Search(known, Told(Alphabet(symbols="ca", fold=None), (2, 2))).read(probability)
    assert reading.text == "ac"
    assert len(reading.characters) == 2
    assert reading.confidence <= np.prod(reading.characters) + 1e-9


def test_probabilities_of_folded_symbols_are_added() -> None:
    probability = np.array([[[0.3, 0.3, 0.4, 0.0]]])  # a, A, b, blank
    known = codec("aAb", 1, 1)
    assert Search(known, Told(Alphabet(symbols="abA", fold=None))).read(probability)[0].text == "b"
    (reading,) = Search(known, Told(Alphabet(symbols="ba", fold="lower"))).read(probability)
    assert reading.text == "a"
    assert reading.confidence == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("known", "told", "fold", "expected"),
    [("2x×", "2x", None, [[0], [1, 2]]), ("2X×", "X2", "upper", [[1, 2], [0]]), ("2xX", "2×", None, [[0], [1, 2]]),
     ("2x×", "2x×", None, [[0], [1], [2]])],
)  # fmt: skip
def test_a_letter_x_and_a_sign_of_multiplication_stand_for_each_other_unless_both_are_told(
    known: str, told: str, fold: Literal["upper"] | None, expected: list[list[int]]
) -> None:
    probability = np.array([[[0.1, 0.2, 0.3, 0.4]]])  # of the known symbols and the blank
    search = Search(codec(known, 0, 1), Told(Alphabet(symbols=told, fold=fold), (1, 1)))
    (found,) = search.found(probability)
    sums = np.array([sum(probability[0, 0, number] for number in numbers) for numbers in expected])
    assert found.beliefs[0] == pytest.approx(sums / sums.sum())


def test_a_text_is_found_in_the_case_that_is_told() -> None:
    probability = np.array([[[0.1, 0.9]]])
    told = Told(Alphabet(symbols="AB", fold="upper"))
    assert Search(codec("ab", 1, 1, "positions"), told).read(probability)[0].text == "B"


def test_lengths_hold_where_nothing_speaks_for_them() -> None:
    """Each image shows four symbols without doubt, or none."""
    steps, classes = 40, 11
    probability = np.zeros((2, steps, classes))
    probability[:, :, -1] = 1
    probability[0, [4, 12, 20, 28]] = np.eye(classes)[[1, 2, 2, 3]]
    for length in (1, 4, 7, 40):
        readings = Search(codec("0123456789"), Told(None, (length, length))).read(probability)
        assert [len(reading.text) for reading in readings] == [length, length]
        assert all(
            0 <= confidence <= 1 for reading in readings for confidence in (reading.confidence, *reading.characters)
        )
    assert Search(codec("0123456789"), Told(None, (4, 4))).read(probability)[0].text == "1223"


def test_images_searched_together_and_alone_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    probability = random_probabilities(np.random.default_rng(2), 9, 12, 6)
    search = Search(codec("abcde"), Told(None, (2, 5)))
    together = search.read(probability)
    monkeypatch.setattr(over_time, "MOST_NUMBERS", 1)  # each image in a part of its own
    assert [reading.text for reading in search.read(probability)] == [reading.text for reading in together]


def test_what_is_not_a_probability_counts_as_in_reading_without_a_search() -> None:
    for over in ("positions", "time"):
        (reading,) = Search(codec("ab", 1, 1, over), Told(ABC_OF_TWO)).read(
            np.array([[[np.nan, 7.0, -1.0][: 2 + (over == "time")]]])
        )
        assert reading.text == "b"
        assert 0 <= reading.confidence <= 1


ABC_OF_TWO = Alphabet(symbols="ab", fold=None)


@pytest.mark.parametrize(
    ("known", "alphabet", "length", "message"),
    [
        (codec(), "abxy", None, "alphabet: the recogniser does not know 'xy'; its symbols are 'abc'"),
        (codec(), "auto", None, "alphabet.symbols: auto reads the alphabet from labels, and there are none"),
        (codec(), "aab", None, "alphabet.symbols: 'a' occurs twice"),
        (codec(), None, [3, 2], r"length: \[3, 2\] is reversed; write \[shortest, longest\]"),
        (codec(over="positions"), None, 5, r"length: \[5, 5\] is told and the recogniser reads 1 to 4 symbols"),
        (codec(over="positions"), None, [0, 2], r"length: \[0, 2\] is told and the recogniser reads 1 to 4 symbols"),
    ],
)  # fmt: skip
def test_what_a_recogniser_cannot_read_is_refused(
    known: Codec, alphabet: str | None, length: Length | None, message: str
) -> None:
    with pytest.raises(Mistake, match=message):
        Search(known, Told.of(alphabet, length))


def test_a_length_beyond_the_steps_of_time_is_refused() -> None:
    probability = random_probabilities(np.random.default_rng(1), 1, 5, 2)
    assert len(Search(codec("a"), Told.of(None, 3)).read(probability)[0].text) == 3
    with pytest.raises(Mistake, match="length: texts of 4 symbols take 7 steps, and the recogniser has 5"):
        Search(codec("a"), Told.of(None, 4)).read(probability)


def test_an_alphabet_is_told_by_name_or_by_its_symbols() -> None:
    assert Told.of("lower_36", [4, 6]) == Told(
        Alphabet(symbols="0123456789abcdefghijklmnopqrstuvwxyz", fold="lower"), (4, 6)
    )
    assert Told.of("xyz", None) == Told(Alphabet(symbols="xyz", fold=None))
    assert not Told.of(None, None)
