"""Package of a user's own, kept outside CapBench: one class of each kind that settings may name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import nn

from capbench import (
    Alphabet,
    AugmentStep,
    Callback,
    Cutter,
    Engine,
    Ingredient,
    Kind,
    Logging,
    Metric,
    Model,
    Pieces,
    Reading,
    Sample,
    Shape,
    Source,
    Split,
    Step,
    View,
)


class Network(Model):
    """One hidden layer on all pixels."""

    def __init__(self, shape: Shape, positions: int, classes: int, *, width: int) -> None:
        super().__init__()
        channels, height, rows = shape
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * height * rows, width), nn.ReLU(), nn.Linear(width, positions * classes)
        )
        self.positions = positions

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position, class]."""
        return self.layers(views).view(len(views), self.positions, -1)


@dataclass(frozen=True, kw_only=True)
class Shades:
    """Range of grey levels."""

    dark: int
    light: int


@dataclass(frozen=True, kw_only=True)
class Written(Source):
    """Digits of a text file, one text on each line, drawn by OpenCV."""

    file: str
    split: Split
    shades: Shades
    train_size: None = None
    on_bad: Literal["error"] = "error"

    @cached_property
    def samples(self) -> list[Sample]:
        """One sample for each line."""
        texts = Path(self.file).read_text(encoding="utf-8").split()
        return [Sample(f"{n}.png", text, f"{self.file}:{n + 1}", None) for n, text in enumerate(texts)]

    @property
    def key(self) -> str:
        """Texts and shades."""
        return repr((self.shades, [sample.text for sample in self.samples]))

    def image(self, number: int) -> np.ndarray:
        """Return one image, uint8 [24, 64, 3]."""
        image = np.full((24, 64, 3), self.shades.light, np.uint8)
        image[0, 0] = number % 256, number // 256, 0  # images of equal texts differ
        dark = (self.shades.dark,) * 3
        return np.asarray(
            cv2.putText(image, self.samples[number].text, (2, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, dark), np.uint8
        )

    def lengths(self) -> tuple[int, int]:
        """Return the lengths of the shortest and the longest text."""
        sizes = [len(sample.text) for sample in self.samples]
        return min(sizes), max(sizes)

    @property
    def rule(self) -> Split:
        """Sizes of the parts."""
        return self.split


@dataclass(frozen=True, kw_only=True)
class Half(View):
    """Grey image in half its size."""

    shrink: Literal["area", "nearest"]

    cuts = False
    size = None

    def __call__(self, image: np.ndarray, characters: int) -> np.ndarray:
        grey = np.ascontiguousarray(image[:, :, :3].mean(axis=2).astype(np.uint8))
        way = cv2.INTER_AREA if self.shrink == "area" else cv2.INTER_NEAREST
        return cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=way)[:, :, None]


@dataclass(frozen=True, kw_only=True)
class Darker(Step):
    """Cleaning step that makes everything darker by some levels."""

    by: int

    takes = Kind.COLOUR
    gives = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return np.maximum(picture, self.by) - np.uint8(self.by)


@dataclass(frozen=True, kw_only=True)
class Blots(AugmentStep):
    """Black pixels at random places."""

    count: int

    def __call__(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        changed = image.copy()
        changed[random.integers(image.shape[0], size=self.count), random.integers(image.shape[1], size=self.count)] = 0
        return changed


@dataclass(frozen=True, kw_only=True)
class Scratches(Ingredient):
    """Black columns at random places."""

    count: int

    def __call__(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        changed = picture.copy()
        changed[:, random.integers(picture.shape[1], size=self.count)] = 0
        return changed


@dataclass(frozen=True, kw_only=True)
class Ends(Cutter):
    """Equal boxes without a margin at both ends."""

    margin: int

    needs_ink = False

    def __call__(self, picture: np.ndarray, characters: int) -> Pieces:
        height, width = picture.shape[:2]
        edges = np.linspace(self.margin, width - self.margin, characters + 1).astype(int).tolist()
        return Pieces([[0, height, edges[i], edges[i + 1]] for i in range(characters)], characters)


@dataclass(frozen=True, kw_only=True)
class Same(Engine):
    """Engine that gives the same answer to every image."""

    text: str

    @property
    def version(self) -> str:
        """Version of the engine."""
        return "1"

    def open(self, alphabet: Alphabet) -> Callable[[np.ndarray], Reading]:
        """Return a function that reads the text."""
        return lambda image: Reading(self.text, 1.0, (1.0,) * len(self.text))


@dataclass(kw_only=True)
class Lines(Logging):
    """Lightning's CSV log under a name of the user's choice."""

    name: str

    def open(self, folder: Path, settings: dict[str, Any]) -> list[Logger]:
        return [CSVLogger(folder, name=self.name, version="")]


class Halved(Network):
    """The same network with half of its usual loss."""

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return half the cross-entropy of the scores."""
        return nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten()) / 2


@dataclass(frozen=True, kw_only=True)
class FirstRight(Metric):
    """Share of answers whose first symbols are right."""

    count: int

    def __call__(self, texts: Sequence[str], answers: Sequence[str]) -> float:
        """Return the share, from 0 to 1."""
        right = [text[: self.count] == answer[: self.count] for text, answer in zip(texts, answers, strict=True)]
        return sum(right) / len(right)


class Epochs(Callback):
    """Callback that counts the epochs in a file."""

    def __init__(self, *, file: str) -> None:
        self.file = file

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        with Path(self.file).open("a") as file:
            file.write(f"{trainer.current_epoch + 1}\n")
