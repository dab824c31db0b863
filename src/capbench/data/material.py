"""Images of one training: the views of a source, split into parts and checked."""

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

HALVES = 2  # of the training images, each read by a recogniser that was taught the other


class Request(NamedTuple):
    """Epoch and image numbers, int64 [image], from which a worker makes one batch."""

    epoch: int
    numbers: np.ndarray


@dataclass(frozen=True)
class Part:
    """Images of one part of the split."""

    views: np.ndarray
    """uint8 [stored image, ...view], the views of all parts"""
    places: np.ndarray
    """int64 [image], the index of each image of this part in `views`"""
    samples: list[Sample]
    poses: np.ndarray
    """float32 [image, position, number], from the source; empty for validation and test"""

    renewed = False
    """True where the source draws the images anew in each epoch."""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def texts(self) -> list[str]:
        """Label of each image."""
        return [sample.text for sample in self.samples]

    @property
    def view_shape(self) -> tuple[int, ...]:
        """Shape of one view: [height, width, channel] or [character, height, width, channel]."""
        return self.views.shape[1:]

    def take(self, request: Request) -> tuple[np.ndarray, list[str]]:
        """Return the views, uint8 [image, ...view], and the texts of the requested images."""
        numbers = request.numbers % len(self)  # repeats of an image have numbers from len(self) on
        return np.array(self.views[self.places[numbers]]), [self.samples[number].text for number in numbers.tolist()]

    def poses_of(self, request: Request) -> np.ndarray:
        """Return the poses of the requested images, float32 [image, position, number]; empty where unknown."""
        return self.poses[request.numbers % len(self)] if len(self.poses) else self.poses


@dataclass(frozen=True)
class RedrawnPart(Part):
    """Training part whose images the source draws anew in each epoch."""

    source: Source
    view: View
    characters: int

    renewed = True

    def __len__(self) -> int:
        return self.source.renewed

    @property
    def view_shape(self) -> tuple[int, ...]:
        """Shape of one view: [height, width, channel] or [character, height, width, channel]."""
        return self.take(Request(0, np.zeros(1, dtype=np.int64)))[0].shape[1:]

    def take(self, request: Request) -> tuple[np.ndarray, list[str]]:
        """Return newly drawn views, uint8 [image, ...view], and their texts."""
        return self.source.renew(self._counted(request), self.view, self.characters)

    def poses_of(self, request: Request) -> np.ndarray:
        """Return the poses of the drawn images, float32 [image, position, number]."""
        return self.source.poses(self._counted(request))

    def _counted(self, request: Request) -> np.ndarray:
        return request.numbers.astype(np.int64) + request.epoch * len(self)


class Material:
    """Views of a source, split into parts and checked: construction finds all errors of the data.

    Where the source is split into folds, all images are in the training part and all in the test part; `fold` gives the
    parts of each single training.
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
        """Warnings about the data, one line each; they do not prevent a training."""
        self._alphabet, self._reads_alphabet = alphabet, alphabet.symbols == AUTO
        self.fold_of = np.empty(0, dtype=np.int64)
        """int64 [image], the fold of each test image; empty without folds."""
        self.fold_train = 0
        """Least number of images that the recogniser of a fold learns from; 0 without folds."""
        rule = source.rule
        if not isinstance(rule, Folds):
            self._divide(source.parts(self.kept.numbers, self.kept.digests))
            return
        # One alphabet for all folds: all recognisers have the same size, and another run can start from any of them.
        self._alphabet = alphabet.settled(sample.text for sample in self._samples)
        self.fold_of = rule.numbers(self.kept.digests)
        self._divide(rule.trained_without(None, self.kept.digests), tests=np.arange(len(self._samples)))
        # The fold with the fewest training images shows whether the data are sufficient for all.
        least = self.fold(int(np.bincount(self.fold_of).argmax()))
        self.fold_train = len(least.parts["train"])

    @property
    def folds(self) -> int:
        """Number of trainings that are needed to read every image; 0 without folds."""
        return int(self.fold_of.max(initial=-1)) + 1

    def fold(self, number: int) -> Material:
        """Return the same images with fold `number` as the test part."""
        rule = self.source.rule
        assert isinstance(rule, Folds)
        one = copy.copy(self)
        one.fold_of = self.fold_of[:0]
        one._divide(rule.trained_without(number, self.kept.digests))
        return one

    def half(self, number: int) -> Material:
        """Return the same images with half `number` (0 or 1) of the training images as the test part.

        All other images are in the training part, but for those of validation. Equal images share a half.
        """
        digests, train = self.kept.digests, self.parts["train"].places
        different = np.unique(digests[train])
        if len(different) < HALVES:
            raise Mistake("doubts: one training image has no halves; label more images, or set doubts=false")
        parts = np.full(len(digests), "", dtype="<U5")
        for name in ("test", "train", "val"):
            parts[self.parts[name].places] = "val" if name == "val" else "train"
        parts[(parts == "train") & np.isin(digests, different[number::HALVES])] = "test"
        one = copy.copy(self)
        one.fold_of = self.fold_of[:0]
        one._fill(parts)
        return one

    def _divide(self, parts: np.ndarray, tests: np.ndarray | None = None) -> None:
        """Fill `self.parts` from the part's name of each image, <U5 [image].

        `tests`, int64 [image], are the indices of the test images where other parts may hold them as well.
        """
        if self.source.train_size is not None:
            parts = splits.keep_fewer(parts, self.kept.digests, self.source.train_size)
        self._fill(parts, tests)

    def _fill(self, parts: np.ndarray, tests: np.ndarray | None = None) -> None:
        """Fill `self.parts` with exactly these parts, <U5 [image]."""
        source, kept = self.source, self.kept
        unvalidated = source.rule is not None and source.rule.val is None
        self.parts: dict[str, Part] = {}
        for name in splits.PARTS:
            if name == "train" and source.renewed:
                nothing = np.empty(0, dtype=np.int64)
                poses = source.poses(nothing)
                self.parts[name] = RedrawnPart(kept.views, nothing, [], poses, source, self.view, self.longest)
                continue
            places = tests if name == "test" and tests is not None else np.flatnonzero(parts == name)
            if not len(places) and not (name == "val" and unvalidated):
                raise Mistake(f"data.split.{name}: gets none of {len(parts)} images; set more")
            posed = kept.numbers[places] if name == "train" else places[:0]  # poses are used in training only
            poses = source.poses(posed)
            self.parts[name] = Part(kept.views, places, [self._samples[place] for place in places], poses)
        self.alphabet = self._alphabet.settled(self.parts["train"].texts)
        self._check_texts()
        self.unseen = self._never_shown() if self._reads_alphabet else ""
        """Symbols that only validation and test hold: the recogniser cannot know them, so they count as errors."""

    @property
    def validates(self) -> bool:
        """True where there are validation images."""
        return len(self.parts["val"]) > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one view."""
        height, width, channels = self.parts["train"].view_shape[-3:]
        return channels, height, width

    def codec(self, over: Over) -> Codec:
        """Return the codec of these texts for scores over positions or over time."""
        return Codec(self.alphabet, self.shortest, self.longest, over)

    def _check_texts(self) -> None:
        """Raise Mistake for a text that cannot be encoded.

        Symbols outside an alphabet that was read from the training texts are allowed.
        """
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
        """Return the symbols of validation and test that no training text holds."""
        symbols = {
            name: {symbol for text in part.texts for symbol in self.alphabet.folded(text)}
            for name, part in self.parts.items()
        }
        return "".join(sorted((symbols["val"] | symbols["test"]) - symbols["train"]))

    @property
    def hash(self) -> str:
        """Hash of every image's pixels, text and part, independent of their order.

        Training images that are drawn anew enter by their source's key.
        """
        stream = [self.source.key] if self.source.renewed else []
        rows = stream + sorted(
            f"{name} {self.kept.digests[place]:016x} {sample.text}"
            for name, part in self.parts.items()
            for place, sample in zip(part.places, part.samples, strict=True)
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _check_labels(source: Source) -> None:
    """Raise Mistake where all labels are the same."""
    texts = {sample.text for sample in source.samples}
    if len(texts) == 1 < len(source.samples) and not source.renewed:
        raise Mistake(
            f"data: every label is {texts.pop()!r} ({len(source.samples):,} images), and nothing can be learned from "
            f"that; look where the labels are taken from"
        )
