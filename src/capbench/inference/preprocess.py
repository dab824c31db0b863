"""Preparation of any image for a run; needs no torch, so that helper processes can do it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from capbench import images
from capbench.data.views import View
from capbench.errors import BadImage, Mistake
from capbench.images import Exif, Picture
from capbench.images.folder import Files
from capbench.utils import processes


@dataclass(frozen=True)
class Sight:
    """The view of a run, for images that may be none or of another kind than those that it was trained on."""

    view: View
    characters: int
    """How many a text has at most."""
    shape: tuple[int, int, int]
    """Channels, height and width of one view, as in training."""
    exif: Exif
    """Whether photographs are turned upright, as in training."""

    def __call__(self, image: Picture) -> np.ndarray:
        """The view, uint8 [...view], or BadImage."""
        pixels = images.pixels(image, self.exif)
        try:
            view = self.view(pixels, self.characters)
        except (Mistake, cv2.error) as error:
            raise BadImage(f"cannot be seen as the run sees images ({' '.join(str(error).split())})") from error
        height, width, channels = view.shape[-3:]
        if (channels, height, width) != self.shape:
            raise BadImage(
                f"is seen as {channels}×{height}×{width} and the run reads {'×'.join(map(str, self.shape))}; "
                f"one trained with view.size reads images of any size"
            )
        return view


class Seen(NamedTuple):
    """What came of looking at some files."""

    digests: list[str]
    """of each file's content; empty where it could not be read"""
    views: np.ndarray | None
    """uint8 [image, ...view] of the new ones that could be seen, in their order"""
    faults: dict[str, str]
    """why other new ones could not"""


@dataclass(frozen=True)
class Eyes:
    """Looks at files by their names; content that is known by its digest needs no view."""

    files: Files
    sight: Sight
    known: frozenset[str]

    def look(self, names: Sequence[str]) -> Seen:
        digests, views, faults = [], [], {}
        for name in names:
            digest = ""
            try:
                content = self.files.read(name)
                digest = hashlib.blake2b(content, digest_size=16).hexdigest()
                if digest not in self.known:
                    views.append(self.sight(content))
            except BadImage as error:
                faults[name] = str(error)
            digests.append(digest)
        return Seen(digests, np.stack(views) if views else None, faults)


_eyes: Eyes


def begin(files: Files, sight: Sight, known: frozenset[str]) -> None:
    """In a helper process, before it looks."""
    global _eyes
    processes.end_with_parent()
    cv2.setNumThreads(1)  # other helpers keep the other cores busy
    _eyes = Eyes(files, sight, known)


def look(names: Sequence[str]) -> Seen:
    """In a helper process."""
    return _eyes.look(names)
