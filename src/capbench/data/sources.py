"""Where pairs of image and text come from: rendered, a CSV, file names, OCR labels."""

from __future__ import annotations

import hashlib
import posixpath
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from capbench import images
from capbench.data import splits, tables
from capbench.data.naming import plain_labels
from capbench.data.splits import Rule, Split
from capbench.data.views import View, Whole
from capbench.errors import Mistake, nearest
from capbench.images.folder import Files, legible
from capbench.render.painter import Painter
from capbench.render.reference import CaptchaPackage, Renderer
from capbench.render.style import Style
from capbench.text import Alphabet, Length, bounds, with_zeros
from capbench.types import Count, Seed, Share

WITNESSES = 16  # samples whose pixels stand for how a renderer draws
PART_SPACING = 1 << 40  # indices between the training, validation and test samples of one stream


class Sample(NamedTuple):
    """One pair before its image is decoded; `where` names its origin in messages."""

    name: str
    text: str
    where: str
    part: str | None


class Source(ABC):
    """Samples in a stable order, and the image of each."""

    train_size: Count | None
    on_bad: Literal["error", "skip"]
    truth: ClassVar[str] = "labels"
    """Who says what stands in its images: labels that come with them, renderer or engines"""

    @property
    @abstractmethod
    def samples(self) -> list[Sample]: ...

    @property
    @abstractmethod
    def key(self) -> str:
        """A hash of all that decides the images' pixels."""

    @abstractmethod
    def image(self, number: int) -> np.ndarray:
        """uint8 [height, width, 3 or 4], or BadImage. Called from several processes."""

    @abstractmethod
    def lengths(self) -> tuple[int, int]:
        """The shortest and the longest text to expect."""

    @property
    @abstractmethod
    def rule(self) -> Rule | None:
        """How the images are parted, or None where each sample names its part."""

    def parts(self, numbers: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """The part's name of each of the samples `numbers`, whose pixels have these digests."""
        if self.rule is not None:
            return self.rule.assign(digests)
        samples = [self.samples[number] for number in numbers]
        return splits.given([s.part for s in samples], [s.where for s in samples])

    @property
    def first_drawn(self) -> np.ndarray | None:
        """The first image of the stream that training images are drawn from; None where all images come from files."""
        return None

    def drawn_at(self, numbers: np.ndarray) -> np.ndarray:
        """The place of each of the samples `numbers` in that stream, int64 [sample]."""
        raise TypeError(f"{type(self).__name__} draws nothing")

    @property
    def renewed(self) -> int:
        """How many training images each epoch draws anew; 0 where all training images are among the samples."""
        return 0

    def renew(self, numbers: np.ndarray, view: View, characters: int) -> tuple[np.ndarray, list[str]]:
        """Views uint8 [image, ...view] and texts of training images, counted from the first epoch's first."""
        raise TypeError(f"{type(self).__name__} has its images once and for all")

    def poses(self, numbers: np.ndarray) -> np.ndarray:
        """How the characters of training images are drawn, float32 [image, position, number], NaN behind a text.

        Training images are counted as `renew` does. Of images that nobody here drew there are no numbers.
        """
        return np.empty((len(numbers), 0, 0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """Rendered captchas. Sample i of a seed is the same for ever; the parts are far-apart ranges of i.

    `fresh` training images are drawn anew for each epoch, without end and without storage; `train_size` asks for
    certain images, the same in each epoch. Training draws each symbol once more for each time it stands in `often`.
    """

    renderer: Literal["capbench", "captcha"]
    fresh: bool
    style: Style
    alphabet: Alphabet
    often: str
    length: Length
    seed: Seed
    split: Split
    train_size: Count | None

    on_bad = "error"
    rule = None
    truth = "renderer"

    def __post_init__(self) -> None:
        self.alphabet.known()
        if outside := "".join(sorted(set(self.often) - set(self.alphabet.symbols))):
            raise Mistake(f"data.often: {outside!r} is outside the alphabet {self.alphabet.symbols!r}")
        for part in ("train", "val", "test"):
            if not isinstance(getattr(self.split, part), int):
                raise Mistake(f"data.split.{part}: {getattr(self.split, part)} is no count; say how many to render")
        bounds(self.length)
        _ = self._renderer  # a style that cannot show these texts is refused here

    @cached_property
    def _renderer(self) -> Renderer:
        return self._drawing(self.alphabet.symbols)

    @cached_property
    def _training_renderer(self) -> Renderer:
        return self._drawing(self.alphabet.symbols + self.often)

    def _drawing(self, symbols: str) -> Renderer:
        kind: type[Painter] | type[CaptchaPackage] = Painter if self.renderer == "capbench" else CaptchaPackage
        return kind(self.style, symbols, *bounds(self.length), self.seed)

    def _renderer_of(self, part: str) -> Renderer:
        return self._training_renderer if part == "train" else self._renderer

    @cached_property
    def _indices(self) -> list[tuple[int, str]]:
        sizes = {"train": self.split.train, "val": self.split.val, "test": self.split.test}
        if self.train_size is not None:
            if self.train_size > int(sizes["train"] or 0):
                raise Mistake(f"data.train_size: {self.train_size} is more than data.split.train={sizes['train']}")
            sizes["train"] = self.train_size
        if self.renewed:
            sizes["train"] = 0
        return [
            (number * PART_SPACING + i, part)
            for number, (part, size) in enumerate(sizes.items())
            for i in range(int(size or 0))
        ]

    @cached_property
    def samples(self) -> list[Sample]:
        samples: list[Sample] = []
        for part, group in groupby(self._indices, key=itemgetter(1)):
            indices = [index for index, _ in group]
            texts = self._renderer_of(part).texts(np.array(indices, dtype=np.int64))
            samples += [
                Sample(f"{part}_{index % PART_SPACING}", text, f"sample {index}", part)
                for index, text in zip(indices, texts, strict=True)
            ]
        return samples

    @cached_property
    def key(self) -> str:
        engines = [version(package) for package in ("captcha", "pillow", "numpy", "numba", "opencv-python-headless")]
        stream = (self.renderer, self.fresh, self.style, self.alphabet, self.often, bounds(self.length), self.seed)
        digest = hashlib.sha256(repr((stream, self.split, self.train_size, engines)).encode())
        # A renderer that came to draw otherwise must not be taken for what it was.
        digest.update(self._renderer.pictures(np.arange(WITNESSES)).tobytes())
        return digest.hexdigest()

    def only(self, part: str, most: int | None = None) -> Synthetic:
        """This source with next to nothing in its other parts, for who wants just one; of fresh images, the first.

        And with no more than the first `most` images of that part.
        """
        count = getattr(self.split, part)
        count = count if most is None else min(count, most)
        sizes = {name: count if name == part else 1 for name in ("train", "val", "test")}
        train_size = self.train_size if part == "train" else None
        return replace(self, fresh=False, split=Split(**sizes), train_size=train_size)

    def image(self, number: int) -> np.ndarray:
        index, part = self._indices[number]
        return self._renderer_of(part).sample(index)[0]

    def lengths(self) -> tuple[int, int]:
        return bounds(self.length)

    @cached_property
    def first_drawn(self) -> np.ndarray:
        return self._training_renderer.sample(0)[0]

    def drawn_at(self, numbers: np.ndarray) -> np.ndarray:
        return np.array([self._indices[number][0] for number in numbers.tolist()], dtype=np.int64)

    @property
    def renewed(self) -> int:
        return int(self.split.train or 0) if self.fresh and self.train_size is None else 0

    def renew(self, numbers: np.ndarray, view: View, characters: int) -> tuple[np.ndarray, list[str]]:
        renderer = self._training_renderer
        if isinstance(renderer, Painter) and isinstance(view, Whole) and view.channel == "grey":
            pictures = renderer.pictures(numbers, grey=True)
            if view.size in (None, [self.style.height, self.style.width]):
                return pictures, renderer.texts(numbers)
        else:
            pictures = renderer.pictures(numbers)
        return np.stack([view(picture, characters) for picture in pictures]), renderer.texts(numbers)

    def poses(self, numbers: np.ndarray) -> np.ndarray:
        renderer = self._training_renderer
        return renderer.poses(numbers) if isinstance(renderer, Painter) else super().poses(numbers)


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """What all labelled folders share; each kind says where the labels stand."""

    root: str
    split: Rule | None
    length: Length | None
    train_size: Count | None
    exif: images.Exif
    on_bad: Literal["error", "skip"]

    files: Files = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_text("data.root", self.root)
        object.__setattr__(self, "files", Files(self.root, "data.root"))
        if self.length is not None:
            bounds(self.length)

    @property
    def rule(self) -> Rule | None:
        return self.split

    @abstractmethod
    def _labelled(self) -> list[Sample]: ...

    @cached_property
    def samples(self) -> list[Sample]:
        samples = self._labelled()
        if not samples:
            raise Mistake(
                f"data.root: {self.root} holds no labelled image; accepted are {', '.join(sorted(images.SUFFIXES))}"
            )
        return samples

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(f"{version('pillow')} {self.exif}".encode())
        for sample in self.samples:
            try:
                content = self.files.read(sample.name)
            except images.BadImage:
                content = b""
            digest.update(sample.name.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def image(self, number: int) -> np.ndarray:
        return images.decode(self.files.read(self.samples[number].name), self.exif)

    def lengths(self) -> tuple[int, int]:
        if self.length is not None:
            return bounds(self.length)
        sizes = [len(sample.text) for sample in self.samples]
        return min(sizes), max(sizes)


@dataclass(frozen=True, kw_only=True)
class Csv(Folder):
    """Images named by a CSV file that lies among them."""

    labels: str
    file_column: str
    label_column: str
    split_column: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text("data.labels", self.labels)

    @property
    def rule(self) -> Rule | None:
        return None if self.split_column else self.split

    def _labelled(self) -> list[Sample]:
        if self.split_column is None and self.split is None:
            raise Mistake("data.split: is null; give sizes, or name the column with data.split_column")
        return _without_repeats(self._row(place, row) for place, row in self._rows())

    def _rows(self) -> Iterable[tuple[str, dict[str, str]]]:
        wanted = [self.file_column, self.label_column, *([self.split_column] if self.split_column else [])]
        try:
            return tables.rows(*self._table(), wanted)
        except images.BadImage as error:
            raise Mistake(f"{self.root}/{self.labels}: {error}; mend it, or split the folder") from error

    def _table(self) -> tuple[str, bytes]:
        """Where the CSV file stands, below the root or elsewhere, and its content."""
        if self._below is not None:
            return f"{self.root}/{self._below}", self.files.read(self._below)
        elsewhere = Path(self.labels)
        if not elsewhere.is_file():
            names = [name for name in self.files.names if name.lower().endswith(".csv")]
            raise Mistake(f"data.labels: {self.root}/{self.labels} does not exist; {nearest(self.labels, names)}")
        return self.labels, Files(str(elsewhere.parent), "data.labels").read(elsewhere.name)

    @cached_property
    def _below(self) -> str | None:
        """The CSV file's path below the root, as it is set or, in a zip file of a folder, where the only such file is."""
        if self.labels in self.files.known:
            return self.labels
        deeper = [name for name in self.files.names if PurePosixPath(name).name == self.labels]
        return deeper[0] if len(deeper) == 1 and not Path(self.labels).is_file() else None

    def _row(self, place: str, row: dict[str, str]) -> Sample:
        written = row[self.file_column].strip()
        name = self._named(written)
        if name is None:
            if ".npy#" in written:
                raise Mistake(
                    f"{place}: {written!r} lies in an array, for other programs; render with format=png or zip"
                )
            raise Mistake(f"{place}: {written!r} does not exist below {self.root}; mend the row or add the file")
        label = self._padded(row[self.label_column].strip())
        if not label:
            raise Mistake(f"{place}: has no label; fill it, or leave such rows out with data=ocr")
        return Sample(name, label, place, row[self.split_column].strip() if self.split_column else None)

    def _named(self, written: str) -> str | None:
        """The file that a row means: by a path from the root or from the CSV file's folder, or by its whole path."""
        if written in self.files.known:
            return written
        path = written.replace("\\", "/")
        for start in ("", posixpath.dirname(self._below or Path(self.labels).absolute())):
            wanted = posixpath.normpath(posixpath.join(start, path))
            if posixpath.isabs(wanted):
                wanted = posixpath.relpath(wanted, self.files.root.absolute())
            if wanted in self.files.known:
                return wanted
        return None

    def _padded(self, text: str) -> str:
        return with_zeros(text, self.length) if isinstance(self.length, int) else text


@dataclass(frozen=True, kw_only=True)
class Ocr(Csv):
    """Images with labels on which engines agreed: rows without a label, or less sure than wanted, stay out."""

    confidence_column: str
    min_confidence: Share

    truth = "engines"

    def _labelled(self) -> list[Sample]:
        rows = list(self._rows())
        if rows and self.min_confidence > 0 and self.confidence_column not in rows[0][1]:
            raise Mistake(f"{rows[0][0]}: has no column {self.confidence_column!r}; set data.min_confidence=0")
        return _without_repeats(
            self._row(place, row) for place, row in rows if row[self.label_column].strip() and self._sure(place, row)
        )

    def _sure(self, place: str, row: dict[str, str]) -> bool:
        if self.min_confidence == 0:
            return True
        try:
            return float(row[self.confidence_column]) >= self.min_confidence
        except (TypeError, ValueError) as error:
            raise Mistake(f"{place}: confidence {row[self.confidence_column]!r} is no number; write 0 to 1") from error


@dataclass(frozen=True, kw_only=True)
class FileNames(Folder):
    """Images whose names hold their text: the group `label` of a pattern matched against each name.

    Without a pattern, names must be such that there is one way to read them.
    """

    pattern: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split is None:
            raise Mistake("data.split: is null; give the sizes of the parts")
        if self.pattern is None:
            return
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise Mistake(f"data.pattern: {self.pattern!r} is no regular expression ({error})") from error
        if "label" not in groups:
            raise Mistake(f"data.pattern: {self.pattern!r} has no group (?P<label>…); mark the text with one")

    def _labelled(self) -> list[Sample]:
        names = self.files.images
        labels = plain_labels(self.root, names) if self.pattern is None else self._found(self.pattern, names)
        for name, label in zip(names, labels, strict=True):
            if "\\" in label:
                raise Mistake(f"{self.root}/{name}: its name is no text in UTF-8; rename it")
        return [Sample(name, label, f"{self.root}/{name}", None) for name, label in zip(names, labels, strict=True)]

    def _found(self, pattern: str, names: Sequence[str]) -> list[str]:
        labels = []
        for name in names:
            found = re.fullmatch(pattern, PurePosixPath(name).name)
            if found is None or not found["label"]:
                raise Mistake(
                    f"{self.root}/{name}: does not match data.pattern {pattern!r}; rename it or mend the pattern"
                )
            labels.append(found["label"])
        return labels


def _check_text(key: str, path: str) -> None:
    """A run writes its settings down, in UTF-8."""
    if legible(path) != path:
        raise Mistake(f"{key}: '{legible(path)}' is no text in UTF-8; rename it")


def _without_repeats(samples: Iterable[Sample]) -> list[Sample]:
    """A file may stand in several rows only if they agree."""
    first: dict[str, Sample] = {}
    for sample in samples:
        known = first.setdefault(sample.name, sample)
        if (known.text, known.part) != (sample.text, sample.part):
            raise Mistake(
                f"{sample.where}: {sample.name!r} is {sample.text!r} here and {known.text!r} at {known.where}; keep one row"
            )
    return list(first.values())
