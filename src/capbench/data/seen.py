"""Record of the images a run has used: to learn from, and to choose weights by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from capbench.data.material import Material
from capbench.data.sources.base import Sample, Source
from capbench.data.store import Store, digest_of
from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.utils import bounded
from capbench.utils.atomic import replacing

MOST_BYTES = 1 << 30  # of the file: over a hundred million images
MOST_STREAMS = 10_000


@dataclass(frozen=True)
class Images:
    """A set of images: kept ones by the digests of their pixels, drawn ones by stream.

    A stream is known by the digest of its first image; of each the first so many images are in the set.
    """

    digests: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    """uint64 [image], rising"""
    streams: Mapping[int, int] = field(default_factory=dict)
    """How many images, by stream"""

    @classmethod
    def of(cls, material: Material, part: str, epochs: int) -> Images:
        """Those of one part of a training's material, after so many epochs."""
        images, first = material.parts[part], material.source.first_drawn
        if images.renewed and first is not None:
            return cls(streams={digest_of(first): epochs * len(images)})
        return cls(np.unique(material.kept.digests[images.places]))

    def __len__(self) -> int:
        return len(self.digests) + sum(self.streams.values())

    def __or__(self, other: Images) -> Images:
        streams = {
            stream: max(self.streams.get(stream, 0), other.streams.get(stream, 0))
            for stream in {**self.streams, **other.streams}
        }
        return Images(np.union1d(self.digests, other.digests), streams)


class Tested(NamedTuple):
    """Images of a source that a run is tested on."""

    source: Source
    kept: Store
    places: np.ndarray
    """int64 [image], among those that are kept"""

    @property
    def samples(self) -> list[Sample]:
        return [self.source.samples[number] for number in self.kept.numbers[self.places].tolist()]

    @property
    def views(self) -> np.ndarray:
        return self.kept.views[self.places]

    @property
    def hash(self) -> str:
        """One hash of their pixels and texts, whatever their order."""
        digests = self.kept.digests[self.places].tolist()
        rows = sorted(f"{digest:016x} {sample.text}" for digest, sample in zip(digests, self.samples, strict=True))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def among(self, images: Images) -> np.ndarray | None:
        """Which of them are in the set, bool [image]; None where that cannot be known.

        Files may hold what was drawn elsewhere: if they hold a stream's first image, any of them may be of that stream.
        """
        found = np.isin(self.kept.digests[self.places], images.digests)
        first = self.source.first_drawn
        if first is None:
            streams = np.array([*images.streams], dtype=np.uint64)
            return None if np.isin(self.kept.digests, streams).any() else found
        count = images.streams.get(digest_of(first), 0)
        return found | (self.source.drawn_at(self.kept.numbers[self.places]) < count)


@dataclass(frozen=True)
class Seen:
    """What a run has met of images, with all that the runs it began with have met."""

    learned: Images = field(default_factory=Images)
    """Learned from by the run itself; by the runs that it is made of where it trained nothing"""
    before: Images = field(default_factory=Images)
    """Learned from by the runs that these began with, all the way back"""
    validated: Images = field(default_factory=Images)
    """Those by which any of them chose its best epoch"""

    @classmethod
    def by_all(cls, runs: Sequence[Seen | None]) -> Seen | None:
        """What several runs have met together; None where it is not known of one."""
        known = [run for run in runs if run is not None]
        if len(known) < len(runs):
            return None
        return cls(*(reduce(or_, (getattr(run, f.name) for run in known)) for f in fields(cls)))

    def after(self, material: Material, epochs: int) -> Seen:
        """The same when a training on this material has begun with it; without epochs nothing is met."""
        if not epochs:
            return self
        validated = self.validated | Images.of(material, "val", epochs)
        return Seen(Images.of(material, "train", epochs), self.taught, validated)

    @property
    def taught(self) -> Images:
        return self.learned | self.before

    def write(self, folder: RunFolder) -> None:
        tensors = {}
        for name in (f.name for f in fields(self)):
            images: Images = getattr(self, name)
            tensors[name] = images.digests
            tensors[f"{name}_streams"] = np.array([*images.streams.items()], dtype=np.uint64).reshape(-1, 2)
        with replacing(folder.seen, "wb") as file:
            file.write(save(tensors))

    @classmethod
    def read(cls, folder: RunFolder) -> Seen | None:
        """What `write` left; None of a run that was trained before such lists were kept, or began with one that was."""
        if not folder.seen.is_file():
            return None
        folder.check_own(folder.seen)
        if folder.seen.stat().st_size > MOST_BYTES:
            raise Mistake(f"{folder.seen} has over {MOST_BYTES:,} bytes, more than any that CapBench writes")
        try:
            bounded.check_heading(folder.seen)
            with safe_open(folder.seen, "np") as file:
                return cls(
                    *(_images(file.get_tensor(f.name), file.get_tensor(f"{f.name}_streams")) for f in fields(cls))
                )
        except (
            OSError,
            SafetensorError,
            ValueError,
            TypeError,
        ) as error:  # the last of numbers that NumPy has no type for
            raise Mistake(f"{folder.seen}: is no list of images that CapBench wrote ({error})") from error


def met(seen: Seen | None, tested: Tested, right: Sequence[bool]) -> dict[str, Any]:
    """How many of the tested images were learned from, and how many others chose weights; None where that is not known.

    And the share that was read of those that were neither, where there are any.
    """
    taught = None if seen is None else tested.among(seen.taught)
    validated = None if seen is None else tested.among(seen.validated)
    if taught is None or validated is None:
        return {"test/taught": None, "test/validated": None}
    unseen = ~(taught | validated)
    counts = {"test/taught": int(taught.sum()), "test/validated": int((validated & ~taught).sum())}
    if not unseen.any():
        return counts
    return {**counts, "test/exact_unseen": float(np.asarray(right)[unseen].mean())}


def _images(digests: np.ndarray, streams: np.ndarray) -> Images:
    if any(array.dtype != np.uint64 for array in (digests, streams)) or digests.ndim != 1 or streams.shape[1:] != (2,):
        raise ValueError("arrays of another shape or type")
    if (digests[1:] <= digests[:-1]).any() or len(streams) > MOST_STREAMS:
        raise ValueError("digests that do not rise, or too many streams")
    return Images(digests, dict(streams.tolist()))
