"""Types of settings, annotated with their range."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Len, Lt

Count = Annotated[int, Ge(1)]
Layers = Annotated[list[Count], Len(0, 100)]  # width of each layer: units or channels
CountOrZero = Annotated[int, Ge(0)]
Pixels = Annotated[int, Ge(1), Le(4096)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Seed = Annotated[int, Ge(0), Lt(2**31)]
Byte = Annotated[int, Ge(0), Le(255)]
