"""Folders that nobody tidied: each ends in a reader, or in one line that says what is missing."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import capbench
from capbench.errors import Mistake
from capbench.train import experiment
from capbench.train.choose import choose
from tests.helpers.protocols import Train
from tests.helpers.settings import composed

COUNT = 40
QUICK = ("minutes=1e-4", "trainer.threads=1", "trainer.progress=false", "logger=none")
TEXTS = [f"{number * 7919 % 10000:04}" for number in range(COUNT)]


def picture(number: int, height: int = 20, width: int = 60) -> Image.Image:
    """Return a picture that no other number gives."""
    small = np.random.default_rng(number).integers(0, 256, (min(height, 40), min(width, 80), 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height))


def labelled(at: Path, pictures: list[Image.Image], suffix: str = ".png", texts: list[str] | None = None) -> Path:
    at.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pictures):
        image.save(at / f"{number}{suffix}")
    rows = zip(range(len(pictures)), texts or TEXTS, strict=False)
    (at / "labels.csv").write_text("filename,label\n" + "".join(f"{i}{suffix},{text}\n" for i, text in rows), "utf-8")
    return at


def of_sizes(at: Path) -> Path:
    sizes = [(20, 10), (1000, 2000), (10, 90), (60, 160), (300, 40)]
    return labelled(at, [picture(number, *sizes[number % len(sizes)]) for number in range(20)])


def photographs(at: Path) -> Path:
    """Write photographs of more pixels than are accepted beside others of three million."""
    folder = labelled(at, [picture(number, 1500, 2000) for number in range(10)], ".jpg")
    for number, text in ((97, "0000"), (98, "1111")):
        Image.new("L", (4000, 3000), number).save(folder / f"{number}.jpg")
        with (folder / "labels.csv").open("a") as table:
            table.write(f"{number}.jpg,{text}\n")
    return folder


def animations(at: Path) -> Path:
    at.mkdir()
    for number, text in enumerate(TEXTS):
        frames = [picture(number * 3 + frame) for frame in range(3)]
        frames[0].save(at / f"{text}.gif", save_all=True, append_images=frames[1:])
    return at


def transparent(at: Path) -> Path:
    """Write images of which only the alpha channel holds anything, and other modes with transparent pixels."""
    white = [Image.new("RGB", (60, 20), "white") for _ in TEXTS]
    for number, image in enumerate(white):
        image.putalpha(picture(number).convert("L"))
    return labelled(at, [image.convert("LA") if number % 2 else image for number, image in enumerate(white)])


def in_folders(at: Path) -> Path:
    for number, text in enumerate(TEXTS):
        place = at / f"{number % 3}" / "images"
        place.mkdir(parents=True, exist_ok=True)
        picture(number).save(place / f"{text}.png")
    return at


def zip_of_a_folder(at: Path) -> Path:
    labelled(at, [picture(number) for number in range(COUNT)])
    target = at.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in at.iterdir():
            archive.write(file, f"my set/{file.name}")
    return target


def links(at: Path) -> Path:
    """Write a folder of links to images, with a link to itself and links to nothing."""
    original = labelled(at.with_name("original"), [picture(number) for number in range(COUNT)])
    at.mkdir()
    for file in original.iterdir():
        (at / file.name).symlink_to(file)
    (at / "again").symlink_to(at)
    (at / "98.png").symlink_to(at / "none.png")
    (at / "99.png").symlink_to(at / "99.png")
    return at


def half_damaged(at: Path) -> Path:
    folder = labelled(at, [picture(number) for number in range(COUNT)])
    for file in [folder / f"{number}.png" for number in range(0, COUNT, 2)]:
        file.write_bytes(file.read_bytes()[: -file.stat().st_size // 2])
    return folder


def names_in_other_scripts(at: Path) -> Path:
    at.mkdir()
    for number, text in enumerate(TEXTS):
        picture(number).save(at / f"каптча–日本 {number} ü_{text}.png")
    return at


def odd_files(at: Path) -> Path:
    """Write images among files that are none: hidden ones, a folder called like an image, a queue."""
    folder = labelled(at, [picture(number) for number in range(COUNT)])
    for name in (".DS_Store", "Thumbs.db", "._0.png"):
        (folder / name).write_bytes(b"\0\1")
    (folder / "x.png").mkdir()
    os.mkfifo(folder / "y.png")
    return folder


def pictures_of(count: int) -> list[Image.Image]:
    return [picture(number) for number in range(count)]


READABLE: dict[str, Callable[[Path], Path]] = {
    "sizes that differ": of_sizes,
    "photographs": photographs,
    "animations": animations,
    "transparency": transparent,
    "subfolders": in_folders,
    "a zip file of a folder": zip_of_a_folder,
    "links": links,
    "damaged images": half_damaged,
    "names in other scripts": names_in_other_scripts,
    "odd files": odd_files,
    "ten images": lambda at: labelled(at, pictures_of(10)),
    "labels with spaces": lambda at: labelled(at, pictures_of(COUNT), texts=[f" {t[:2]} {t[2:]} " for t in TEXTS]),
    "texts in another script": lambda at: labelled(
        at, pictures_of(COUNT), texts=["".join("日月火水木金土年時分"[int(d)] for d in text) for text in TEXTS]
    ),
    "one symbol": lambda at: labelled(at, pictures_of(COUNT), texts=["7" * (1 + n % 5) for n in range(COUNT)]),
    "texts of one symbol": lambda at: labelled(at, pictures_of(COUNT), texts=[text[0] for text in TEXTS]),
    "long texts": lambda at: labelled(at, pictures_of(COUNT), texts=[text * 20 for text in TEXTS]),
    "single pixels": lambda at: labelled(at, [picture(number, 1, 1) for number in range(COUNT)]),
    "lines of pixels": lambda at: labelled(at, [picture(n, *((1, 300) if n % 2 else (300, 1))) for n in range(COUNT)]),
    "images without colour": lambda at: labelled(at, [picture(n).convert("1") for n in range(COUNT)]),
}


@pytest.mark.parametrize("kind", READABLE)
def test_a_reader_can_be_trained(kind: str, tmp_path: Path) -> None:
    """Looking, choosing and preparing find nothing wrong; the training itself does not depend on the folder any more."""
    root = READABLE[kind](tmp_path / "set")
    built = experiment.prepare(choose(composed("+experiment=folder", f"data.root={root}", *QUICK)))
    assert all(len(part) for part in built.material.parts.values())
    assert len(built.material.parts["train"]) >= sum(len(part) for part in built.material.parts.values()) // 2


@pytest.mark.parametrize("kind", ["ten images", "one symbol", "lines of pixels"])
def test_a_reader_is_trained(kind: str, train: Train, tmp_path: Path) -> None:
    root = READABLE[kind](tmp_path / "set")
    run = train("+experiment=folder", f"data.root={root}", *QUICK)
    assert capbench.load(run.path).read(root / "0.png").confidence >= 0


def empty_zip(at: Path) -> Path:
    zipfile.ZipFile(at.with_suffix(".zip"), "w").close()
    return at.with_suffix(".zip")


def zip_in_a_folder(at: Path) -> Path:
    at.mkdir()
    zip_of_a_folder(at.with_name("other")).rename(at / "set.zip")
    return at


def two_pieces(at: Path) -> Path:
    at.mkdir()
    for number, text in enumerate(TEXTS):
        picture(number).save(at / f"{text}_{text[::-1]}.png")
    return at


def two_tables(at: Path) -> Path:
    folder = labelled(at, pictures_of(COUNT))
    rows = "".join(f"{number}.png,{text[::-1]}\n" for number, text in enumerate(TEXTS))
    (folder / "b.csv").write_text("filename,label\n" + rows)
    (folder / "labels.csv").rename(folder / "a.csv")
    return folder


def unlabelled(at: Path) -> Path:
    folder = labelled(at, pictures_of(COUNT))
    (folder / "labels.csv").unlink()
    return folder


def noise(at: Path) -> Path:
    at.with_suffix(".zip").write_bytes(np.random.default_rng(1).bytes(999))
    return at.with_suffix(".zip")


INCOMPLETE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no labels": (unlabelled, "has no labels: no table names its images"),
    "two tables": (two_tables, r"both a\.csv and b\.csv in .* hold labels"),
    "two pieces": (two_pieces, "has several pieces that may be its text; say which"),
    "one image": (lambda at: labelled(at, pictures_of(1)), "holds 1 image; a reader needs at least 10"),
    "two images": (lambda at: labelled(at, pictures_of(2)), "holds 2 images; a reader needs at least 10"),
    "one text": (lambda at: labelled(at, pictures_of(COUNT), texts=["1234"] * COUNT), "every label is '1234'"),
    "texts of nothing": (lambda at: labelled(at, pictures_of(COUNT), texts=[" "] * COUNT), "'0.png' has no text"),
    "an empty zip file": (empty_zip, "holds no image; images are"),
    "a zip file in a folder": (zip_in_a_folder, r"holds no image but 1 \.zip; images are"),
    "no zip file": (noise, "is neither a folder nor a zip file"),
    "no folder": (lambda at: at, "does not exist; give a folder or a zip file"),
    "TIFF": (lambda at: labelled(at, pictures_of(COUNT), ".tif"), r"holds no image but 40 \.tif, 1 \.csv; images are"),
    "one image in many files": (
        lambda at: labelled(at, [picture(7)] * COUNT),
        "of 40 labelled images in .*, 40 can be read, of which 1 are different; a reader needs at least 10",
    ),
    "two images in many files": (
        lambda at: labelled(at, [picture(number % 2) for number in range(COUNT)]),
        "of which 2 are different",
    ),
    "images of which nothing is seen": (
        lambda at: labelled(at, [Image.new("RGBA", (60, 20), (0, 0, 0, 0)) for _ in TEXTS]),
        "of which 1 are different",
    ),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_one_line_says_what_is_missing(kind: str, tmp_path: Path) -> None:
    make, told = INCOMPLETE[kind]
    settings = composed("+experiment=folder", f"data.root={make(tmp_path / 'set')}", *QUICK)
    with pytest.raises(Mistake, match=told) as line:
        experiment.prepare(choose(settings))
    assert "\n" not in str(line.value)
