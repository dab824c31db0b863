"""Reading with a trained run from Python."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import capbench
from capbench.data.views import Whole
from capbench.inference.reader import Reader
from tests.helpers.painter import painter
from tests.helpers.pictures import encoded
from tests.helpers.protocols import Train
from tests.helpers.settings import FAST


@pytest.fixture(scope="module")
def reader(trained: Path) -> Reader:
    return capbench.load(trained)


@pytest.fixture(scope="module")
def captchas() -> np.ndarray:
    """Five captchas, uint8 [image, height, width, 3]."""
    return np.stack(list(painter(seed=7).pictures(np.arange(5))))


def test_importing_capbench_imports_no_heavy_package() -> None:
    heavy = "import sys, capbench; print(*{'torch', 'numpy', 'PIL', 'hydra'} & {name for name in sys.modules})"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True).stdout == "\n"


def test_every_form_of_an_image_is_read_alike(reader: Reader, captchas: np.ndarray, tmp_path: Path) -> None:
    picture = captchas[0]
    path = tmp_path / "captcha.png"
    path.write_bytes(encoded(Image.fromarray(picture)))
    opened = Image.open(path)
    expected = reader.read(picture)
    assert len(expected.text) == len(expected.characters) == 4
    assert expected.confidence == pytest.approx(np.prod(expected.characters))
    for form in (
        path,
        str(path),
        encoded(Image.fromarray(picture)),
        bytearray(encoded(Image.fromarray(picture))),
        memoryview(encoded(Image.fromarray(picture))),
        opened,
    ):
        assert reader.read(form) == expected
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    assert reader.read(grey) == reader.read(grey[:, :, None]) == reader.read(Image.fromarray(grey))


def test_several_images_are_read_in_order(reader: Reader, captchas: np.ndarray) -> None:
    expected = reader.read(captchas)
    assert len(expected) == len(captchas)
    assert reader.read([encoded(Image.fromarray(picture)) for picture in captchas]) == expected
    assert reader.read(picture for picture in captchas) == expected
    assert [r.text for r in map(reader.read, captchas)] == [r.text for r in expected]
    assert reader.read([]) == []
    many = reader.read(captchas[number % 5] for number in range(600))  # more than one batch
    assert [r.text for r in many] == [expected[number % 5].text for number in range(600)]


def test_a_single_image_is_read_by_a_traced_model(reader: Reader) -> None:
    assert reader._alone is not reader.model


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((30, 80, 3), np.uint8), r"^image is seen as 1×30×80 and the run reads 1×60×160; .* view\.size"),
        (np.zeros((60, 160, 3), np.float32), r"^image is an array of float32 \[60, 160, 3\]; uint8 "),
        (np.zeros((60, 160, 2), np.uint8), r"^image is an array of uint8 \[60, 160, 2\]; "),
        (np.zeros((0, 160), np.uint8), r"^image has 160×0 pixels"),
        (np.zeros((3000, 3000), np.uint8), r"^image has 3000×3000 pixels; at most 4,000,000"),
        (b"nothing", r"^image is not an image of a known format"),
        ("nowhere.png", r"^nowhere\.png cannot be read"),
        (["nowhere.png"], r"^nowhere\.png cannot be read"),
        ([b""], r"^image 0 is empty"),
        ([0], r"^image 0 is of type int; give a path, bytes, an array"),
        ("nul\0", r"cannot be read"),
        (Image.new("RGB", (3000, 3000)), r"^image has 3000×3000 pixels"),
    ],
)  # fmt: skip
def test_an_unreadable_image_is_an_error_of_one_line(image: Any, message: str, reader: Reader) -> None:
    with pytest.raises(capbench.BadImage, match=message) as told:
        reader.read(image)
    assert "\n" not in str(told.value)


def test_a_run_with_view_size_reads_images_of_any_size(train: Train, captchas: np.ndarray) -> None:
    reader = capbench.load(train(*FAST, "view.size=[30,80]").path)
    assert len(reader.read(captchas[0][:41, :77]).text) == 4


def test_an_image_without_the_channel_of_the_view_is_a_bad_image(reader: Reader, captchas: np.ndarray) -> None:
    transparent = replace(reader, view=Whole(channel="alpha", size=None, fit="stretch"))
    assert transparent.read(np.dstack([captchas[0], captchas[0][:, :, :1]])).text
    with pytest.raises(capbench.BadImage, match="alpha is wanted and an image has none"):
        transparent.read(captchas[0])


def test_exif_orientation_is_applied_as_in_training(train: Train, labelled: Path, captchas: np.ndarray) -> None:
    lying = Image.fromarray(captchas[0]).transpose(Image.Transpose.ROTATE_90)
    notes = Image.Exif()
    notes[0x0112] = 6  # turn clockwise when shown
    file = io.BytesIO()
    lying.save(file, "PNG", exif=notes)
    data = ("data=csv", f"data.root={labelled}")
    turning = capbench.load(train(*FAST, *data, "data.exif=turn", at="turning").path)
    assert turning.read(file.getvalue()) == turning.read(captchas[0])
    with pytest.raises(capbench.BadImage, match="is seen as 1×160×60"):
        capbench.load(train(*FAST, *data, at="ignoring").path).read(file.getvalue())
