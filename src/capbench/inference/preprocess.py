"""Preprocessing of images for a run; needs no torch, so that worker processes stay light."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from capbench import images
from capbench.data.views import View
from capbench.errors import BadImage, Mistake
from capbench.images import Exif, Frames, Picture
from capbench.images.folder import Files


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of a run, for images that may be unreadable or unlike those that the run was trained on."""

    view: View
    characters: int
    """Number of characters of the longest text."""
    shape: tuple[int, int, int]
    """Channels, height and width of one view, as in training."""
    exif: Exif
    """Treatment of EXIF orientation, as in training."""
    frames: Frames
    """Frames of an animation that are seen."""

    def seeing(self, frames: Frames | None) -> Preprocessing:
        """Return the preprocessing that sees these frames of an animation; None: those that this one sees."""
        return self if frames is None else replace(self, frames=frames)

    def __call__(self, image: Picture) -> np.ndarray:
        """Return the view, uint8 [...view]; raise BadImage if the image cannot be read or gives another shape."""
        pixels = images.pixels(image, self.exif, self.frames)
        try:
            view = self.view(pixels, self.characters)
        except (Mistake, cv2.error) as error:
            raise BadImage(f"cannot be preprocessed as in training ({' '.join(str(error).split())})") from error
        height, width, channels = view.shape[-3:]
        if (channels, height, width) != self.shape:
            raise BadImage(
                f"is seen as {channels}×{height}×{width} and the run reads {'×'.join(map(str, self.shape))}; "
                f"a run trained with view.size reads images of any size"
            )
        return view


class Preprocessed(NamedTuple):
    """Preprocessed views of a list of files."""

    digests: list[str]
    """Digest of each file's content; empty for a file that could not be read."""
    views: np.ndarray | None
    """Views of the new, readable files in their order, uint8 [image, ...view]; None if there are none."""
    faults: dict[str, str]
    """Reasons why the other files failed, by file name."""


@dataclass(frozen=True)
class FilePreprocessing:
    """Preprocessor of files by name; files whose digest is in `known` are not decoded."""

    files: Files
    preprocess: Preprocessing
    known: frozenset[str]

    def __call__(self, names: Sequence[str]) -> Preprocessed:
        """Read the named files and return their digests, views and faults."""
        digests, views, faults = [], [], {}
        for name in names:
            digest = ""
            try:
                content = self.files.read(name)
                digest = hashlib.blake2b(content, digest_size=16).hexdigest()
                if digest not in self.known:
                    views.append(self.preprocess(content))
            except BadImage as error:
                faults[name] = str(error)
            digests.append(digest)
        return Preprocessed(digests, np.stack(views) if views else None, faults)


_preprocessing: FilePreprocessing


def start_worker(preprocess: FilePreprocessing) -> None:
    """Initialise a worker process."""
    global _preprocessing
    cv2.setNumThreads(1)  # one worker runs on each core
    _preprocessing = preprocess


def preprocess_files(names: Sequence[str]) -> Preprocessed:
    """Preprocess the named files in a worker process."""
    return _preprocessing(names)
