"""Renderer of batches by several threads; a sample drawn alone has the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from capbench.errors import Mistake
from capbench.render import glyphs, kernel
from capbench.render.faces import check_font
from capbench.render.kernel.atlas import ENLARGED, Atlas
from capbench.render.kernel.geometry import POSE
from capbench.render.kernel.look import Looks
from capbench.render.kernel.scratch import Pictures
from capbench.render.mixing import LEAST_ADVANCE, Mixing
from capbench.render.mixture import Mixture, Sizes
from capbench.render.numbers import looks_of
from capbench.render.softening import picture_of, soften
from capbench.render.style import Style
from capbench.utils.portable import cores

SHARE = 32  # samples, the fewest that are worth handing to a thread
SHARES = 8  # per thread, so that the batch does not wait for a thread on a slower core
TIGHTEST = 0.35  # share of its width to which a text that is too long may be narrowed
USUAL = 1024  # samples from which mean and spread of the poses are measured
TALLEST = 1.35  # a character may reach this many times the picture's height


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="render")


@dataclass(frozen=True)
class Painter:
    """Renderer of texts of `shortest` to `longest` symbols in a style; each `seed` gives another stream of samples."""

    style: Style
    symbols: str
    shortest: int
    longest: int
    seed: int

    def __post_init__(self) -> None:
        for font in self.style.font_files:
            check_font(font, self.symbols, self.style.forms)
        points = (ENLARGED * max(self.style.font_sizes)) ** 2
        if self.style.faces * len(self.symbols) * points > glyphs.MOST_POINTS:
            raise Mistake(
                f"style.font_sizes: {len(self.symbols):,} symbols in {self.style.faces:,} faces of up to "
                f"{max(self.style.font_sizes)} pixels take more than {glyphs.MOST_POINTS:,} points; give fewer or smaller sizes"
            )
        if isinstance(self.style, Mixture):
            self._check_sizes(self.style.sizes)
        else:
            self._check_room()

    def _check_room(self) -> None:
        """Raise Mistake where the picture has no room for the characters."""
        sizes = self._atlas.sizes[:, :-1]
        widest, tallest = float(sizes["tile_w"].max()), float(sizes["tile_h"].max())
        if tallest > TALLEST * self.style.height / self.style.zoom[1]:
            raise Mistake(
                f"style.font_sizes: {self.style.font_sizes} give characters {tallest:.0f} pixels high in a picture of "
                f"{self.style.height}; choose smaller ones or a greater style.height"
            )
        room = (
            self.style.width / self.style.zoom[1] * (1 - (2 * self.style.margin if self.style.align != "left" else 0))
        )
        if self.longest * widest * TIGHTEST > room:
            raise Mistake(
                f"style.width: {self.style.width} has no room for {self.longest} characters up to {widest:.0f} pixels "
                f"wide; choose a greater width, smaller style.font_sizes or a shorter data.length"
            )

    def _check_sizes(self, sizes: Sizes) -> None:
        """Raise Mistake where the widest picture of a mixture has no room for the characters."""
        if self.longest * LEAST_ADVANCE > sizes.width[1]:
            raise Mistake(
                f"style.sizes.width: {sizes.width} has no room for {self.longest} characters; choose a greater width or "
                f"a shorter data.length"
            )

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("style", "symbols", "shortest", "longest", "seed")}

    @cached_property
    def _atlas(self) -> Atlas:
        style = self.style
        return glyphs.rasterise(
            tuple(self.style.font_files),
            tuple(style.font_sizes),
            tuple(style.widths),
            tuple(style.pens),
            tuple(style.forms),
            self.symbols,
            style.outline > 0,
            style.stretch,
            style.fade,
        )

    @cached_property
    def _looks(self) -> Looks | Mixing:
        """The look of all samples, or what gives each its own."""
        faces = len(self._atlas.glyphs) // (2 if self.style.outline > 0 else 1)
        return Mixing(self.style, faces, self.seed) if isinstance(self.style, Mixture) else looks_of(self.style, faces)

    def _looks_of(self, indices: np.ndarray, lengths: np.ndarray) -> Looks:
        """Return the looks of these samples, whose texts have these lengths, int64 [sample]."""
        return self._looks(indices, lengths) if isinstance(self._looks, Mixing) else self._looks

    def classes(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return symbol numbers, int64 [sample, longest] with -1 beyond a text's end, and lengths, int64 [sample]."""
        classes = np.empty((len(indices), self.longest), dtype=np.int64)
        lengths = np.empty(len(indices), dtype=np.int64)
        kernel.texts(self.seed, indices, len(self.symbols), self.shortest, self.longest, classes, lengths)
        return classes, lengths

    def poses(self, indices: np.ndarray) -> np.ndarray:
        """Return how each character is drawn, float32 [sample, longest, number], NaN beyond the end of a text.

        The numbers are those of `kernel.poses` that vary in this style, scaled to a mean of about 0 and a standard
        deviation of about 1.
        """
        mean, spread = self._usual_poses
        varied = spread > 0
        return (self._measured_poses(indices)[..., varied] - mean[varied]) / spread[varied]

    @cached_property
    def _usual_poses(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each number of the poses, float32 [number]."""
        measured = self._measured_poses(np.arange(USUAL))
        return np.nanmean(measured, axis=(0, 1)), np.nanstd(measured, axis=(0, 1))

    def _measured_poses(self, indices: np.ndarray) -> np.ndarray:
        """Return the unscaled poses, float32 [sample, longest, POSE], NaN beyond the end of a text."""
        poses = np.full((len(indices), self.longest, POSE), np.nan, dtype=np.float32)
        classes, lengths = self.classes(indices)
        looks = self._looks_of(indices, lengths)
        kernel.poses(looks, self._atlas.sizes, self.seed, indices, classes, lengths, poses)
        return poses

    def texts(self, indices: np.ndarray) -> list[str]:
        """Return the text of each sample."""
        letters = np.array([*self.symbols, ""])
        return ["".join(row) for row in letters[self.classes(indices)[0]].tolist()]

    def sample(self, index: int) -> tuple[np.ndarray, str]:
        """Return one picture, uint8 [height, width, 3], and its text."""
        indices = np.array([index], dtype=np.int64)
        return self.each(indices)[0], self.texts(indices)[0]

    def each(self, indices: np.ndarray, *, grey: bool = False, threads: int | None = None) -> list[np.ndarray]:
        """Return pictures, each uint8 [height, width, 3] in its own size, or [height, width, 1] in grey."""
        return self.each_drawn(indices, grey=grey, threads=threads)[0]

    def pictures(self, indices: np.ndarray, *, grey: bool = False, threads: int | None = None) -> np.ndarray:
        """Return pictures, uint8 [sample, height, width, 3], or [sample, height, width, 1] in grey."""
        return self.drawn(indices, grey=grey, threads=threads)[0]

    def drawn(
        self, indices: np.ndarray, *, grey: bool = False, threads: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures and the boxes of their characters, float32 [sample, longest, 4].

        Pictures are as in `pictures`. A box is left, top, right and bottom in pixels, NaN beyond the end of a text.
        """
        if isinstance(self.style, Mixture):
            raise Mistake(
                "style: its pictures differ in size and make no array; choose another style, or bring them to one size"
            )
        _, pictures, boxes = self._draw(indices, grey, threads)
        return pictures.pixels.reshape(len(indices), self.style.height, self.style.width, -1), boxes

    def each_drawn(
        self, indices: np.ndarray, *, grey: bool = False, threads: int | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Return pictures as in `each`, and boxes as in `drawn`."""
        rows, pictures, boxes = self._draw(indices, grey, threads)
        return [picture_of(pictures, rows, number) for number in range(len(indices))], boxes

    def _draw(self, indices: np.ndarray, grey: bool, threads: int | None) -> tuple[np.ndarray, Pictures, np.ndarray]:
        """Return LOOK [sample or 1], the pictures and the boxes of their characters."""
        indices = np.ascontiguousarray(indices, dtype=np.int64)
        classes, lengths = self.classes(indices)
        looks = self._looks_of(indices, lengths)
        pictures = _room(looks.rows, len(indices), 1 if grey else 3)
        boxes = np.full((len(indices), self.longest, 4), np.nan, dtype=np.float32)

        def paint(part: slice) -> None:
            some, canvases = _part(looks, part), pictures._replace(starts=pictures.starts[part])
            numbers = indices[part]
            kernel.paint(some, self._atlas, self.seed, numbers, classes[part], lengths[part], canvases, boxes[part])
            soften(some.rows, self.style.own, self.seed, numbers, canvases)

        _in_parts(paint, len(indices), threads or cores())
        return looks.rows, pictures, boxes


def _room(rows: np.ndarray, count: int, channels: int) -> Pictures:
    """Return memory for `count` pictures whose sizes are those of LOOK [sample or 1]."""
    sizes = np.broadcast_to(rows["height"] * rows["width"] * channels, count)
    ends = np.cumsum(sizes)
    return Pictures(np.empty(int(ends[-1]) if count else 0, dtype=np.uint8), ends - sizes, channels)


def _part(looks: Looks, part: slice) -> Looks:
    """Return the looks of a part of the samples."""
    return looks if len(looks.rows) == 1 else looks._replace(rows=looks.rows[part], layers=looks.layers[part])


def _in_parts(paint: Callable[[slice], None], count: int, threads: int) -> None:
    """Call `paint` with slices that make up `count` samples, from several threads."""
    parts = _parts(count, 1 if threads == 1 else SHARES * threads)

    def work(_: int) -> None:
        while parts:
            with suppress(IndexError):  # another thread took the last one
                paint(parts.pop())

    if threads == 1 or len(parts) == 1:
        work(0)
    else:
        list(_threads().map(work, range(threads)))


def _parts(count: int, wanted: int) -> list[slice]:
    """Return slices of `count` samples in even shares, none too small to be worth a thread."""
    shares = max(1, min(wanted, count // SHARE))
    edges = [count * share // shares for share in range(shares + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]
