"""Pictures of captchas that one run reads correctly and another does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import cv2
import numpy as np

from capbench.compare.folders import Pictures, Run
from capbench.data.source_of_run import source_of
from capbench.data.sources.base import Source
from capbench.data.sources.rendered import Synthetic
from capbench.data.views import pick
from capbench.errors import Mistake
from capbench.images import BadImage
from capbench.report.embedded import data_uri

FOR_EACH_PAIR = 8
MOST = 300
MOST_SAMPLES = 200_000  # first images of an endless source that are searched for pictures
WIDEST = 320  # pixels


def disputed(rights: Sequence[np.ndarray]) -> list[int]:
    """Return indices of images that one run reads and another does not, some for each ordered pair of runs.

    `rights` holds one bool array [image] for each run: True where its answer is right.
    """
    wanted: dict[int, None] = {}
    for first, second in permutations(rights, 2):
        places = np.flatnonzero(first & ~second).tolist()
        known = sum(place in wanted for place in places)
        for place in [place for place in places if place not in wanted][: max(0, FOR_EACH_PAIR - known)]:
            wanted[place] = None
    return list(wanted)[:MOST]


def draw(run: Run, texts: Mapping[str, str], wanted: Pictures) -> dict[str, str]:
    """Return pictures (data URIs) of the run's test images by name, read from its source or rendered again.

    Images that are gone, have another text now, or are excluded by `wanted` are left out.
    """
    try:
        source = _source(run, wanted)
        places = {sample.name: (number, sample.text) for number, sample in enumerate(source.samples)}
    except Mistake:
        return {}
    pictures = {}
    for name, text in texts.items():
        number, now = places.get(name, (-1, ""))
        if number < 0 or now.casefold() != text.casefold():
            continue
        try:
            pictures[name] = data_uri(_small(pick(source.image(number), "colour")), "webp")
        except BadImage:
            continue
    return pictures


def _source(run: Run, wanted: Pictures) -> Source:
    source = source_of(run.folder, wanted)
    return source.only("test", MOST_SAMPLES) if isinstance(source, Synthetic) else source


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if width <= WIDEST:
        return picture
    return cv2.resize(picture, (WIDEST, max(1, height * WIDEST // width)), interpolation=cv2.INTER_AREA)
