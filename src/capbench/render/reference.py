"""Renderer by the `captcha` package, made a pure function of (style, symbols, text length, seed, index)."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import captcha.image
import numpy as np
from captcha.image import ImageCaptcha
from PIL.ImageFont import FreeTypeFont

from capbench.errors import Mistake
from capbench.render.faces import check_glyph, drawing, face
from capbench.render.style import Style

T = TypeVar("T")


class Renderer(Protocol):
    """Interface of renderers: texts, and pictures, each uint8 [height, width, 3], by their index in the stream."""

    def texts(self, indices: np.ndarray) -> list[str]: ...

    def each(self, indices: np.ndarray) -> list[np.ndarray]: ...

    def sample(self, index: int) -> tuple[np.ndarray, str]: ...


class _Seeded:
    """Replacement of `secrets` in the package: the same three functions, from the generator of the sample being drawn.

    Outside `drawing_from` they return what `secrets` returns.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def drawing_from(self, rng: np.random.Generator) -> Iterator[None]:
        """Make this thread draw from `rng` within the context."""
        self._local.rng = rng
        try:
            yield
        finally:
            self._local.rng = None

    @property
    def _rng(self) -> np.random.Generator | None:
        return getattr(self._local, "rng", None)

    def choice(self, options: Sequence[T]) -> T:
        return options[self.randbelow(len(options))]

    def randbelow(self, bound: int) -> int:
        return secrets.randbelow(bound) if self._rng is None else int(self._rng.integers(bound))

    def randbits(self, bits: int) -> int:
        return secrets.randbits(bits) if self._rng is None else int(self._rng.integers(1 << bits))


_draws: Any = _Seeded()
captcha.image.secrets = _draws  # the package draws from `secrets`, which cannot be seeded


@lru_cache(maxsize=8)
def _image_captcha(width: int, height: int, fonts: tuple[str, ...], sizes: tuple[int, ...]) -> ImageCaptcha:
    return ImageCaptcha(width, height, list(fonts), sizes)


def sample_text(symbols: str, shortest: int, longest: int, rng: np.random.Generator) -> str:
    """Return a text of uniformly drawn symbols, its length uniform between `shortest` and `longest`."""
    length = int(rng.integers(shortest, longest + 1))
    return "".join(symbols[i] for i in rng.integers(len(symbols), size=length))


class CaptchaPackage:
    """Renderer by the captcha package: a sample has the same bytes in every process and thread."""

    def __init__(self, style: Style, symbols: str, shortest: int, longest: int, seed: int) -> None:
        if not (style.stretch and style.fade) or style.own:
            raise Mistake(
                "data.renderer: captcha draws only as that package does; choose style=default, or data.renderer=capbench"
            )
        for of in (face(font, size) for font in style.font_files for size in style.font_sizes):
            assert isinstance(of, FreeTypeFont)  # a style stretches no other
            for symbol in (*symbols, " "):
                check_glyph(of, symbol)
        self.style = style
        self.symbols = symbols
        self.shortest = shortest
        self.longest = longest
        self.seed = seed

    def _generator(self, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self.seed, index]))

    def texts(self, indices: np.ndarray) -> list[str]:
        """Return the text of each sample."""
        return [
            sample_text(self.symbols, self.shortest, self.longest, self._generator(index)) for index in indices.tolist()
        ]

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """Return pictures, uint8 [sample, height, width, 3]."""
        return np.stack(self.each(indices))

    def each(self, indices: np.ndarray) -> list[np.ndarray]:
        """Return pictures, each uint8 [height, width, 3]."""
        return [self.sample(index)[0] for index in indices.tolist()]

    def sample(self, index: int) -> tuple[np.ndarray, str]:
        """Return one picture, uint8 [height, width, 3], and its text."""
        rng = self._generator(index)
        text = sample_text(self.symbols, self.shortest, self.longest, rng)
        style = self.style
        painter = _image_captcha(style.width, style.height, tuple(style.font_files), tuple(style.font_sizes))
        with _draws.drawing_from(rng), drawing(", ".join(style.font_files)):
            picture = painter.generate_image(text)
        return np.asarray(picture.convert("RGB")), text
