"""Looks of the captchas of a mixture, each drawn at random from its own numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capbench.render import kernel
from capbench.render.kernel.draws import CALM, FONT, MIX, SIZE, VARIANT
from capbench.render.kernel.look import LOOK, Looks
from capbench.render.kernel.noise import DOTS, LAYER, SPECKS
from capbench.render.mixture import Mixture
from capbench.render.numbers import layers_of, look_of, speck_pixels
from capbench.render.style import LEAST_ZOOM, MOST_ITEMS, MOST_ZOOM, Style

USUAL_SIZE = 40.0  # pixels, of the font beside which a mixture tells pixels
SCALED = ("play", "lift", "scatter", "sway", "period", "texture_period", "shadow", "pattern_period")
LAYER_SCALED = ("size", "step", "radius")
MOST_FONTS = 6  # in one captcha
LEAST_ADVANCE = 5.0  # pixels of width for each character


class Axis(NamedTuple):
    """Variants of one axis as numbers."""

    ends: np.ndarray
    """float64 [variant]: end of each variant's share of the range from 0 to 1"""
    fields: dict[str, np.ndarray]
    """what the axis sets: fields of LOOK, [variant]"""
    layers: np.ndarray
    """LAYER [variant, layer]; unused layers have no items"""
    calmed: bool
    """whether calm captchas take the first variant more often"""


class Mixing:
    """Looks of a mixture's captchas: a pure function of the mixture, the seed, the index and the text's length."""

    def __init__(self, mixture: Mixture, faces: int, seed: int) -> None:
        self._mixture, self._seed = mixture, seed
        self._plain = look_of(mixture.plain, faces)
        self._axes = [
            self._axis(mixture.styles[name], shares, faces, name in mixture.calmed)
            for name, shares in mixture.shares.items()
        ]
        self._specks = speck_pixels()
        self._sizes = np.array(mixture.font_sizes, dtype=np.float64)
        self._fonts = faces // len(self._sizes)

    def _axis(self, styles: list[Style], shares: list[float], faces: int, calmed: bool) -> Axis:
        looks = np.stack([look_of(style, faces) for style in styles])
        fields = {
            name: looks[name] for name in LOOK.names or () if any(look[name] != self._plain[name] for look in looks)
        }
        layers = np.zeros((len(styles), max(len(style.noise) for style in styles)), dtype=LAYER)
        for row, style in zip(layers, styles, strict=True):
            row[: len(style.noise)] = layers_of(style)
        return Axis(np.cumsum(shares), fields, layers, calmed)

    def __call__(self, indices: np.ndarray, lengths: np.ndarray) -> Looks:
        """Return the looks of these samples, whose texts have these lengths, int64 [sample]."""
        drawn = np.empty((len(indices), VARIANT + len(self._axes), 4), dtype=np.float64)
        kernel.draws_of(self._seed, indices, MIX, drawn)
        rows, layers = self._chosen(self.variants(drawn[:, VARIANT:, 0], np.sqrt(drawn[:, CALM, 0])))
        numbers = self._fill_sizes(rows, drawn[:, SIZE], lengths)
        self._fill_fonts(rows, numbers, drawn[:, FONT])
        _rescale(rows, layers, self._sizes[numbers], self._mixture.width * self._mixture.height)
        _shift(rows, self._sizes[numbers], drawn[:, FONT, 3])
        return Looks(rows, layers, self._specks)

    def variants(self, drawn: np.ndarray, calm: np.ndarray) -> np.ndarray:
        """Return the number of the variant that each sample takes along each axis, int64 [sample, axis].

        `drawn` are numbers from 0 to 1, [sample, axis]; `calm`, [sample], are the chances to take the first variant of
        an axis that is calmed, without a choice by shares.
        """
        numbers = []
        for axis, shares in zip(self._axes, drawn.T, strict=True):
            shares = np.maximum(0.0, (shares - calm) / (1.0 - calm)) if axis.calmed else shares
            numbers.append(np.searchsorted(axis.ends[:-1], shares, side="right"))
        return np.stack(numbers, axis=1)

    def _chosen(self, variants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return LOOK [sample] and LAYER [sample, layer] of the variants that the samples take."""
        rows = np.full(len(variants), self._plain)
        for axis, numbers in zip(self._axes, variants.T, strict=True):
            for name, values in axis.fields.items():
                rows[name] = values[numbers]
        layers = [axis.layers[numbers] for axis, numbers in zip(self._axes, variants.T, strict=True)]
        return rows, np.concatenate(layers, axis=1)

    def _fill_sizes(self, rows: np.ndarray, drawn: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Fill the sizes of pictures and canvases, and return the number of the font's size, int64 [sample]."""
        sizes = self._mixture.sizes
        (low, high), (narrowest, widest) = sizes.height, sizes.width
        height = np.rint(low * (high / low) ** drawn[:, 0])
        text = height * _between(sizes.text, drawn[:, 1])
        advance = _between(sizes.advance, drawn[:, 2])
        text = np.minimum(text, widest / (lengths * advance))
        width = np.clip(
            np.rint(text * (lengths * advance + 0.2)), np.maximum(narrowest, LEAST_ADVANCE * lengths), widest
        )
        zoom = rows["zoom"]["low"] + (rows["zoom"]["high"] - rows["zoom"]["low"]) * drawn[:, 3]
        numbers = np.abs(np.log(text / zoom)[:, None] - np.log(self._sizes)).argmin(axis=1)
        outside = (text / zoom > self._sizes[-1]) | (text / zoom < self._sizes[0])
        zoom = np.where(outside, np.clip(text / self._sizes[numbers], LEAST_ZOOM, MOST_ZOOM), zoom)
        rows["height"], rows["width"], rows["zoomed"] = height, width, zoom != 1.0
        rows["zoom"]["low"] = rows["zoom"]["high"] = zoom
        return numbers

    def _fill_fonts(self, rows: np.ndarray, numbers: np.ndarray, drawn: np.ndarray) -> None:
        """Fill the faces to choose from: one font or several in one size, or one font in two or three sizes."""
        count = len(self._sizes)
        font = (drawn[:, 0] * self._fonts).astype(np.int64)
        several = drawn[:, 1] < self._mixture.mixed_fonts
        uneven = ~several & (drawn[:, 2] < self._mixture.mixed_sizes)
        step = np.maximum(1, self._fonts // MOST_FONTS)
        smaller = np.where(uneven, np.minimum(numbers, 1 + (drawn[:, 2] < self._mixture.mixed_sizes / 2)), 0)
        rows["face"] = np.where(several, font % step, font) * count + numbers - smaller
        rows["faces"] = np.where(several, self._fonts // step, 1 + smaller)
        rows["face_step"] = np.where(several, step * count, 1)


def _between(span: list[float], share: np.ndarray) -> np.ndarray:
    """Return the numbers that lie at a share, 0 to 1, of the way through a range."""
    return span[0] + (span[1] - span[0]) * share


def _rescale(rows: np.ndarray, layers: np.ndarray, sizes: np.ndarray, area: int) -> None:
    """Make pixels as large and counts as many beside characters of these sizes, [sample], as beside usual ones.

    `area`, in pixels, is that of the picture for which counts are told.
    """
    scale = sizes / USUAL_SIZE
    zoom = rows["zoom"]["low"]
    counts = rows["height"] * rows["width"] / zoom**2 / (area * scale**2)
    for end in ("low", "high"):
        for name in SCALED:
            rows[name][end] *= scale
        for name in LAYER_SCALED:
            layers[name][end] *= scale[:, None]
        layers["size"][end] = np.maximum(1.0, layers["size"][end])
        spread = np.isin(layers["kind"], (SPECKS, DOTS))
        many = np.minimum(MOST_ITEMS, np.rint(layers["count"][end] * counts[:, None]))
        layers["count"][end] = np.where(spread, many, layers["count"][end])


def _shift(rows: np.ndarray, sizes: np.ndarray, drawn: np.ndarray) -> None:
    """Move texts of these sizes up or down, most of them little, and none of their characters out of its canvas."""
    room = np.maximum(0.0, rows["height"] / rows["zoom"]["low"] - 0.9 * sizes) / 2
    for end in ("low", "high"):
        rows["lift"][end] = np.clip(rows["lift"][end] + room * (2.0 * drawn - 1.0) ** 3, -room, room)
