"""Recognisers: plain torch modules from views to scores, independent of Lightning and Hydra."""

from capbench.models.base import Model, PerCharacter, Shape

__all__ = ["Model", "PerCharacter", "Shape"]
