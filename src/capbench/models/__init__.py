"""Recognisers: plain torch modules, views in, scores out. They know no Lightning and no Hydra."""

from capbench.models.base import Model, PerCharacter, Shape

__all__ = ["Model", "PerCharacter", "Shape"]
