"""Labelled folders whose labels are found by looking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capbench.data.look import labels
from capbench.data.look.labels import LEAST, NEEDED, Labels
from capbench.data.sources.base import Sample
from capbench.data.sources.folder import Folder
from capbench.errors import Mistake


@dataclass(frozen=True, kw_only=True)
class Found(Folder):
    """Images with labels in a table or in their names, wherever they are found.

    Rows and names without a text that fits are left out, and listed.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split is None:
            raise Mistake("data.split: is null; give the sizes of the parts")

    @cached_property
    def found(self) -> Labels:
        """Labels, with lines about where they are and what was left out."""
        return labels.find(self.files)

    def parts(self, numbers: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """Return the part's name of each of the samples `numbers`; raise Mistake where too few images differ."""
        different = len(np.unique(digests))
        if different < LEAST:
            raise Mistake(
                f"data.root: of {len(self.samples):,} labelled images in {self.root}, {len(numbers):,} can be read, "
                f"of which {different} are different; {NEEDED}"
            )
        return super().parts(numbers, digests)

    def _labelled(self) -> list[Sample]:
        return self.found.samples
