"""Base class of the sources that are labelled folders."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from capbench import images
from capbench.data.corrections import Correction, digest_of, read
from capbench.data.sources.base import Sample, Source
from capbench.data.splits import Rule
from capbench.errors import Mistake, nearest
from capbench.images.folder import Files, legible
from capbench.text import Length, bounds
from capbench.types import Count


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """Labelled folder; each subclass finds the labels in another place."""

    root: str
    split: Rule | None
    length: Length | None
    train_size: Count | None
    exif: images.Exif
    frames: images.Frames = "first"
    on_bad: Literal["error", "skip"]
    corrections: str | list[str] | None = None

    files: Files = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_utf8("data.root", self.root)
        object.__setattr__(self, "files", Files(self.root, "data.root"))
        if self.length is not None:
            bounds(self.length)

    @property
    def rule(self) -> Rule | None:
        """Rule that splits the images into parts; None where each sample names its part."""
        return self.split

    @abstractmethod
    def _labelled(self) -> list[Sample]: ...

    @cached_property
    def samples(self) -> list[Sample]:
        """Labelled images in a stable order; raise Mistake where there are none."""
        samples = self._labelled()
        if not samples:
            raise Mistake(
                f"data.root: {self.root} holds no labelled image; accepted are {', '.join(sorted(images.SUFFIXES))}"
            )
        return [sample for sample in map(self._corrected, samples) if sample.text]

    def _corrected(self, sample: Sample) -> Sample:
        return sample._replace(text=self.corrected.get(sample.name, sample.text))

    @cached_property
    def corrected(self) -> dict[str, str]:
        """Texts by a person, by file name, which replace the labels; an empty one leaves the image out.

        Of several files the last that names an image counts.
        """
        given = [self.corrections] if isinstance(self.corrections, str) else self.corrections or []
        return {row.name: row.label for path in given for row in self._by_person(path)}

    def _by_person(self, path: str) -> Iterator[Correction]:
        """Yield the rows of a file of corrections; raise Mistake where an image is missing, or is not what was seen."""
        for row in read(Path(path), "data.corrections"):
            if row.name not in self.files.known:
                raise Mistake(f"{path}: {row.name!r} is no file of {self.root}; {nearest(row.name, self.files.images)}")
            if row.image and row.image != digest_of(self.files.read(row.name)):
                raise Mistake(f"{path}: {row.name!r} is another image than the one corrected; remove the row")
            yield row

    @cached_property
    def key(self) -> str:
        """Hash of the image files' names and contents, and of what decodes them."""
        seen = "" if self.frames == "first" else f" {self.frames}"
        digest = hashlib.sha256(f"{version('pillow')} {self.exif}{seen}".encode())
        for sample in self.samples:
            try:
                content = self.files.read(sample.name)
            except images.BadImage:
                content = b""
            digest.update(sample.name.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def image(self, number: int) -> np.ndarray:
        """Return one image, uint8 [height, width, 3 or 4], or raise BadImage."""
        return images.decode(self.files.read(self.samples[number].name), self.exif, frames=self.frames)

    def lengths(self) -> tuple[int, int]:
        """Return the lengths of the shortest and the longest text."""
        if self.length is not None:
            return bounds(self.length)
        sizes = [len(sample.text) for sample in self.samples]
        return min(sizes), max(sizes)


def check_utf8(key: str, path: str) -> None:
    """Raise Mistake for a path that is not UTF-8, in which a run writes its settings."""
    if legible(path) != path:
        raise Mistake(f"{key}: '{legible(path)}' is not UTF-8 text; rename it")


def without_repeats(samples: Iterable[Sample]) -> list[Sample]:
    """Return one sample for each file; raise Mistake where rows about one file disagree."""
    first: dict[str, Sample] = {}
    for sample in samples:
        known = first.setdefault(sample.name, sample)
        if (known.text, known.part) != (sample.text, sample.part):
            raise Mistake(
                f"{sample.where}: {sample.name!r} is {sample.text!r} here and {known.text!r} at {known.where}; keep one row"
            )
    return list(first.values())
