"""Random changes to training images, by albumentations or a user's own, each a function of (seed, epoch, image)."""

from __future__ import annotations

import inspect
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise the import queries a package index

import albumentations

from capbench.errors import Mistake, nearest
from capbench.utils.shapes import kept


class AugmentStep(ABC):
    """Random change of a user's own to a training image.

    What must hold: the result has the shape of the input, which is not changed; it depends on the image, the settings and
    the numbers that `random` draws alone; the step can be pickled, since other processes change images.
    """

    @abstractmethod
    def __call__(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the changed image, uint8 [height, width, channel]; the view is not cut, or is one character."""


class Augment:
    """Chain of steps: albumentations transforms given by name, such as {Rotate: {limit: 5}}, and steps of a user's own."""

    def __init__(self, *, steps: list[AugmentStep | dict[str, Any]]) -> None:
        self._chain: list[Any] = []  # a step of a user's own, or one Compose for the transforms between two of them
        for own, group in groupby(steps, lambda step: isinstance(step, AugmentStep)):
            stages = list(group)
            self._chain += stages if own else [albumentations.Compose([_transform(step) for step in stages])]

    def __call__(self, image: np.ndarray, seed: Sequence[int]) -> np.ndarray:
        """Return the changed image, uint8 [height, width, channel]; equal seeds give equal changes."""
        for number, stage in enumerate(self._chain):
            stream = np.random.SeedSequence([*seed, number] if number else seed)
            if isinstance(stage, AugmentStep):
                image = kept(stage(image, np.random.default_rng(stream)), image, stage, "augment.steps")
                continue
            stage.set_random_seed(int(stream.generate_state(1)[0]))
            image = stage(image=np.ascontiguousarray(image))["image"].reshape(image.shape)
        return image

    @property
    def empty(self) -> bool:
        """True where there are no transforms."""
        return not self._chain


def _transform(step: Any) -> Any:
    """Return the transform of one step, {name: settings}; raise Mistake where albumentations does not accept it."""
    if len(step) != 1:
        raise Mistake(
            f"augment.steps: {step} is not a step; write one name with its settings, such as Rotate: {{limit: 5}}"
        )
    ((name, settings),) = step.items()
    kinds = {
        kind.__name__: kind
        for kind in vars(albumentations).values()
        if inspect.isclass(kind) and issubclass(kind, albumentations.ImageOnlyTransform | albumentations.DualTransform)
    }
    if name not in kinds:
        raise Mistake(f"augment.steps: {name} is unknown to albumentations; {nearest(name, kinds)}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # albumentations only warns about unknown arguments
        try:
            return kinds[name](**(settings or {}))
        except (UserWarning, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise Mistake(f"augment.steps.{name}: {settings} is refused by albumentations ({reason})") from error
