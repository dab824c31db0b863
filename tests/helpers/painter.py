"""Painter of small data sets, with the usual settings of a test."""

from __future__ import annotations

from capbench.render.painter import Painter
from tests.helpers.settings import style

DIGITS = "0123456789"
BARE = ("style.noise=[]", "style.smooth=false")  # characters alone, as they are drawn


def painter(*overrides: str, symbols: str = DIGITS, shortest: int = 4, longest: int = 4, seed: int = 1) -> Painter:
    """Return a painter of a style with these overrides."""
    return Painter(style(*overrides), symbols, shortest, longest, seed)
