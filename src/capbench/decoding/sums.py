"""Values of sums that are read, such as `8+7=`: whole numbers, four operations, no remainder."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from capbench.text import MOST_CHARACTERS, Reading

OPERATIONS = {
    "+": "+",
    "-": "-",
    "−": "-",
    "–": "-",
    "×": "×",
    "x": "×",
    "X": "×",
    "*": "×",
    "÷": "÷",
    "/": "÷",
    ":": "÷",
}
_SIGNS = "".join(map(re.escape, OPERATIONS))
_SUM = re.compile(rf"[-−–]?[0-9]+(?:[{_SIGNS}][0-9]+)+(?:=\??|\?)?")
_TERM = re.compile(rf"([{_SIGNS}]?)([0-9]+)")


class Value(NamedTuple):
    """Value of a text as a sum."""

    value: str | None
    """Whole number, such as `15`; None where there is none."""
    error: str | None
    """Reason why there is no value."""


def value_of(text: str) -> Value:
    """Return the value of a sum; an equals sign, a question mark, or both may end it, and spaces do not count.

    Products and quotients are reckoned before sums and differences, from left to right.
    """
    sum_ = "".join(text.split())
    if len(sum_) > MOST_CHARACTERS or not _SUM.fullmatch(sum_):
        return Value(None, "is no sum")
    total, term = 0, 0  # the terms before the last one, and the last one so far
    for sign, digits in _TERM.findall(sum_):
        operation, number = OPERATIONS.get(sign, "+"), int(digits)
        if operation == "×":
            term *= number
        elif operation == "÷":
            if number == 0:
                return Value(None, "divides by zero")
            term, remainder = divmod(term, number)
            if remainder:
                return Value(None, "leaves a remainder")
        else:
            total, term = total + term, number if operation == "+" else -number
    return Value(str(total + term), None)


def solved(reading: Reading) -> Reading:
    """Return the reading with the value of its text."""
    value, error = value_of(reading.text)
    return replace(reading, value=value, value_error=error)
