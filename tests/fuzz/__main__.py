"""Command line of the fuzzing: `python -m tests.fuzz DOOR [count=50000] [seed=1] [first=0]`."""

from __future__ import annotations

import sys
import time

from tests.fuzz.harness import DOORS, Figures, run

USAGE = f"python -m tests.fuzz DOOR [count=50000] [seed=1] [first=0]; DOOR is one of {', '.join(DOORS)}"


def main(arguments: list[str]) -> int:
    """Fuzz one door and print the figures; return the exit code, 1 where there were faults."""
    numbers = {"count": 50_000, "seed": 1, "first": 0}
    door, *given = arguments or [""]
    for name, _, value in (setting.partition("=") for setting in given):
        if name not in numbers or not value.isdecimal():
            sys.exit(USAGE)
        numbers[name] = int(value)
    if door not in DOORS:
        sys.exit(USAGE)
    told, faults = time.monotonic(), 0

    def tell(figures: Figures) -> None:
        nonlocal told, faults
        for fault in figures.faults[faults:]:
            print(fault, file=sys.stderr, flush=True)
        faults = len(figures.faults)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"next: first={figures.first + figures.inputs}", figures.summary(), file=sys.stderr, flush=True)

    figures = run(door, numbers["count"], numbers["seed"], numbers["first"], tell)
    tell(figures)
    print(figures.summary())
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
