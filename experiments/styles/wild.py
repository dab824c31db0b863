"""Picture of a hundred captchas of style=wild: wild.png."""

from __future__ import annotations

from pathlib import Path

import cv2
import hydra
import numpy as np

from capbench.render.painter import Painter
from capbench.settings import build, conf_dir, plain

COLUMNS, ROWS = 8, 13
CELL = (64, 160)  # pixels, height and width of a cell
ROOM = 4  # pixels around each captcha


def fitted(picture: np.ndarray) -> np.ndarray:
    """Return a picture, uint8 [height, width, 3], reduced to fit a white cell, in its middle."""
    height, width = (side - 2 * ROOM for side in CELL)
    scale = min(1.0, height / picture.shape[0], width / picture.shape[1])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (CELL[0] - picture.shape[0]) // 2, (CELL[1] - picture.shape[1]) // 2
    cell = np.full((*CELL, 3), 255, dtype=np.uint8)
    cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return cell


def main() -> None:
    """Write the picture."""
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        settings = plain(hydra.compose("render", ["style=wild", "alphabet=mixed_70"]))
    painter = Painter(build(settings["style"]), settings["alphabet"]["symbols"], 3, 7, 1)
    cells = [fitted(picture) for picture in painter.each(np.arange(COLUMNS * ROWS))]
    sheet = np.concatenate([np.concatenate(cells[row::ROWS], axis=1) for row in range(ROWS)])
    cv2.imwrite(str(Path(__file__).parent / "wild.png"), sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
