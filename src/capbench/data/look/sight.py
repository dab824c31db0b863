"""The view that suits a folder's images, found by looking at some of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from capbench.data.sources.base import Source
from capbench.data.views import Channel, pick
from capbench.errors import Mistake
from capbench.images import BadImage

LOOKED_AT = 128  # images
HIGHEST, WIDEST = 50, 200  # pixels of a view
LOWEST = 32  # pixels to which a high image is shrunk at most
LEAST = 24  # pixels of height to which a low image is enlarged
PIXELS_OF_SYMBOL = 8  # least width of a view for each symbol of the longest text
COLOURED = 0.15  # share of an image's contrast that grey does not show, from which colour is worth three channels
HIDDEN = 0.25  # contrast of the pixels over white beside that of the alpha channel, below which the latter is the image
ALIKE = 1.25  # ratio of the widest and the narrowest image, up to which images are stretched to one size


def view(source: Source) -> tuple[dict[str, Any], str]:
    """Return the settings of a view of whole images, and a line about it; raise Mistake where no image can be read."""
    seen = _some(source)
    channel = _channel(seen)
    sizes = np.array([image.shape[:2] for image in seen])
    size = _size(sizes, source.lengths()[1])
    fit = _fit(sizes)
    settings = {"_target_": "capbench.data.views.Whole", "channel": channel, "size": size, "fit": fit}
    return settings, f"images are {_range(sizes)}; they are seen as {size[0]}×{size[1]}, {channel}"


def _some(source: Source) -> list[np.ndarray]:
    """Return images from the whole source at equal distances, uint8 [height, width, 3 or 4] each."""
    seen, why = [], ""
    for number in np.unique(np.linspace(0, len(source.samples) - 1, LOOKED_AT).astype(int)).tolist():
        try:
            seen.append(source.image(number))
        except BadImage as error:
            why = why or f"{source.samples[number].where}: {error}"
    if not seen:
        raise Mistake(f"{why}; no image of {len(source.samples)} could be read")
    return seen


def _size(sizes: np.ndarray, longest: int) -> list[int]:
    """Return height and width of the view: of the median image, made smaller or larger to suit a network."""
    height, width = np.median(sizes, axis=0)
    if _fit(sizes) == "pad":
        width = height * np.percentile(sizes[:, 1] / sizes[:, 0], 75)
    scale = min(HIGHEST / height, WIDEST / width, 1.0)
    scale = max(scale, min(LOWEST / height, 1.0), LEAST / height)
    return [round(height * scale), max(round(width * scale), least_width(longest))]


def least_width(longest: int) -> int:
    """Return the pixels that a view must have in width to hold a text of so many symbols."""
    return PIXELS_OF_SYMBOL * longest


def _fit(sizes: np.ndarray) -> Literal["stretch", "pad"]:
    shapes = sizes[:, 1] / sizes[:, 0]
    return "stretch" if shapes.max() <= ALIKE * shapes.min() else "pad"


def _channel(seen: list[np.ndarray]) -> Channel:
    """Return the channel that shows the text: alpha where it is the image, colour where grey hides a part of it."""
    if all(image.shape[2] == 4 for image in seen):
        over_white, alpha = (np.mean([pick(image, channel).std() for image in seen]) for channel in ("grey", "alpha"))
        if over_white < HIDDEN * alpha:
            return "alpha"
    return "colour" if np.mean([_hidden_in_grey(image) for image in seen]) > COLOURED else "grey"


def _hidden_in_grey(image: np.ndarray) -> float:
    """Return the share of the variance of an image's colours that its grey does not explain."""
    colours = pick(image, "colour").reshape(-1, 3).astype(np.float64)
    grey = pick(image, "grey").reshape(-1).astype(np.float64)
    colours, grey = colours - colours.mean(0), grey - grey.mean()
    total = (colours**2).sum()
    explained = ((colours.T @ grey) ** 2).sum() / max((grey**2).sum(), 1e-9)
    return float(1 - explained / total) if total > 0 else 0.0


def _range(sizes: np.ndarray) -> str:
    (low, narrow), (high, wide) = sizes.min(0), sizes.max(0)
    smallest, largest = f"{low}×{narrow}", f"{high}×{wide}"
    return smallest if smallest == largest else f"{smallest} to {largest}"
