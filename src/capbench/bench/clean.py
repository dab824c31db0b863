"""Pairs: cleaning and cutting beside loops of plain OpenCV calls for the same steps."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from capbench.bench.pairs import Pair, Timed, speed
from capbench.data.views import Characters
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build, check

KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16


def schema(*, style: Style, view: Characters) -> None:
    """Declare the captchas' style and the view; the plain loops do the steps of this view."""


def pairs(settings: dict[str, Any]) -> list[Pair]:
    """Return the pairs of two views that clean and cut; the peers neither merge nor split components."""
    check(settings, schema, "clean")
    view: Characters = build(settings["view"])
    found = replace(view, cut="components", boxes=None)
    pictures = list(Painter(build(settings["style"]), string.digits, 4, 4, 1).pictures(np.arange(1024)))

    def each(cut: Callable[[np.ndarray], Any]) -> Timed:
        def run() -> float:
            threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
            try:
                return speed(lambda: [cut(picture) for picture in pictures], len(pictures))
            finally:
                cv2.setNumThreads(threads)

        return run

    def plain_found(picture: np.ndarray) -> np.ndarray:
        return plain_components(picture, view.size)

    unit = "images/s on one core; peer: a plain loop of OpenCV's calls"
    return [
        Pair("clean/strokes", each(lambda picture: view(picture, 4)), each(plain_strokes), unit),
        Pair("clean/components", each(lambda picture: found(picture, 4)), each(plain_found), unit),
    ]


def plain_ink(picture: np.ndarray) -> np.ndarray:
    """Return the ink, uint8 [height, width], by the steps of view=strokes as one writes them without a framework."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]
    ink = cv2.filter2D(ink, -1, KERNEL)
    return cv2.threshold(ink, 185, 255, cv2.THRESH_BINARY)[1]


def plain_strokes(picture: np.ndarray) -> np.ndarray:
    """Return the characters at fixed places, uint8 [character, 21, 20, 1]."""
    ink = plain_ink(picture)
    return np.stack([ink[4:25, left : left + 20, None] for left in (8, 38, 68, 98)])


def plain_components(picture: np.ndarray, size: list[int]) -> np.ndarray:
    """Return the four largest components from left to right, uint8 [character, height, width, 1].

    Missing components are black.
    """
    ink = plain_ink(picture)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    largest = sorted(stats[1:], key=lambda stat: -stat[cv2.CC_STAT_AREA])[:4]
    pieces = np.zeros((4, *size, 1), np.uint8)
    for place, (left, top, width, height, _) in enumerate(sorted(largest, key=lambda stat: stat[cv2.CC_STAT_LEFT])):
        piece = ink[top : top + height, left : left + width]
        pieces[place, :, :, 0] = cv2.resize(piece, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return pieces
