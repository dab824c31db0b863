"""Random changes to training images by albumentations, each a function of (seed, epoch, image)."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise the import queries a package index

import albumentations

from capbench.errors import Mistake, nearest


class Augment:
    """Chain of albumentations transforms given by name, such as {Rotate: {limit: 5}}."""

    def __init__(self, *, steps: list[dict[str, Any]]) -> None:
        self._chain = albumentations.Compose([_transform(step) for step in steps]) if steps else None

    def __call__(self, image: np.ndarray, seed: Sequence[int]) -> np.ndarray:
        """Return the changed image, uint8 [height, width, channel]; equal seeds give equal changes."""
        if self._chain is None:
            return image
        self._chain.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        changed = self._chain(image=np.ascontiguousarray(image))["image"]
        return changed.reshape(image.shape)

    @property
    def empty(self) -> bool:
        """True where there are no transforms."""
        return self._chain is None


def _transform(step: dict[str, Any]) -> Any:
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
