"""Reader of a finished run: view, recogniser with its weights, decoder.

A run's folder may come from a third party: nothing in it runs code, no link leads out of it, and sizes are limited.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from os import PathLike
from typing import Annotated, Any, overload
from unicodedata import category

import numpy as np
import torch
from annotated_types import Len
from safetensors import SafetensorError
from safetensors.torch import load_file

from capbench import images
from capbench.data.views import View
from capbench.decoding import untold
from capbench.decoding.search import Search
from capbench.decoding.sums import solved
from capbench.decoding.told import Told
from capbench.errors import BadImage, Mistake, first_line
from capbench.images import ONE, Frames, Picture
from capbench.images.containers import MOST_PIXELS
from capbench.inference.preprocess import Preprocessing
from capbench.inference.sizing import sized
from capbench.models import Model, PerCharacter, Shape
from capbench.models.blocks import folded
from capbench.runs import MOST_BYTES_OF_WEIGHTS, RunFolder, exif_of, frames_of
from capbench.settings import build, check, target_class
from capbench.text import Alphabet, Codec, Length, Lengths, Reading, Symbols
from capbench.types import Pixels

BATCH = 256  # images, unless they take too much memory
FACTS = {"alphabet": "alphabet", "length": "length", "shape": "view/shape"}

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Reader:
    """Reader of images, with the recogniser, view and codec of one run."""

    view: View
    model: Model
    codec: Codec
    shape: Shape
    """Channels, height and width of one view, as in training."""
    exif: images.Exif
    """Whether photographs are turned upright, as in training."""
    frames: Frames
    """Frames of an animation that are seen, as in training."""
    batch: int
    """How many images are read at once"""

    @classmethod
    def of(cls, folder: RunFolder) -> Reader:
        """Rebuild the reader from `config.yaml`, `result.json` and the weights, each checked first."""
        for file in (folder.config, folder.result, folder.weights):
            folder.check_own(file, MOST_BYTES_OF_WEIGHTS)
        if not folder.result.is_file():
            raise Mistake(f"run: {folder.path} is not a finished run; it has no result.json")
        settings = _settings(folder)
        symbols, (shortest, longest), shape = _facts(folder)
        view: View = build(settings["view"])
        alphabet = Alphabet(symbols=symbols, fold=settings["alphabet"]["fold"])
        codec = Codec(alphabet, shortest, longest, target_class(settings["model"]).over)
        if view.size not in (None, [*shape[1:]]):
            raise Mistake(f"{folder.config}: view.size: {view.size} differs from {folder.result.name}: {shape[1:]}")

        def make() -> Model:
            model: Model = build(settings["model"], shape, 1 if view.cuts else codec.longest, codec.classes)
            return PerCharacter(model) if view.cuts else model

        channels, height, width = shape
        seen = (*((codec.longest,) if view.cuts else ()), height, width, channels)
        model, batch = sized(folder, make, _believed, seen, BATCH)
        reader = cls(view, model, codec, shape, settings["exif"], settings["frames"], batch)
        try:
            model.load_state_dict(_finite(load_file(folder.weights), folder))
            _probabilities(model, reader._blank)
        except (OSError, SafetensorError, RuntimeError, IndexError) as error:
            raise Mistake(f"{folder.weights}: does not fit the run ({first_line(error)})") from error
        return reader

    @overload
    def read(  # type: ignore[overload-overlap]
        self,
        images: Picture,
        *,
        alphabet: str | Alphabet | None = None,
        length: Length | None = None,
        solve: bool = False,
        frames: Frames | None = None,
    ) -> Reading: ...
    @overload
    def read(
        self,
        images: Iterable[Picture],
        *,
        alphabet: str | Alphabet | None = None,
        length: Length | None = None,
        solve: bool = False,
        frames: Frames | None = None,
    ) -> list[Reading]: ...
    def read(
        self,
        images: Picture | Iterable[Picture],
        *,
        alphabet: str | Alphabet | None = None,
        length: Length | None = None,
        solve: bool = False,
        frames: Frames | None = None,
    ) -> Reading | list[Reading]:
        """Return the reading of one image, or the list of readings of several images.

        Several images are any iterable, or an array [image, height, width, channel] with 1, 3 or 4 channels. A reading
        holds the text, its confidence, and a confidence for each character. Raises BadImage with the name or number of
        the first image that cannot be read.

        With `alphabet` (`"digits"` or another name of conf/alphabet, or the symbols) or `length` (a count, or
        `[shortest, longest]`), the reading is the most likely one among the texts that have these symbols and lengths,
        and its confidences are probabilities among these. Raises Mistake where the run knows no such texts.

        With `solve`, the reading of a sum, such as `8+7=`, has its `value`, `15`; another one has a `value_error`.
        `frames` says which frames of an animation are seen: `"first"`, `"darkest"`, `"mean"` or `"all"`; None: as in
        training.
        """
        search = self.search(Told.of(alphabet, length))
        preprocess = self.preprocess.seeing(frames)
        if isinstance(images, ONE) and not (isinstance(images, np.ndarray) and images.ndim == 4):
            (reading,) = self._decoded(self._alone, _seen(preprocess, images, "image")[None], search)
            return solved(reading) if solve else reading
        views = (_seen(preprocess, image, f"image {number}") for number, image in enumerate(images))
        readings = [reading for batch in _batches(views, self.batch) for reading in self.read_views(batch, search)]
        return [solved(reading) for reading in readings] if solve else readings

    def search(self, told: Told) -> Search | None:
        """Return the search among the texts that `told` allows, for `read_views`; None where nothing is told."""
        if not told:
            return None
        search = Search(self.codec, told)
        search.check_steps(self._steps)
        return search

    def read_views(self, views: np.ndarray, search: Search | None = None) -> Iterator[Reading]:
        """Yield the readings of views, uint8 [image, ...view] as `preprocess` returns them."""
        for start in range(0, len(views), self.batch):
            yield from self._decoded(self._together, views[start : start + self.batch], search)

    def _decoded(self, network: Network, views: np.ndarray, search: Search | None) -> list[Reading]:
        probability = _probabilities(network, views)
        return untold.read(self.codec, probability) if search is None else search.read(probability)

    @cached_property
    def preprocess(self) -> Preprocessing:
        """Preprocessing of this run: any form of image in, a view out."""
        return Preprocessing(self.view, self.codec.longest, self.shape, self.exif, self.frames)

    @property
    def _blank(self) -> np.ndarray:
        channels, height, width = self.shape
        pieces = (self.codec.longest,) if self.view.cuts else ()
        return np.zeros((1, *pieces, height, width, channels), np.uint8)

    @cached_property
    def _steps(self) -> int:
        """Number of positions or steps of time."""
        return _probabilities(self.model, self._blank).shape[1]

    @cached_property
    def _together(self) -> Network:
        """Network for many images at a time, with the same readings and without its batch normalisation."""
        return folded(self.model)

    @cached_property
    def _alone(self) -> Network:
        """Network optimised for one image at a time, with the same readings."""
        try:
            return _recorded(self.model, self._blank)
        except Exception:  # some backbones cannot be traced: these run as they are
            return self.model


def _seen(preprocess: Preprocessing, image: Picture, name: str) -> np.ndarray:
    """Return the view of an image; raise BadImage with its path or, where it has none, with `name`."""
    try:
        return preprocess(image)
    except BadImage as error:
        raise BadImage(f"{image if isinstance(image, str | PathLike) else name} {error}") from error


def _probabilities(network: Network, views: np.ndarray) -> np.ndarray:
    """Return the probability of each class, float32 [image, position or time, class]."""
    with torch.inference_mode():
        return _believed(network, torch.from_numpy(np.array(views))).numpy()


def _believed(network: Network, views: torch.Tensor) -> torch.Tensor:
    """Return the probability of each class, float32 [image, position or time, class]."""
    return network(_floats(views)).softmax(-1)


def _recorded(model: Model, view: np.ndarray) -> Network:
    """Return the network traced for one view, uint8 [1, ...view], with its layers fused, to run without Python.

    Untraced, a small network takes twice the time for a single image: most convolutions use another algorithm for one
    image than for many, and Python's overhead between the layers counts.
    """
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated in favour of what needs a C++ compiler
        before = torch.jit.onednn_fusion_enabled()
        torch.jit.enable_onednn_fusion(True)
        try:
            played = torch.jit.freeze(torch.jit.trace(model, _floats(torch.from_numpy(view)), check_trace=False))
            for _ in range(3):  # it looks at what comes by before it settles
                _probabilities(played, view)
        finally:
            torch.jit.enable_onednn_fusion(before)
    return played


def _floats(views: torch.Tensor) -> torch.Tensor:
    """As recognisers want them, channels before height and width; these still lie last in memory, which is faster."""
    return views.movedim(-1, -3).float() / 255


def _finite(weights: dict[str, torch.Tensor], folder: RunFolder) -> dict[str, torch.Tensor]:
    """The same weights, each of them a number that can be reckoned with."""
    for name, numbers in weights.items():
        if numbers.is_floating_point() and not numbers.isfinite().all():
            raise Mistake(f"{folder.weights}: {name} holds infinite or NaN numbers; train the run again")
    return weights


def _batches(views: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    views = iter(views)
    while batch := list(islice(views, size)):
        yield np.stack(batch)


def _settings(folder: RunFolder) -> dict[str, Any]:
    """Return the settings that reading needs, checked to name only CapBench's own classes."""
    settings = folder.settings()
    needed: dict[str, Any] = {"exif": exif_of(settings), "frames": frames_of(settings)}
    for part in ("view", "model", "alphabet"):
        if part not in settings:
            raise Mistake(f"{folder.config}: has no {part}; the folder is not a training's")
        needed[part] = settings[part]
    try:
        check(needed, _read_with)
    except Mistake as error:
        raise Mistake(f"{folder.config}: {error}") from error
    return needed


def _read_with(*, view: View, model: Model, alphabet: Alphabet, exif: images.Exif, frames: Frames) -> None:
    """Names and types of the run's settings that reading needs; `check` reads this signature."""


def _facts(folder: RunFolder) -> tuple[str, list[int], Shape]:
    """Return the alphabet, the bounds of the text length and the shape of a view, as `result.json` records them."""
    result = folder.read_result()
    facts = {key: result[name] for key, name in FACTS.items() if name in result}
    try:
        check(facts, _found)
        channels, height, width = facts["shape"]
        if height * width > MOST_PIXELS or facts["length"][0] > facts["length"][1]:
            raise Mistake(f"length {facts['length']} or view/shape {facts['shape']} cannot be")
        hidden = [symbol for symbol in facts["alphabet"] if category(symbol) in ("Cc", "Cs")]
        if hidden:
            raise Mistake(f"alphabet: {hidden[0]!r} is a symbol that a text cannot show")
    except Mistake as error:
        raise Mistake(f"{folder.result}: {error}") from error
    return facts["alphabet"], facts["length"], (channels, height, width)


def _found(
    *,
    alphabet: Symbols,
    length: Lengths,
    shape: Annotated[list[Pixels], Len(3, 3)],
) -> None:
    """What of a run's result decides how it reads."""
