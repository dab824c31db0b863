"""Source that reads a folder with an array of images, as `capbench render format=npy` writes it."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from capbench import Mistake, Sample, Source, Split


@dataclass(frozen=True, kw_only=True)
class Array(Source):
    """Images of `images.npy`, uint8 [image, height, width, 3], with the texts of `labels.csv` in the same order."""

    root: str
    split: Split
    train_size: int | None
    on_bad: Literal["error", "skip"]

    def __post_init__(self) -> None:
        for file in (self.pixels, self.labels):
            if not file.is_file():
                raise Mistake(f"data.root: {self.root} holds no {file.name}; give a folder of render format=npy")

    @property
    def pixels(self) -> Path:
        """File of the array."""
        return Path(self.root) / "images.npy"

    @property
    def labels(self) -> Path:
        """File of the texts."""
        return Path(self.root) / "labels.csv"

    @cached_property
    def samples(self) -> list[Sample]:
        """One sample for each row of labels.csv."""
        with self.labels.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [Sample(row["filename"], row["label"], str(self.labels), None) for row in rows]

    @property
    def key(self) -> str:
        """Hash of both files."""
        return hashlib.sha256(self.pixels.read_bytes() + self.labels.read_bytes()).hexdigest()

    def image(self, number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return one image, uint8 [height, width, 3]."""
        return np.array(np.load(self.pixels, mmap_mode="r")[number])

    def lengths(self) -> tuple[int, int]:
        """Return the lengths of the shortest and the longest text."""
        sizes = [len(sample.text) for sample in self.samples]
        return min(sizes), max(sizes)

    @property
    def rule(self) -> Split:
        """Rule that splits the images into parts."""
        return self.split
