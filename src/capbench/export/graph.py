"""Reader of an exported graph with onnxruntime, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from capbench.data.views import View, Whole, pick
from capbench.decoding import untold
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.errors import BadImage, Mistake, printable
from capbench.export.description import BATCH, IMAGES, PROBABILITIES, Description, beside
from capbench.export.inspection import inspected
from capbench.export.trial import first_words, session_of, tried
from capbench.text import Alphabet, Codec, Length, probabilities


class Character(NamedTuple):
    """Symbol of a text with its confidence, and the next best symbol."""

    symbol: str
    confidence: float
    runner_up: str
    """The next best symbol; empty where the alphabet has no other."""
    runner_up_confidence: float


class Read(NamedTuple):
    """Text of one image, with its confidence and its characters."""

    text: str
    confidence: float
    characters: list[Character]


class Graph:
    """ONNX file with its JSON, ready to read images."""

    def __init__(self, session: Any, described: Description, codec: Codec, view: View, batch: int = BATCH) -> None:
        self.name = printable(described.name)
        self.alphabet = described.alphabet
        self.exif = described.exif  # to be passed to images.decode, as the next one
        self.frames = described.frames
        self.described = described
        self.batch = batch  # how many images are read at once
        self._session = session
        self._codec = codec
        self._view = view

    @classmethod
    def open(cls, path: Path, threads: int = 1) -> Graph:
        """Return the graph in this file, with the JSON beside it; nothing in them can run code or reach another file."""
        path = Path(path)
        content = inspected(path, described := Description.of(path))
        try:
            codec, view = described.codec(), described.seen()
        except Mistake as mistake:
            raise Mistake(f"{beside(path)}: {mistake}") from mistake
        batch = tried(path, content, described, BATCH)
        return cls(session_of(content, threads), described, codec, view, batch)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Return the graph's input for a decoded image, uint8 [height, width, channel], or raise BadImage."""
        height, width = image.shape[:2]
        try:
            taken = self._view(image, self._codec.longest) if self.described.takes == "view" else self._plain(image)
        except Mistake as mistake:
            raise BadImage(f"does not suit {self.name} ({mistake})") from mistake
        if list(taken.shape) != self.described.input:
            wanted = self.described.input
            raise BadImage(
                f"is {height}×{width} pixels and {self.name} reads {wanted[-3]}×{wanted[-2]}"
                if self.described.takes == "image"
                else f"gives views of {'×'.join(map(str, taken.shape))} and {self.name} reads {'×'.join(map(str, wanted))}"
            )
        return taken

    def _plain(self, image: np.ndarray) -> np.ndarray:
        """Return the image with the number of channels that the graph takes.

        Transparent parts become white, except where the graph reads a single colour or alpha channel.
        """
        channel = self._view.channel if isinstance(self._view, Whole) else "colour"
        if channel == "alpha":
            pick(image, channel)
            return image
        shown = pick(image, "colour") if channel in ("grey", "colour") else image[:, :, :3]
        return shown if shown.shape[2] == 3 else np.repeat(shown, 3, axis=2)

    def read(
        self,
        images: Sequence[np.ndarray],
        *,
        alphabet: str | Alphabet | None = None,
        length: Length | None = None,
    ) -> list[Read]:
        """Return the readings of decoded images, uint8 [height, width, channel], or raise BadImage.

        With `alphabet` or `length`, only texts that have these symbols and lengths are considered, as by a run's reader.
        """
        search = self.search(Told.of(alphabet, length))
        return self.answer([self.prepare(image) for image in images], search)

    def search(self, told: Told) -> Search | None:
        """Return the search among the texts that `told` allows, for `answer`; None where nothing is told."""
        if not told:
            return None
        search = Search(self._codec, told)
        search.check_steps(self.described.output[0])
        return search

    def answer(self, prepared: Sequence[np.ndarray], search: Search | None = None) -> list[Read]:
        """Return the readings of images as `prepare` returns them."""
        parts = (prepared[start : start + self.batch] for start in range(0, len(prepared), self.batch))
        if search is None:
            return [read for part in parts for read in self._batch(part)]
        return [read for part in parts for read in self._searched(self.probabilities(part), search)]

    def probabilities(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 [image, position or time, class]; raise BadImage where the graph fails on these images."""
        try:
            return self._session.run([PROBABILITIES], {IMAGES: np.stack(prepared)})[0]
        except Exception as error:  # onnxruntime's errors have no common class
            raise BadImage(
                f"cannot be read by {self.name}: onnxruntime does not run it ({first_words(error)})"
            ) from error

    def _batch(self, prepared: Sequence[np.ndarray]) -> list[Read]:
        believed = probabilities(self.probabilities(prepared))
        best, highest = untold.best(self._codec, believed)
        return [
            Read(reading.text, reading.confidence, list(self._characters(row, classes)))
            for reading, row, classes in zip(self._codec.read(best, highest), believed, best, strict=True)
        ]

    def _searched(self, believed: np.ndarray, search: Search) -> Iterator[Read]:
        symbols = search.codec.alphabet.symbols
        for found in search.found(believed):
            characters = []
            for number, row in zip(found.numbers.tolist(), found.beliefs, strict=True):
                others = np.where(np.arange(len(row)) == number, -1, row)
                second = int(others.argmax())
                runner_up = (symbols[second], float(others[second])) if len(symbols) > 1 else ("", 0.0)
                characters.append(Character(symbols[number], float(row[number]), *runner_up))
            yield Read(search.text(found), found.confidence, characters)

    def _characters(self, probabilities: np.ndarray, best: np.ndarray) -> Iterator[Character]:
        """Yield the characters of one image from its probabilities [position or time, class] and best classes.

        Over time, equal best classes in a row are one character, with the highest probability of each class in that
        row.
        """
        symbols = self.alphabet
        starts = np.arange(len(best))
        if self._codec.over == "time":
            starts = np.flatnonzero(np.diff(best, prepend=-1))
        highest = np.maximum.reduceat(probabilities, starts)
        for number, row in zip(best[starts].tolist(), highest, strict=True):
            if number == self._codec.blank:
                continue
            others = row[: len(symbols)].copy()
            others[number] = -1
            second = int(others.argmax())
            runner_up = (symbols[second], float(others[second])) if len(symbols) > 1 else ("", 0.0)
            yield Character(symbols[number], float(row[number]), *runner_up)
