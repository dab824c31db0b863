"""Rendered captchas as a source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from typing import Literal

import numpy as np

from capbench.data.sources.base import Sample, Source
from capbench.data.splits import Split
from capbench.data.views import View, Whole
from capbench.errors import Mistake
from capbench.render.mixture import Mixture
from capbench.render.painter import Painter
from capbench.render.reference import CaptchaPackage, Renderer
from capbench.render.style import Style
from capbench.text import Alphabet, Length, bounds
from capbench.types import Count, Seed

WITNESSES = 16  # samples whose pixels enter the key, to detect that a renderer draws differently

PART_SPACING = 1 << 40  # indices between the training, validation and test samples of one stream


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """Rendered captchas: sample i of a seed is always the same, and the parts are far-apart ranges of i.

    With `fresh`, training images are drawn anew for each epoch, without end and without storage; `train_size` asks for
    fixed images instead, the same in each epoch. A symbol in `often` is as frequent in training texts as if it stood in
    the alphabet that many more times.
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
                raise Mistake(
                    f"data.split.{part}: {getattr(self.split, part)} is not a count; give the number of images to render"
                )
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
        """Samples of all parts, without the training images that are drawn anew."""
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
        """Hash of the settings, the versions of the drawing packages, and the pixels of the first samples."""
        engines = [version(package) for package in ("captcha", "pillow", "numpy", "numba", "opencv-python-headless")]
        stream = (self.renderer, self.fresh, self.style, self.alphabet, self.often, bounds(self.length), self.seed)
        digest = hashlib.sha256(repr((stream, self.split, self.train_size, engines)).encode())
        # The key must change when the renderer draws differently.
        for picture in self._renderer.each(np.arange(WITNESSES)):
            digest.update(picture.tobytes())
        return digest.hexdigest()

    def only(self, part: str, most: int | None = None) -> Synthetic:
        """Return this source with one image in each of the other parts, and at most the first `most` images of `part`.

        The training images are the first ones of the stream, not drawn anew.
        """
        count = getattr(self.split, part)
        count = count if most is None else min(count, most)
        sizes = {name: count if name == part else 1 for name in ("train", "val", "test")}
        train_size = self.train_size if part == "train" else None
        return replace(self, fresh=False, split=Split(**sizes), train_size=train_size)

    def image(self, number: int) -> np.ndarray:
        """Return one picture, uint8 [height, width, 3]."""
        index, part = self._indices[number]
        return self._renderer_of(part).sample(index)[0]

    def lengths(self) -> tuple[int, int]:
        """Return the lengths of the shortest and the longest text."""
        return bounds(self.length)

    @cached_property
    def first_drawn(self) -> np.ndarray:
        """First training image of the stream, uint8 [height, width, 3]."""
        return self._training_renderer.sample(0)[0]

    def drawn_at(self, numbers: np.ndarray) -> np.ndarray:
        """Return the index in the stream of each of the samples `numbers`, int64 [sample]."""
        return np.array([self._indices[number][0] for number in numbers.tolist()], dtype=np.int64)

    @property
    def renewed(self) -> int:
        """Number of training images that each epoch draws anew; 0 without `fresh` or with `train_size`."""
        return int(self.split.train or 0) if self.fresh and self.train_size is None else 0

    def renew(self, numbers: np.ndarray, view: View, characters: int) -> tuple[np.ndarray, list[str]]:
        """Return the views, uint8 [image, ...view], and the texts of the training images with these indices."""
        renderer = self._training_renderer
        several = isinstance(self.style, Mixture)
        if several and view.size is None:
            raise Mistake(
                "view.size: is null, and the pictures of this style differ in size; set view.size=[height,width]"
            )
        if isinstance(renderer, Painter) and isinstance(view, Whole) and view.channel == "grey":
            if not several and view.size in (None, [self.style.height, self.style.width]):
                return renderer.pictures(numbers, grey=True), renderer.texts(numbers)
            pictures = renderer.each(numbers, grey=True)
        else:
            pictures = renderer.each(numbers)
        return np.stack([view(picture, characters) for picture in pictures]), renderer.texts(numbers)

    def poses(self, numbers: np.ndarray) -> np.ndarray:
        """Return how the characters are drawn, float32 [image, position, number]; NaN beyond the end of a text."""
        renderer = self._training_renderer
        return renderer.poses(numbers) if isinstance(renderer, Painter) else super().poses(numbers)
