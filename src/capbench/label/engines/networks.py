"""Neural OCR engines whose weights come with their packages.

The packages' own decoders drop symbols outside an alphabet after the choice is made. Here the probabilities are masked
first, those of upper and lower case are added up where the alphabet folds case, and the project's own decoder turns
them into text. Where a length is told, the best text that has it is searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from capbench.data.views import pick
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.errors import Mistake
from capbench.label.engines.base import Engine, Read, Unread, check_line
from capbench.text import Alphabet, Codec, Length, Reading
from capbench.utils.extras import needed

LONGEST = 99  # symbols; the agreement rule checks the length


@dataclass(frozen=True, kw_only=True)
class Rapid(Engine):
    """RapidOCR's recogniser (PP-OCR) on the whole image as one line.

    Its text detector is left out, since it is slow and finds little in captchas.
    """

    length: Length | None = None

    HEIGHT = 48
    LEAST_WIDTH = 320  # pixels; narrower lines are padded, as in the network's training

    @property
    def version(self) -> str:
        """Version of the rapidocr package."""
        needed("rapidocr", "ocr")
        return version("rapidocr")

    def open(self, alphabet: Alphabet) -> Read:
        """Load the network and return its read function."""
        folder = Path(needed("rapidocr", "ocr").__file__ or "").parent / "models"
        session = _session(sorted(folder.glob("*_rec_*.onnx"))[0])
        symbols = session.get_modelmeta().custom_metadata_map["character"].splitlines()
        masked = Masked(["", *symbols, " "], alphabet, self.length)

        def read(image: np.ndarray) -> Reading:
            check_line(image)
            colour = pick(image, "colour")
            width = max(1, round(colour.shape[1] * self.HEIGHT / colour.shape[0]))
            line = cv2.resize(colour, (width, self.HEIGHT)).astype(np.float32) / 127.5 - 1
            padded = np.zeros((1, 3, self.HEIGHT, max(width, self.LEAST_WIDTH)), dtype=np.float32)
            padded[0, :, :, :width] = line[:, :, ::-1].transpose(2, 0, 1)
            return masked.read(session.run(None, {"x": padded})[0][0])

        return read


@dataclass(frozen=True, kw_only=True)
class Dddd(Engine):
    """The ddddocr package, which is made for captchas; `beta` selects the newer of its two networks."""

    beta: bool
    length: Length | None = None

    HEIGHT = 64

    @property
    def version(self) -> str:
        """Version of the ddddocr package."""
        needed("ddddocr", "ocr")
        return version("ddddocr")

    def open(self, alphabet: Alphabet) -> Read:
        """Load the network and return its read function."""
        folder = Path(needed("ddddocr", "ocr").__file__ or "").parent
        session = _session(folder / ("common.onnx" if self.beta else "common_old.onnx"))
        symbols = needed("ddddocr.models.charset_manager", "ocr").CharsetManager()
        symbols.load_default_charset(beta=self.beta)
        masked = Masked(list(symbols.charset), alphabet, self.length)

        def read(image: np.ndarray) -> Reading:
            check_line(image)
            grey = pick(image, "grey")[:, :, 0]
            width = max(1, round(grey.shape[1] * self.HEIGHT / grey.shape[0]))
            line = cv2.resize(grey, (width, self.HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
            scores = session.run(None, {"input1": line[None, None]})[0]
            return masked.read(_softmax(scores.reshape(-1, scores.shape[-1])))

        return read


class Masked:
    """Decoder from probabilities over a network's symbols, blank first, to a reading in the wanted alphabet."""

    def __init__(self, symbols: list[str], alphabet: Alphabet, length: Length | None = None) -> None:
        self._codec = Codec(alphabet, 0, LONGEST, "time")
        self._search = None if length is None else Search(self._codec, Told.of(alphabet, length))
        number = {symbol: place for place, symbol in enumerate(alphabet.symbols)}
        pairs = [(place, number[alphabet.folded(s)]) for place, s in enumerate(symbols) if alphabet.folded(s) in number]
        self._from, self._to = zip(*pairs, strict=True)

    def read(self, probability: np.ndarray) -> Reading:
        """Return the reading of probabilities float [time, symbol of the network]."""
        wanted = np.zeros((probability.shape[0], self._codec.classes))
        for place, number in zip(self._from, self._to, strict=True):
            wanted[:, number] += probability[:, place]
        wanted[:, self._codec.blank] = probability[:, 0]
        if self._search is not None:
            try:
                return self._search.read(wanted[None])[0]
            except Mistake as error:
                raise Unread(f"is too narrow ({error})") from error
        best = wanted.argmax(1)[None]
        return self._codec.read(best, wanted.max(1)[None])[0]


@cache
def _session(weights: Path) -> Any:
    """Return an onnxruntime session with one thread, because other processes keep the other cores busy."""
    onnxruntime = needed("onnxruntime", "ocr")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
