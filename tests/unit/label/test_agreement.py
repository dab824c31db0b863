"""Rules by which engines agree on a label."""

from __future__ import annotations

import pytest

from capbench.label.agreement import Lead, Vote
from capbench.text import Reading


def reading(text: str, *sure: float) -> Reading:
    sure = sure or (0.9,) * len(text)
    whole = 1.0
    for confidence in sure:
        whole *= confidence
    return Reading(text, whole, sure)


def rule(by: str = "text", engines: int = 2, min_confidence: float = 0.0, disputed: str = "") -> Vote:
    return Vote(by=by, engines=engines, min_confidence=min_confidence, disputed=disputed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "engines", "label"),
    [
        (["ab12", "ab12"], 2, "ab12"),
        (["ab12", "ab1z"], 2, ""),
        (["ab12", "ab1z", "ab12"], 2, "ab12"),
        (["ab12", "ab1z", "ab12"], 3, ""),
        (["ab12", "ab12", "ab1z", "ab1z"], 2, ""),  # two texts with equally many engines
        (["ab12", ""], 2, ""),
        (["ab12", ""], 1, "ab12"),
        (["", ""], 1, ""),
        (["ab123", "ab123"], 2, ""),  # five characters where four are expected
    ],
)
def test_a_text_is_accepted_where_enough_engines_read_it(texts: list[str], engines: int, label: str) -> None:
    readings = {str(number): reading(text) for number, text in enumerate(texts)}
    decision = rule(engines=engines).decide(readings, 4, 4)
    assert decision.label == label
    assert bool(decision.reason) == (not label)


def test_the_most_confident_text_wins_where_one_engine_is_enough() -> None:
    decision = rule(engines=1).decide({"a": reading("1234"), "b": reading("1235", 0.99, 0.99, 0.99, 0.99)}, 4, 4)
    assert (decision.label, decision.engines) == ("1235", ("b",))


def test_characters_are_voted_for_position_by_position() -> None:
    readings = {"a": reading("1x34"), "b": reading("1234"), "c": reading("y234"), "d": reading("12345")}
    decision = rule("characters").decide(readings, 4, 4)
    assert (decision.label, decision.engines) == ("1234", ("a", "b", "c"))
    assert decision.confidence == pytest.approx(0.9**4)
    assert rule("characters", 3).decide(readings, 4, 4).reason == "the engines disagree on character 1"


def test_rule_contained_wants_each_character_in_the_other_text() -> None:
    assert rule("contained").decide({"a": reading("ke8a"), "b": reading("8 ake")}, 4, 4).label == "ke8a"
    assert rule("contained").decide({"a": reading("ke8a"), "b": reading("8ak")}, 4, 4).label == ""
    assert (
        rule("contained").decide({"a": reading("ke8"), "b": reading("ke8a")}, 4, 4).reason
        == "a read no text of the right length with enough confidence"
    )


def test_an_engine_with_an_unsure_character_has_no_vote() -> None:
    readings = {"a": reading("1234"), "b": reading("1234", 0.9, 0.9, 0.2, 0.9)}
    assert rule(min_confidence=0.1).decide(readings, 4, 4).label == "1234"
    assert rule(min_confidence=0.5).decide(readings, 4, 4).reason == "too few engines read it"
    assert rule(min_confidence=0.95).decide(readings, 4, 4).reason == "nothing was read with enough confidence"


def test_a_text_with_a_disputed_symbol_is_rejected() -> None:
    decision = rule(disputed="0o").decide({"a": reading("ab0o"), "b": reading("ab0o")}, 4, 4)
    assert (decision.label, decision.reason) == ("", "holds '0o', which engines confuse")


@pytest.mark.parametrize(
    ("confidence", "others", "label"),
    [
        (0.95, ["9999", "8888"], "1234"),  # sure, and the others disagree
        (0.95, ["9999", "9999"], ""),  # sure, but contradicted by two that agree
        (0.95, [], "1234"),
        (0.5, ["9999", "9999"], "9999"),  # not sure, and the others agree
        (0.5, ["1234", "9999"], "1234"),
        (0.5, ["9999", "8888"], ""),
        (0.5, ["", ""], ""),
        (0.5, ["99999", "99999"], ""),
    ],
)
def test_a_sure_leading_engine_decides_unless_contradicted(confidence: float, others: list[str], label: str) -> None:
    readings = {"run": Reading("1234", confidence, (confidence,) * 4)}
    readings |= {str(number): reading(text) for number, text in enumerate(others)}
    assert Lead(engines=2, min_confidence=0.9, disputed="").decide(readings, 4, 4).label == label


def test_a_disputed_symbol_read_by_another_engine_is_rejected() -> None:
    readings = {"run": reading("1234"), "one": reading("o234"), "two": reading("")}
    rule = Lead(engines=1, min_confidence=0.0, disputed="o0")
    assert rule.decide(readings, 4, 4).reason == "holds 'o', which engines confuse"
    assert rule.decide({"run": reading("0234"), "one": reading("")}, 4, 4).label == "0234"


def test_a_leading_engine_with_a_text_of_wrong_length_is_ignored() -> None:
    readings = {"run": reading("123"), "one": reading("1234"), "two": reading("1234")}
    assert Lead(engines=2, min_confidence=0.0, disputed="").decide(readings, 4, 4).label == "1234"
    assert Lead(engines=3, min_confidence=0.0, disputed="").decide(readings, 4, 4).label == ""
