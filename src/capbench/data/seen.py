"""Record of the images that a run has used for training and for choosing its weights."""

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

MOST_BYTES = 1 << 30  # size limit of the file, enough for over a hundred million images
MOST_STREAMS = 10_000


@dataclass(frozen=True)
class Images:
    """Set of images: stored ones by the digests of their pixels, drawn ones by stream.

    A stream is identified by the digest of its first image, and counts how many of its first images are in the set.
    """

    digests: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    """uint64 [image], ascending"""
    streams: Mapping[int, int] = field(default_factory=dict)
    """Number of images by stream"""

    @classmethod
    def of(cls, material: Material, part: str, epochs: int) -> Images:
        """Return the images of one part of a training's material after `epochs` epochs."""
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
    """int64 [image], the index of each image in `kept`"""

    @property
    def samples(self) -> list[Sample]:
        """Sample of each image."""
        return [self.source.samples[number] for number in self.kept.numbers[self.places].tolist()]

    @property
    def views(self) -> np.ndarray:
        """Views of the images, uint8 [image, ...view]."""
        return self.kept.views[self.places]

    @property
    def hash(self) -> str:
        """Hash of the images' pixels and texts, independent of their order."""
        digests = self.kept.digests[self.places].tolist()
        rows = sorted(f"{digest:016x} {sample.text}" for digest, sample in zip(digests, self.samples, strict=True))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def among(self, images: Images) -> np.ndarray | None:
        """Return which of the tested images are in the set, bool [image], or None where that cannot be known.

        Files may hold images that were drawn elsewhere: if they hold the first image of a stream in the set, any of
        them may belong to that stream.
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
    """Images that a run has used, with those of all runs that it started from."""

    learned: Images = field(default_factory=Images)
    """Images that the run itself learned from; where it trained nothing, those of the runs that it is made of"""
    before: Images = field(default_factory=Images)
    """Images that the earlier runs learned from, back to the first"""
    validated: Images = field(default_factory=Images)
    """Images by which any of these runs chose its best epoch"""

    @classmethod
    def by_all(cls, runs: Sequence[Seen | None]) -> Seen | None:
        """Return the images that several runs have used together, or None where one of them has no record."""
        known = [run for run in runs if run is not None]
        if len(known) < len(runs):
            return None
        return cls(*(reduce(or_, (getattr(run, f.name) for run in known)) for f in fields(cls)))

    def after(self, material: Material, epochs: int) -> Seen:
        """Return the record of a training on `material` that started from this run; the same record for 0 epochs."""
        if not epochs:
            return self
        validated = self.validated | Images.of(material, "val", epochs)
        return Seen(Images.of(material, "train", epochs), self.taught, validated)

    @property
    def taught(self) -> Images:
        """Images that this run or an earlier one learned from."""
        return self.learned | self.before

    def write(self, folder: RunFolder) -> None:
        """Write the record to the run's folder."""
        tensors = {}
        for name in (f.name for f in fields(self)):
            images: Images = getattr(self, name)
            tensors[name] = images.digests
            tensors[f"{name}_streams"] = np.array([*images.streams.items()], dtype=np.uint64).reshape(-1, 2)
        with replacing(folder.seen, "wb") as file:
            file.write(save(tensors))

    @classmethod
    def read(cls, folder: RunFolder) -> Seen | None:
        """Return the record that `write` left, or None.

        None means that the run, or one that it started from, was trained before such records were kept.
        """
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
        # TypeError and AttributeError: number types that NumPy lacks.
        except (OSError, SafetensorError, ValueError, TypeError, AttributeError) as error:
            raise Mistake(f"{folder.seen}: is not a list of images that CapBench wrote ({error})") from error


def met(seen: Seen | None, tested: Tested, right: Sequence[bool]) -> dict[str, Any]:
    """Return how many tested images the run learned from, and how many others it chose its weights by.

    Both are None where that is not known. Where some images were used for neither, the result also holds the share of
    these that was read correctly. `right` has an entry for each tested image.
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
    """Return the set of images that two arrays of a file stand for; raise ValueError where they are malformed."""
    if any(array.dtype != np.uint64 for array in (digests, streams)) or digests.ndim != 1 or streams.shape[1:] != (2,):
        raise ValueError("arrays of another shape or type")
    if (digests[1:] <= digests[:-1]).any() or len(streams) > MOST_STREAMS:
        raise ValueError("digests that do not rise, or too many streams")
    return Images(digests, dict(streams.tolist()))
