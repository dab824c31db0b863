"""The images of a training: a source, viewed, parted and checked."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from capbench.data import copies, splits, store
from capbench.data.sources.base import Sample, Source
from capbench.data.splits import Folds
from capbench.data.views import View
from capbench.errors import Mistake
from capbench.text import AUTO, Alphabet, Codec, Over


class Request(NamedTuple):
    """What a worker needs to make one batch: all else it has."""

    epoch: int
    numbers: np.ndarray


@dataclass(frozen=True)
class Part:
    """The images of one part of the split."""

    views: np.ndarray
    places: np.ndarray
    samples: list[Sample]
    poses: np.ndarray
    """float32 [image, position, number], as the source tells; of no image but those to learn from"""

    renewed = False

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def texts(self) -> list[str]:
        return [sample.text for sample in self.samples]

    @property
    def view_shape(self) -> tuple[int, ...]:
        return self.views.shape[1:]

    def take(self, request: Request) -> tuple[np.ndarray, list[str]]:
        """Views uint8 [image, ...view] and texts of the images asked for."""
        numbers = request.numbers % len(self)  # an image that is shown again has a number of its own
        return np.array(self.views[self.places[numbers]]), [self.samples[number].text for number in numbers.tolist()]

    def poses_of(self, request: Request) -> np.ndarray:
        return self.poses[request.numbers % len(self)] if len(self.poses) else self.poses


@dataclass(frozen=True)
class Renewed(Part):
    """A training part whose images the source draws anew in each epoch."""

    source: Source
    view: View
    characters: int

    renewed = True

    def __len__(self) -> int:
        return self.source.renewed

    @property
    def view_shape(self) -> tuple[int, ...]:
        return self.take(Request(0, np.zeros(1, dtype=np.int64)))[0].shape[1:]

    def take(self, request: Request) -> tuple[np.ndarray, list[str]]:
        return self.source.renew(self._counted(request), self.view, self.characters)

    def poses_of(self, request: Request) -> np.ndarray:
        return self.source.poses(self._counted(request))

    def _counted(self, request: Request) -> np.ndarray:
        return request.numbers.astype(np.int64) + request.epoch * len(self)


class Material:
    """A source, viewed, parted and checked: all that can be wrong with the data is found when this is made.

    Where the source is parted into folds, all images are there to train and all to test, but not at once: `fold`
    gives the parts of each training.
    """

    def __init__(self, source: Source, view: View, alphabet: Alphabet, cache: str | None) -> None:
        self.source = source
        self.view = view
        _check_labels(source)
        self.shortest, self.longest = source.lengths()
        self.kept = store.prepare(source, view, self.longest, cache)
        self.bad = self.kept.bad
        self._samples = [source.samples[number] for number in self.kept.numbers]
        self.doubts = copies.doubts(self._samples, self.kept.digests, alphabet)
        """What to know of the data, a line each: it can be learned from all the same."""
        self._alphabet, self._reads_alphabet = alphabet, alphabet.symbols == AUTO
        self.fold_of = np.empty(0, dtype=np.int64)
        """Each test image's fold, int64 [image]; empty where the images test all at once."""
        self.fold_train = 0
        """How many images the recogniser of each fold learns from, at least."""
        rule = source.rule
        if not isinstance(rule, Folds):
            self._divide(source.parts(self.kept.numbers, self.kept.digests))
            return
        # One alphabet for all folds: recognisers of one size, which another run can begin whatever a fold leaves out.
        self._alphabet = alphabet.settled(sample.text for sample in self._samples)
        self.fold_of = rule.numbers(self.kept.digests)
        self._divide(rule.trained_without(None, self.kept.digests), tests=np.arange(len(self._samples)))
        # The fold that leaves the least to train on shows what is wrong.
        least = self.fold(int(np.bincount(self.fold_of).argmax()))
        self.fold_train = len(least.parts["train"])

    @property
    def folds(self) -> int:
        """How many trainings it takes to read every image; 0 where the images test all at once."""
        return int(self.fold_of.max(initial=-1)) + 1

    def fold(self, number: int) -> Material:
        """The same images with this fold as the test part."""
        rule = self.source.rule
        assert isinstance(rule, Folds)
        one = copy.copy(self)
        one.fold_of = self.fold_of[:0]
        one._divide(rule.trained_without(number, self.kept.digests))
        return one

    def _divide(self, parts: np.ndarray, tests: np.ndarray | None = None) -> None:
        """Fill the parts by the name of each image's; `tests` are the places of those that test besides."""
        source, kept = self.source, self.kept
        if source.train_size is not None:
            parts = splits.keep_fewer(parts, kept.digests, source.train_size)
        unvalidated = source.rule is not None and source.rule.val is None
        self.parts: dict[str, Part] = {}
        for name in splits.PARTS:
            if name == "train" and source.renewed:
                nothing = np.empty(0, dtype=np.int64)
                poses = source.poses(nothing)
                self.parts[name] = Renewed(kept.views, nothing, [], poses, source, self.view, self.longest)
                continue
            places = tests if name == "test" and tests is not None else np.flatnonzero(parts == name)
            if not len(places) and not (name == "val" and unvalidated):
                raise Mistake(f"data.split.{name}: leaves no image for it of {len(parts)}; ask for more")
            told = kept.numbers[places] if name == "train" else places[:0]  # only what is learned from
            poses = source.poses(told)
            self.parts[name] = Part(kept.views, places, [self._samples[place] for place in places], poses)
        self.alphabet = self._alphabet.settled(self.parts["train"].texts)
        self._check_texts()
        self.unseen = self._never_shown() if self._reads_alphabet else ""
        """The symbols that only validation and test hold: a recogniser cannot know those, and they count as mistakes"""

    @property
    def validates(self) -> bool:
        return len(self.parts["val"]) > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one view."""
        height, width, channels = self.parts["train"].view_shape[-3:]
        return channels, height, width

    def codec(self, over: Over) -> Codec:
        return Codec(self.alphabet, self.shortest, self.longest, over)

    def _check_texts(self) -> None:
        """Refuse texts that cannot be; symbols outside an alphabet that was read from training are no mistake."""
        codec = self.codec("positions")
        for part in self.parts.values():
            for sample in part.samples:
                if self._reads_alphabet and codec.outside(sample.text):
                    continue
                fault = codec.fault(sample.text)
                if fault:
                    raise Mistake(
                        f"{sample.where}: label {sample.text!r} {fault}; mend it, or widen alphabet or data.length"
                    )

    def _never_shown(self) -> str:
        symbols = {
            name: {symbol for text in part.texts for symbol in self.alphabet.folded(text)}
            for name, part in self.parts.items()
        }
        return "".join(sorted((symbols["val"] | symbols["test"]) - symbols["train"]))

    @property
    def hash(self) -> str:
        """One hash of every image's pixels, text and part, whatever their order; of a stream, what it is drawn by."""
        stream = [self.source.key] if self.source.renewed else []
        rows = stream + sorted(
            f"{name} {self.kept.digests[place]:016x} {sample.text}"
            for name, part in self.parts.items()
            for place, sample in zip(part.places, part.samples, strict=True)
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _check_labels(source: Source) -> None:
    texts = {sample.text for sample in source.samples}
    if len(texts) == 1 < len(source.samples) and not source.renewed:
        raise Mistake(
            f"data: every label is {texts.pop()!r} ({len(source.samples):,} images), and nothing can be learned from "
            f"that; look where the labels are taken from"
        )
