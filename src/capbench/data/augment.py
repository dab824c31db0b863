"""Random changes to training images by albumentations, each a function of (seed, epoch, image)."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it asks a package index otherwise

import albumentations

from capbench.errors import Mistake, nearest


class Augment:
    """A chain of albumentations' transforms, by name, such as {Rotate: {limit: 5}}."""

    def __init__(self, *, steps: list[dict[str, Any]]) -> None:
        self._chain = albumentations.Compose([_transform(step) for step in steps]) if steps else None

    def __call__(self, image: np.ndarray, seed: Sequence[int]) -> np.ndarray:
        """A changed copy of uint8 [height, width, channel]; the same `seed`, the same change."""
        if self._chain is None:
            return image
        self._chain.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        changed = self._chain(image=np.ascontiguousarray(image))["image"]
        return changed.reshape(image.shape)

    @property
    def empty(self) -> bool:
        return self._chain is None


def _transform(step: dict[str, Any]) -> Any:
    if len(step) != 1:
        raise Mistake(
            f"augment.steps: {step} is no step; write one name with its settings, such as Rotate: {{limit: 5}}"
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
        warnings.simplefilter("error")  # it only warns of an argument that it does not know
        try:
            return kinds[name](**(settings or {}))
        except (UserWarning, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise Mistake(f"augment.steps.{name}: {settings} is refused by albumentations ({reason})") from error
