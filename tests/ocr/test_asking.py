from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from capbench import images
from capbench.data.files import Files
from capbench.images import Exif
from capbench.ocr.asking import Asked, Question, ask
from capbench.ocr.engine import Engine, Read
from capbench.ocr.journal import Journal
from capbench.text import Alphabet, Reading

DIGITS = Alphabet(symbols="0123456789", fold=None)


@dataclass(frozen=True, kw_only=True)
class Width(Engine):
    """Reads an image as the number of its columns."""

    turned: Exif = "ignore"

    version = ""

    @property
    def exif(self) -> Exif:
        return self.turned

    def open(self, alphabet: Alphabet) -> Read:
        return lambda image: Reading(str(image.shape[1]), 1.0, (1.0,) * len(str(image.shape[1])))


def asked(folder: Path, engines: Mapping[str, Engine]) -> Asked:
    files = Files(str(folder), "images")
    with closing(Journal(folder / "readings.jsonl")) as journal:
        return ask(Question(files, files.images, engines, DIGITS), journal, bool)


def test_an_image_is_decoded_once_for_each_way_of_turning_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = Image.Exif()
    lying[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "1.png", exif=lying)
    decoded: list[Exif] = []
    decode = images.decode

    def counted(content: bytes, exif: Exif) -> np.ndarray:
        decoded.append(exif)
        return decode(content, exif)

    monkeypatch.setattr(images, "decode", counted)
    found = asked(tmp_path, {"a": Width(), "b": Width(turned="turn"), "c": Width()})
    assert {engine: reading.text for engine, reading in found.readings["1.png"].items()} == {
        "a": "30", "b": "20", "c": "30",
    }  # fmt: skip
    assert sorted(decoded) == ["ignore", "turn"]
