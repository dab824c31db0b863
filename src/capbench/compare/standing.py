"""Standing of the first row of a ranking: tests against the other rows, corrected for how many were compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from capbench.compare.readings import Contest, Pair
from capbench.compare.statistics import Difference, holm

SURE = 0.05  # corrected p-value below which rows differ significantly
MOST_NAMES = 5


@dataclass(frozen=True)
class Standing:
    """Tests of the first row of a ranking against the rows after it.

    Whichever row is first was chosen by its accuracy, so any pair of rows could have become the first two. The p-values
    are therefore corrected for all pairs, not only for those that were tested.
    """

    rows: int
    """Number of rows of the ranking."""
    contests: list[Contest | None]
    """Test against the second row, the third, and so on; None for a row with no test images in common."""

    @property
    def pairs(self) -> int:
        """Number of pairs of rows."""
        return math.comb(self.rows, 2)

    @cached_property
    def corrected(self) -> list[float]:
        """p-value of each test, corrected for the number of pairs; 1 without a test."""
        found = iter(holm([contest.p for contest in self.contests if contest is not None], self.pairs))
        return [1.0 if contest is None else next(found) for contest in self.contests]

    @property
    def verdict(self) -> str:
        """Sentences that say if the first row reads significantly better than others; "" with a single row."""
        return " ".join(sentence for sentence in (self._second, self._others, self._luck) if sentence)

    @property
    def _second(self) -> str:
        if not self.contests:
            return ""
        contest, p = self.contests[0], self.corrected[0]
        if contest is None:
            return "The first two rows have no stored predictions of the same images, so they cannot be tested against each other."
        different = contest.difference
        return _of_networks(contest.pair, p) if different is None else _of_settings(contest, different, p)

    @property
    def _others(self) -> str:
        tested = [place for place, contest in enumerate(self.contests) if contest is not None]
        if self.rows < 3 or not tested:
            return ""
        beaten = [f"{place + 2:,}" for place in tested if self._is_beaten(place)]
        rest = [f"{place + 2:,}" for place in tested if not self._is_beaten(place)]
        return (
            f"Rows significantly worse than the first: {some(beaten) or 'none'}; others tested: {some(rest) or 'none'}."
        )

    def _is_beaten(self, place: int) -> bool:
        contest = self.contests[place]
        return contest is not None and contest.is_won and self.corrected[place] < SURE

    @property
    def _luck(self) -> str:
        if self.rows < 3 or not any(self.contests):
            return ""
        sentence = (
            f"The best of many is best by luck, too: these tests are corrected for the {self.pairs:,} pairs among "
            f"{self.rows:,} rows (Holm's method)"
        )
        first = self.contests[0]
        return (
            f"{sentence}."
            if first is None
            else f"{sentence}; p = {first.p:.2g} of the first test becomes {self.corrected[0]:.2g}."
        )


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _of_settings(contest: Contest, different: Difference, p: float) -> str:
    if p >= SURE:
        finding = "The first two rows do not differ significantly"
    elif different.value > 0:
        finding = "The first row reads significantly better than the second"
    else:
        finding = "The first row reads significantly worse than the second, despite its rank"
    first, second = (len(side.accuracies) for side in (contest.first, contest.second))
    return (
        f"{finding}: a difference of {different.value:+.4f} over {first:,} and {second:,} runs and "
        f"{contest.images:,} image{'s' * (contest.images > 1)} "
        f"(95 % interval over seeds and images: {different.at_least:+.4f} to {different.at_most:+.4f})."
    )


def _of_networks(pair: Pair, p: float) -> str:
    if p >= SURE:
        finding = f"{pair.first} and {pair.second} do not differ significantly"
    else:
        better, worse = (pair.first, pair.second) if pair.first_only > pair.second_only else (pair.second, pair.first)
        finding = f"{better} reads significantly better than {worse}"
    return (
        f"With one seed in a row, only two trained networks can be compared: {finding}; of {pair.images:,} images, "
        f"{pair.first_only:,} are read by the first alone and {pair.second_only:,} by the second alone (McNemar's exact "
        f"test, p = {pair.p:.2g}). Other seeds may reverse this: train at least two of each."
    )
