"""Labelled folders of rendered captchas."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.settings import style


def save_captchas(
    folder: Path, count: int, symbols: str = "0123456789", length: int = 4, seed: int = 5, look: tuple[str, ...] = ()
) -> list[str]:
    """Write a labelled folder, images/ and labels.csv, and return the texts of its captchas."""
    from PIL import Image

    from capbench.render.painter import Painter

    painter = Painter(style(*look), symbols, length, length, seed)
    (folder / "images").mkdir(parents=True)
    texts = []
    lines = ["filename,label,confidence"]
    for i in range(count):
        pixels, text = painter.sample(i)
        Image.fromarray(pixels).save(folder / "images" / f"{i}_{text}.png")
        texts.append(text)
        lines.append(f"images/{i}_{text}.png,{text},{(i % 10) / 10}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return texts


def save_readable_captchas(folder: Path, count: int) -> Path:
    """Write a labelled folder of four digits in the style that OCR engines read best, and return the folder."""
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    save_captchas(folder, count, look=("style=strokes",))
    return folder
