"""Values of sums."""

from __future__ import annotations

import pytest

from capbench.decoding.sums import solved, value_of
from capbench.text import Reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8+7=", "15"),
        ("8+7=?", "15"),
        ("8+7?", "15"),
        ("8+7", "15"),
        ("3-8=", "-5"),
        ("3−8=", "-5"),
        ("-3+5=", "2"),
        ("-3x5=", "-15"),
        ("10x2=", "20"),
        ("10X2=", "20"),
        ("10×2=", "20"),
        ("10*2=", "20"),
        ("12÷4=", "3"),
        ("12/4=", "3"),
        ("12:4=", "3"),
        ("-12/4=", "-3"),
        ("2+3×4-1=", "13"),
        ("20-12/4/3=", "19"),
        ("6÷3×2=", "4"),
        ("007+1=", "8"),
        (" 8 + 7 = ", "15"),
        ("9" * 50 + "+1=", "1" + "0" * 50),
    ],
)
def test_the_value_of_a_sum(text: str, value: str) -> None:
    assert value_of(text) == (value, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15",
        "15=",
        "8+",
        "+8",
        "8++7",
        "8+-7",
        "8+7=15",
        "abc",
        "8+a=",
        "8^7",
        "8+7==",
        "8.5+1",
        "٣+٤",
        "8+7=?!",
        "9" * 300 + "+1",
    ],
)
def test_what_is_no_sum_says_so(text: str) -> None:
    assert value_of(text) == (None, "is no sum")


def test_a_quotient_must_be_exact() -> None:
    assert value_of("7/2=") == (None, "leaves a remainder")
    assert value_of("7/2*2=") == (None, "leaves a remainder")
    assert value_of("-7/2=") == (None, "leaves a remainder")
    assert value_of("7÷0=") == (None, "divides by zero")


def test_a_solved_reading_keeps_its_text() -> None:
    assert solved(Reading("8+7=", 0.5, (0.5,) * 4)) == Reading("8+7=", 0.5, (0.5,) * 4, "15", None)
    assert solved(Reading("87", 0.5, (0.5,) * 2)).value_error == "is no sum"
