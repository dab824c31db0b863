"""Questions to engines about images."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from capbench import images
from capbench.errors import Mistake
from capbench.images import Exif, Frames
from capbench.images.folder import Files
from capbench.label import asking
from capbench.label.asking import Answers, Question, ask
from capbench.label.engines.base import Engine, Read
from capbench.label.journal import Journal
from capbench.text import Alphabet, Reading

DIGITS = Alphabet(symbols="0123456789", fold=None)


@dataclass(frozen=True, kw_only=True)
class Width(Engine):
    """Engine that reads the number of an image's columns."""

    turned: Exif = "ignore"

    version = ""

    @property
    def exif(self) -> Exif:
        return self.turned

    def open(self, alphabet: Alphabet) -> Read:
        return lambda image: Reading(str(image.shape[1]), 1.0, (1.0,) * len(str(image.shape[1])))


def asked(folder: Path, engines: Mapping[str, Engine]) -> Answers:
    files = Files(str(folder), "images")
    with closing(Journal(folder / "readings.jsonl")) as journal:
        return ask(Question(files, files.images, engines, DIGITS), journal, bool)


def test_an_image_is_decoded_once_for_each_exif_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = Image.Exif()
    lying[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "1.png", exif=lying)
    decoded: list[Exif] = []
    decode = images.decode

    def counted(content: bytes, exif: Exif, frames: Frames) -> np.ndarray:
        decoded.append(exif)
        return decode(content, exif, frames=frames)

    monkeypatch.setattr(images, "decode", counted)
    found = asked(tmp_path, {"a": Width(), "b": Width(turned="turn"), "c": Width()})
    assert {engine: reading.text for engine, reading in found.readings["1.png"].items()} == {
        "a": "30", "b": "20", "c": "30",
    }  # fmt: skip
    assert sorted(decoded) == ["ignore", "turn"]


def test_images_that_change_during_labelling_are_named_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("deleted", "replaced", "stays"):
        Image.new("RGB", (len(name), 20)).save(tmp_path / f"{name}.png")
    start = asking._answers

    def meanwhile(*given: Any) -> Any:
        (tmp_path / "deleted.png").unlink()
        Image.new("RGB", (99, 20)).save(tmp_path / "replaced.png")
        return start(*given)

    with monkeypatch.context() as changing:
        changing.setattr(asking, "_answers", meanwhile)
        found = asked(tmp_path, {"a": Width()})
    assert found.readings.keys() == {"stays.png"}
    assert found.bad["replaced.png"] == "was changed while it was read; run label again"
    assert "cannot be read" in found.bad["deleted.png"]
    assert asked(tmp_path, {"a": Width()}).readings["replaced.png"]["a"].text == "99"


@dataclass(frozen=True, kw_only=True)
class Killed(Width):
    """Engine whose process is killed at the image of 17 columns."""

    def open(self, alphabet: Alphabet) -> Read:
        read = super().open(alphabet)

        def read_or_end(image: np.ndarray) -> Reading:
            if image.shape[1] == 17:
                os.kill(os.getpid(), signal.SIGKILL)
            return read(image)

        return read_or_end


def test_a_killed_worker_process_is_an_error_of_one_line_and_answers_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "CHUNK", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    folder = tmp_path / "images"
    folder.mkdir()
    for width in range(20):
        Image.new("RGB", (width + 1, 20)).save(folder / f"{width:02}.png")
    with pytest.raises(Mistake, match="a worker process was killed, often for lack of memory; start again"):
        asked(folder, {"a": Killed()})
    with closing(Journal(folder / "readings.jsonl")) as journal:
        assert {answer.reading.text for answer in journal.answers.values()} >= {str(width) for width in range(1, 10)}
