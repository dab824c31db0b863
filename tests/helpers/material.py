"""Material of a training: the images of a source, seen through a view."""

from __future__ import annotations

from capbench.data.material import Material
from capbench.settings import build
from tests.helpers.settings import composed


def material(*overrides: str) -> Material:
    """Return the material of a training with these settings."""
    settings = composed(*overrides)
    return Material(build(settings["data"]), build(settings["view"]), build(settings["alphabet"]), settings["cache"])
