"""Picture of four samples of each style that imitates captchas seen in the wild: styles.png."""

from __future__ import annotations

from pathlib import Path

import hydra
import numpy as np

from capbench.render.painter import Painter
from capbench.report import pictures
from capbench.settings import build, conf_dir, plain

STYLES = {
    "strokes": ("ABCDEFGHJKLMNPQRSTUVWXYZ123456789", 4),
    "clean": ("123456789", 4),
    "overlap": ("0123456789", 4),
    "lines": ("2345678bcdefgmnpwxy", 5),
    "gradient": ("0123456789abcdefghijklmnopqrstuvwxyz", 4),
    "monochrome": ("0123456789", 6),
}
CELL = (80, 240)  # pixels, height and width of a cell


def framed(picture: np.ndarray) -> np.ndarray:
    """Return a picture, uint8 [height, width, 3], in the middle of a white cell."""
    cell = np.full((*CELL, 3), 255, dtype=np.uint8)
    height, width = picture.shape[:2]
    top, left = (CELL[0] - height) // 2, (CELL[1] - width) // 2
    cell[top : top + height, left : left + width] = picture
    return cell


def main() -> None:
    """Write the picture."""
    views, captions = [], []
    for name, (symbols, length) in STYLES.items():
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            style = build(plain(hydra.compose("render", [f"style={name}"]))["style"])
        painter = Painter(style, symbols, length, length, 1)
        numbers = np.arange(4)
        views += [framed(picture) for picture in painter.pictures(numbers)]
        captions += [f"{name}: {text}" for text in painter.texts(numbers)]
    pictures.sheet(
        Path(__file__).parent / "styles.png", views, captions, "styles that imitate captchas seen in the wild"
    )


if __name__ == "__main__":
    main()
