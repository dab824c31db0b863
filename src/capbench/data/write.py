"""Verb `render`: captchas drawn into a labelled folder, resumable."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from tqdm import tqdm

from capbench.data import cleaning_sheet
from capbench.data.sources.base import Source
from capbench.data.sources.rendered import Synthetic
from capbench.data.splits import Split
from capbench.data.views import Characters
from capbench.errors import Mistake
from capbench.render.mixture import Mixture
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.report import pictures
from capbench.settings import build, check
from capbench.text import Alphabet, Length, bounds
from capbench.types import Count, Seed
from capbench.utils.atomic import replacing
from capbench.utils.locks import LOCK, alone
from capbench.utils.portable import cores

CHUNK = 128  # pictures
SHEET = 48  # pictures
# Captchas have flat areas, for which PNG without its filters is smaller and twice as fast.
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
PNG_END = b"IEND\xaeB`\x82"  # last bytes of a whole PNG file
SETTINGS = "render.json"  # file beside the images that holds the settings they were drawn with


def schema(
    *,
    alphabet: Alphabet,
    style: Style,
    length: Length,
    seed: Seed,
    count: Count,
    out: str,
    format: Literal["png", "npy", "zip"],
    sheet: bool,
    data: Source | None = None,
    view: Characters | None = None,
) -> None:
    """Declare the names and types of the verb's settings; `check` reads this signature."""


def run(settings: dict[str, Any]) -> str:
    """Check the settings, draw the captchas, and return a line that says where they are."""
    check(settings, schema)
    if settings.get("view") or settings.get("data"):
        return draw_cleaning(settings)
    alphabet: Alphabet = build(settings["alphabet"]).known()
    shortest, longest = bounds(settings["length"], "length")
    painter = Painter(build(settings["style"]), alphabet.symbols, shortest, longest, settings["seed"])
    out, count, kind = Path(settings["out"]), settings["count"], settings["format"]
    if kind == "npy" and isinstance(painter.style, Mixture):
        raise Mistake(
            "format: npy takes pictures of one size, and those of this style differ; set format=png or format=zip"
        )
    if settings["sheet"]:
        return f"sheet: {draw_sheet(painter, out / 'sheet.png')}"
    drawn_with = {key: settings[key] for key in ("alphabet", "style", "length", "seed", "format")}
    if kind == "zip":
        where = write_zip(painter, count, out.with_suffix(".zip"), drawn_with)
    else:
        where = write_folder(painter, count, out, drawn_with, as_array=kind == "npy")
    return f"{count:,} captchas: {where}"


def draw_sheet(painter: Painter, path: Path) -> Path:
    """Save the first samples in one picture, each with its text, and return its path."""
    numbers = np.arange(SHEET)
    path.parent.mkdir(parents=True, exist_ok=True)
    style = painter.style
    size = "several sizes" if isinstance(style, Mixture) else f"{style.width}×{style.height}"
    return pictures.sheet(
        path, painter.each(numbers), painter.texts(numbers), f"{size}, {len(painter.symbols)} symbols"
    )


def draw_cleaning(settings: dict[str, Any]) -> str:
    """Save a sheet of the view's cleaning and cutting, and return a line on its counts and its path.

    The images are those of the source `data`, or rendered ones where there is none.
    """
    if not settings.get("view"):
        raise Mistake("data: needs a view for a sheet of cleaned images; add one, such as view=characters")
    if not settings["sheet"]:
        raise Mistake(
            "view: is used only with sheet=true, which shows how images are cleaned and cut; add sheet=true, or remove view="
        )
    source: Source = build(settings["data"]) if settings.get("data") else _rendered(settings)
    path = Path(settings["out"]) / "sheet.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"{cleaning_sheet.sheet(source, build(settings['view']), settings['count'], path)}\nsheet: {path}"


def _rendered(settings: dict[str, Any]) -> Source:
    """Return a source of the captchas that the settings render."""
    return Synthetic(
        renderer="capbench",
        fresh=False,
        style=build(settings["style"]),
        alphabet=build(settings["alphabet"]),
        often="",
        length=settings["length"],
        seed=settings["seed"],
        split=Split(train=settings["count"], val=1, test=1),
        train_size=None,
    )


def write_folder(painter: Painter, count: int, folder: Path, drawn_with: dict[str, Any], as_array: bool) -> Path:
    """Write images/ or images.npy, then labels.csv, and return the folder.

    labels.csv is written last, so that its presence says that the folder is complete.
    """
    if folder.exists() and not folder.is_dir():
        raise Mistake(f"out: {folder} is a file; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, "render"):
        return _write_folder(painter, count, folder, drawn_with, as_array)


def _write_folder(painter: Painter, count: int, folder: Path, drawn_with: dict[str, Any], as_array: bool) -> Path:
    _begin(folder, drawn_with)
    numbers = np.arange(count)
    texts = painter.texts(numbers)
    if as_array:
        names = [f"images.npy#{number}" for number in range(count)]
        _write_array(painter, count, folder / "images.npy")
    else:
        names = [f"images/{number:06d}.png" for number in range(count)]
        _write_pictures(painter, names, folder)
    with replacing(folder / "labels.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filename", "label"])
        writer.writerows(zip(names, texts, strict=True))
    return folder


def write_zip(painter: Painter, count: int, path: Path, drawn_with: dict[str, Any]) -> Path:
    """Write a zip file of the labelled folder, and return its path.

    The folder is written beside it first, so that an interrupted run can be resumed.
    """
    unpacked = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path, "render"):
        unpacked.mkdir(exist_ok=True)
        _write_folder(painter, count, unpacked, drawn_with, as_array=False)
        with replacing(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:  # PNG is compressed already
            for member in tqdm(sorted(unpacked.rglob("*")), desc="packing", unit="file", leave=False, delay=1):
                if member.is_file() and member.name != SETTINGS:
                    archive.write(member, member.relative_to(unpacked))
        shutil.rmtree(unpacked)
    return path


def _begin(folder: Path, drawn_with: dict[str, Any]) -> None:
    """Accept a new folder or one that was begun with the same settings; raise Mistake for any other."""
    known = folder / SETTINGS
    if known.is_file():
        if json.loads(known.read_text()) != drawn_with:
            raise Mistake(f"out: {folder} was drawn with other settings ({known}); give another folder")
        return
    if any(entry.name != LOCK for entry in folder.iterdir()):
        raise Mistake(f"out: {folder} holds something else; give a new or an empty folder")
    with replacing(known) as file:
        json.dump(drawn_with, file, indent=1)


def _write_pictures(painter: Painter, names: list[str], folder: Path) -> None:
    """Write the pictures that are missing, and those that an interrupted run has written in part."""
    (folder / "images").mkdir(exist_ok=True)
    there = {path.name for path in (folder / "images").iterdir() if path.read_bytes().endswith(PNG_END)}
    missing = [number for number, name in enumerate(names) if name.rpartition("/")[2] not in there]

    def write(numbers: list[int]) -> int:
        for number, content in zip(numbers, png_files(painter, numbers), strict=True):
            # To write under another name first, and even a Path, would cost as much as the writing.
            with open(f"{folder}/{names[number]}", "wb") as file:  # noqa: PTH123
                file.write(content)
        return len(numbers)

    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    with ThreadPoolExecutor(cores()) as pool, _bar(len(names), len(missing)) as bar:
        for written in pool.map(write, chunks):
            bar.update(written)


def png_files(painter: Painter, numbers: list[int]) -> Iterator[memoryview]:
    """Yield the content of the PNG file of each sample."""
    for picture in painter.each(np.array(numbers), threads=1):
        yield cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), PNG)[1].data


def _write_array(painter: Painter, count: int, path: Path) -> None:
    """Write the pictures chunk by chunk; a resumed run keeps the whole pictures of the interrupted one."""
    if path.exists() and np.load(path, mmap_mode="r").shape[0] == count:
        return
    unfinished = path.with_name(f".{path.name}.part")
    shape = (count, painter.style.height, painter.style.width, 3)
    size = int(np.prod(shape[1:]))
    done = unfinished.stat().st_size // size if unfinished.exists() else 0
    with unfinished.open("ab") as file, _bar(count, count - done) as bar:
        file.truncate(done * size)
        for start in range(done, count, 8 * CHUNK):
            numbers = np.arange(start, min(start + 8 * CHUNK, count))
            file.write(painter.pictures(numbers).tobytes())
            bar.update(len(numbers))
    with replacing(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with unfinished.open("rb") as pixels:
            shutil.copyfileobj(pixels, file, 1 << 20)
    unfinished.unlink()


def _bar(total: int, missing: int) -> tqdm:
    return tqdm(
        desc="rendering", total=total, initial=total - missing, unit="img", unit_scale=True, leave=False, delay=0.5
    )
