"""What a request's address asks for: `/read?alphabet=digits&length=4-6&solve=true`."""

from __future__ import annotations

import re
from typing import NamedTuple, cast, get_args

from starlette.datastructures import QueryParams

from capbench.decoding.told import UNTOLD, Told
from capbench.errors import Mistake
from capbench.images import Frames
from capbench.serve.refused import Refused
from capbench.text import MOST_CHARACTERS

NAMES = ("alphabet", "length", "solve", "frames")
FRAMES = get_args(Frames)
LENGTH = r"[0-9]{1,3}(-[0-9]{1,3})?"


class Asked(NamedTuple):
    """How images are to be read."""

    told: Told = UNTOLD
    """Symbols and lengths of the texts that are considered."""
    solve: bool = False
    """True where sums are to be solved."""
    frames: Frames | None = None
    """Frames of an animation that are seen; None: as in the run's training."""

    @classmethod
    def of(cls, query: QueryParams) -> Asked:
        """Return what the query of a request asks for; raise Refused where it is not understood."""
        for name, _ in query.multi_items():
            if name not in NAMES:
                raise Refused(422, f"{name[:40]!r} is not a parameter; the parameters are {', '.join(NAMES)}")
            if len(query.getlist(name)) > 1:
                raise Refused(422, f"{name}: is given twice; give it once")
        if (solve := query.get("solve", "false")) not in ("true", "false"):
            raise Refused(422, f"solve: {solve[:40]!r} is not accepted; write true or false")
        frames = query.get("frames")
        if frames is not None and frames not in FRAMES:
            raise Refused(422, f"frames: {frames[:40]!r} is not accepted; write {' or '.join(FRAMES)}")
        try:
            told = Told.of(query.get("alphabet"), _length(query.get("length")))
            return cls(told, solve == "true", cast("Frames | None", frames))
        except Mistake as mistake:
            raise Refused(422, str(mistake)) from None


def _length(text: str | None) -> list[int] | None:
    """Return the shortest and the longest length that a text such as `4` or `4-6` means."""
    if text is None:
        return None
    numbers = [int(number) for number in text.split("-")] if re.fullmatch(LENGTH, text) else []
    if not numbers or not all(1 <= number <= MOST_CHARACTERS for number in numbers):
        raise Mistake(
            f"length: {text[:40]!r} is not accepted; write a count or shortest-longest, from 1 to {MOST_CHARACTERS}"
        )
    return [numbers[0], numbers[-1]]
