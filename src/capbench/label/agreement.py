"""Rules that turn the readings of several engines into a label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from capbench.text import Reading
from capbench.types import Count, Share


class Decision(NamedTuple):
    """Label of one image with its confidence and the engines that read it, or an empty label and the reason."""

    label: str
    confidence: float
    engines: tuple[str, ...]
    reason: str


class Rule(ABC):
    """Rule that decides on the label of one image; `engines` is the number of engines that must agree."""

    engines: Count

    @abstractmethod
    def decide(self, readings: Mapping[str, Reading], shortest: int, longest: int) -> Decision:
        """Return the decision for one image.

        `readings` maps each engine's name to its reading, in the order of the settings. `shortest` and `longest` bound
        the number of symbols of a valid text.
        """


@dataclass(frozen=True, kw_only=True)
class Lead(Rule):
    """Rule that takes the first engine's text where its confidence is high, else a text on which `engines` agree.

    It suits a first engine that knows these images better than the others, such as a run trained on them. The image
    gets no label where the first engine is confident and enough others agree on a different text, nor where another
    engine reads a symbol in `disputed`, because the first engine's training left out such images.
    """

    engines: Count
    min_confidence: Share
    disputed: str

    def decide(self, readings: Mapping[str, Reading], shortest: int, longest: int) -> Decision:
        """Return the first engine's text where it is sure and not contradicted, else the agreed text or a rejection."""
        first, leading = next(iter(readings.items()))
        others = "".join(reading.text for name, reading in readings.items() if name != first)
        disputed = sorted({symbol for symbol in others if symbol in self.disputed})
        if disputed:
            return _rejected(f"holds {''.join(disputed)!r}, which engines confuse")
        whole = {name: reading for name, reading in readings.items() if shortest <= len(reading.text) <= longest}
        voters = _voters(whole)
        agreed = max(voters, key=lambda text: (len(voters[text]), first in voters[text]), default="")
        enough = bool(agreed) and len(voters[agreed]) >= self.engines
        if first in whole and leading.text and leading.confidence >= self.min_confidence:
            if enough and agreed != leading.text:
                return _rejected(f"the others contradict {first}, which is confident")
            return Decision(leading.text, leading.confidence, tuple(voters[leading.text]), "")
        if enough:
            return Decision(agreed, max(whole[name].confidence for name in voters[agreed]), tuple(voters[agreed]), "")
        return _rejected(f"{first} is not confident, and too few engines agree")


@dataclass(frozen=True, kw_only=True)
class Vote(Rule):
    """Rule by majority vote: `engines` must agree, each with at least `min_confidence` in every character.

    `by` says what they must agree on. `text`: the whole text. `characters`: the symbol at each position, where the
    engines may differ from one position to the next. `contained`: every symbol of the first engine's text occurs
    somewhere in the other engines' texts, as in the seed article.

    A label with a symbol in `disputed` is rejected.
    """

    by: Literal["text", "characters", "contained"]
    engines: Count
    min_confidence: Share
    disputed: str

    def decide(self, readings: Mapping[str, Reading], shortest: int, longest: int) -> Decision:
        """Return the agreed text, or a rejection with the reason."""
        sure = {
            name: reading
            for name, reading in readings.items()
            if reading.text and min(reading.characters) >= self.min_confidence
        }
        whole = {name: r for name, r in sure.items() if shortest <= len(r.text) <= longest}
        if not sure:
            return _rejected("nothing was read with enough confidence" if any(r.text for r in readings.values())
                             else "nothing was read")  # fmt: skip
        if not whole:
            return _rejected(f"no text of {_lengths(shortest, longest)} was read")
        if self.by == "text":
            decision = self._by_text(whole)
        elif self.by == "characters":
            decision = self._by_characters(whole)
        else:
            decision = self._by_containment(whole, sure, next(iter(readings)))
        disputed = sorted({symbol for symbol in decision.label if symbol in self.disputed})
        if disputed:
            return _rejected(f"holds {''.join(disputed)!r}, which engines confuse")
        return decision

    def _by_text(self, readings: Mapping[str, Reading]) -> Decision:
        voters = _voters(readings)
        text = max(voters, key=lambda text: (len(voters[text]), sum(readings[n].confidence for n in voters[text])))
        names = voters[text]
        if len(names) < self.engines:
            return _rejected("the engines disagree" if len(voters) > 1 else "too few engines read it")
        if sum(len(others) == len(names) for others in voters.values()) > 1 and self.engines > 1:
            return _rejected("the engines disagree")
        return Decision(text, max(readings[name].confidence for name in names), tuple(names), "")

    def _by_characters(self, readings: Mapping[str, Reading]) -> Decision:
        length, _ = Counter(len(reading.text) for reading in readings.values()).most_common(1)[0]
        same = {name: reading for name, reading in readings.items() if len(reading.text) == length}
        label, confidence, names = "", 1.0, set()
        for place in range(length):
            votes = defaultdict(list)
            for name, reading in same.items():
                votes[reading.text[place]].append(name)
            symbol = max(votes, key=lambda symbol: (len(votes[symbol]), sum(same[n].confidence for n in votes[symbol])))
            if len(votes[symbol]) < self.engines:
                return _rejected(f"the engines disagree on character {place + 1}")
            label += symbol
            confidence *= max(same[name].characters[place] for name in votes[symbol])
            names.update(votes[symbol])
        return Decision(label, confidence, tuple(name for name in readings if name in names), "")

    def _by_containment(self, whole: Mapping[str, Reading], sure: Mapping[str, Reading], first: str) -> Decision:
        if first not in whole:
            return _rejected(f"{first} read no text of the right length with enough confidence")
        text = whole[first].text
        agreeing = [name for name in sure if name != first and all(symbol in sure[name].text for symbol in text)]
        if 1 + len(agreeing) < self.engines:
            return _rejected("the engines disagree" if len(sure) > 1 else "too few engines read it")
        return Decision(text, whole[first].confidence, (first, *agreeing), "")


def _voters(readings: Mapping[str, Reading]) -> dict[str, list[str]]:
    """Return the names of the engines that read each text."""
    voters = defaultdict(list)
    for name, reading in readings.items():
        voters[reading.text].append(name)
    return voters


def _rejected(reason: str) -> Decision:
    return Decision("", 0.0, (), reason)


def _lengths(shortest: int, longest: int) -> str:
    return f"{shortest} symbols" if shortest == longest else f"{shortest} to {longest} symbols"
