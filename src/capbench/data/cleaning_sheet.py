"""Contact sheet of cleaning and cutting, for tuning a view by eye."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from capbench.data.cut import NOTHING
from capbench.data.sources.base import Source
from capbench.data.views import Characters
from capbench.errors import Mistake
from capbench.images import BadImage
from capbench.report import pictures
from capbench.report.pictures import RIGHT, WRONG, Chain

T = TypeVar("T")

SHOWN = 12  # images


def sheet(source: Source, view: Characters, count: int, path: Path) -> str:
    """Save a contact sheet, and return a line with the share of images whose characters are counted correctly.

    `count` images of the source are cut. The sheet shows each step for a few of them, half of these miscounted where
    there are enough.
    """
    shortest, longest = source.lengths()
    right: list[tuple[str, np.ndarray]] = []
    wrong: list[tuple[str, np.ndarray]] = []
    for text, image in _some(source, count):
        counted = shortest <= view.pieces(image, longest)[1].found <= longest
        (right if counted else wrong).append((text, image))
    shown = [(pair, WRONG) for pair in _evenly(wrong, max(SHOWN // 2, SHOWN - len(right)))]
    shown += [(pair, RIGHT) for pair in _evenly(right, SHOWN - len(shown))]
    wanted = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    share = f"{wanted} characters found in {len(right):,} of {len(right) + len(wrong):,} images"
    headings = [view.channel, *(type(step).__name__ for step in view.clean)]
    rows = [_chain(view, image, text, longest, colour) for (text, image), colour in shown]
    pictures.chains(path, rows, headings, share)
    return share


def _chain(view: Characters, image: np.ndarray, text: str, characters: int, colour: str) -> Chain:
    _, pieces = view.pieces(image, characters)
    boxes = [box for box in pieces.boxes if box != NOTHING]
    return Chain([image, *view.steps(image)], boxes, f"{text}: {pieces.found} found", colour)


def _some(source: Source, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield at most `count` texts and images, evenly spaced over the source.

    A bad image is left out or raises Mistake, according to `source.on_bad`.
    """
    samples = source.samples
    for number in tqdm(_evenly(range(len(samples)), count), desc="cutting", unit="img", leave=False, delay=1):
        sample = samples[number]
        try:
            yield sample.text, source.image(number)
        except BadImage as error:
            if source.on_bad == "error":
                raise Mistake(
                    f"{sample.where}: {sample.name} {error}; mend it, or leave such files out with data.on_bad=skip"
                ) from error


def _evenly(items: Sequence[T], count: int) -> list[T]:
    """Return at most `count` of the items, evenly spaced."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]
