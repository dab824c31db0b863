"""How a trained run sees any image that it is given; needs no torch, so that helper processes can see too."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from capbench import images
from capbench.data.views import View
from capbench.errors import BadImage, Mistake
from capbench.images import Exif, Picture


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
