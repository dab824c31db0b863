"""Views of decoded images kept as arrays, in memory or in a cache folder named by their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from capbench.data.sources.base import Source
from capbench.data.views import View
from capbench.errors import Mistake
from capbench.images import BadImage
from capbench.utils import processes
from capbench.utils.portable import cores

CHUNK = 256  # images
SUMS = "sums.json"  # the checksum of each other file in a prepared folder
EDITION = 3  # version of what a prepared folder holds; folders of earlier versions are left alone
WORTH_A_POOL = 8 * CHUNK  # images; below this, starting processes costs more than it saves


@dataclass(frozen=True)
class Store:
    """Views of all good images of a source, and the reasons why others were left out."""

    views: np.ndarray
    """uint8 [image, ...view]"""
    digests: np.ndarray
    """uint64 [image], of the decoded pixels"""
    numbers: np.ndarray
    """int64 [image], each image's index in the source's samples"""
    bad: list[str]
    """One line for each image that was left out"""


class _Chunk(NamedTuple):
    views: list[np.ndarray]
    digests: list[int]
    numbers: list[int]
    bad: list[tuple[int, str]]


def prepare(source: Source, view: View, characters: int, cache: str | None, at_once: int = CHUNK) -> Store:
    """All of `source` as `view` shows it, from `cache` (a folder) if it was made before.

    Each process makes so many views `at_once` before they are written.
    """
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="capbench-") as temporary:
            store = _load(_build(source, view, characters, Path(temporary), at_once))
            return Store(np.array(store.views), store.digests, store.numbers, _checked(store.bad, source))
    key = hashlib.sha256(
        repr((EDITION, source.key, view, characters, version("opencv-python-headless"))).encode()
    ).hexdigest()
    root = Path(cache).expanduser()
    folder = root / key[:32]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{key[:32]}.lock"):
            if folder.is_dir() and not _is_whole(folder):
                print(f"cache: {folder} is damaged; its images are prepared again", file=sys.stderr, flush=True)
                shutil.rmtree(folder)
            if not folder.is_dir():
                with _replacing(folder) as unfinished:
                    _build(source, view, characters, unfinished, at_once)
    except OSError as error:
        raise Mistake(f"cache: {cache} cannot be written ({error}); give another folder or cache=null") from error
    store = _load(folder)
    _checked(store.bad, source)
    return store


def _checked(bad: list[str], source: Source) -> list[str]:
    """Return `bad`, or raise Mistake where the source does not allow bad images."""
    if bad and source.on_bad == "error":
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise Mistake(f"{bad[0]}{more}; mend it, or leave such files out with data.on_bad=skip")
    return bad


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill; it becomes `folder` once all its files and their checksums are on the disk."""
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        yield unfinished
        sums = {path.name: _checksum(path) for path in sorted(unfinished.iterdir())}
        (unfinished / SUMS).write_text(json.dumps(sums))
        for path in (*unfinished.iterdir(), unfinished):
            _flush(path)
        unfinished.replace(folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(path: Path) -> int:
    """Return the CRC-32 of a file, which detects damage and takes about a second per gigabyte."""
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            total = zlib.crc32(piece, total)
    return total


def _is_whole(folder: Path) -> bool:
    """Return whether a prepared folder holds what was written to it."""
    try:
        sums = json.loads((folder / SUMS).read_text())
        return bool(sums) and all(_checksum(folder / name) == known for name, known in sums.items())
    except (OSError, ValueError, AttributeError):  # a file is missing, or the list of sums itself is damaged
        return False


def _load(folder: Path) -> Store:
    record = json.loads((folder / "bad.json").read_text())
    return Store(
        np.load(folder / "views.npy", mmap_mode="r"),
        np.load(folder / "digests.npy"),
        np.load(folder / "numbers.npy"),
        record,
    )


def _build(source: Source, view: View, characters: int, folder: Path, at_once: int) -> Path:
    """Fill `folder` with the arrays; views go straight to the file, never all of them into memory."""
    samples = source.samples
    digests: list[int] = []
    numbers: list[int] = []
    bad: list[str] = []
    shape: tuple[int, ...] | None = None
    with (folder / "views.raw").open("wb") as raw:
        for chunk in _shown(source, view, characters, len(samples), at_once):
            for picture, number in zip(chunk.views, chunk.numbers, strict=True):
                shape = shape or picture.shape
                if picture.shape != shape:
                    raise Mistake(
                        f"{samples[number].where}: is {picture.shape[0]}×{picture.shape[1]} pixels where the first image "
                        f"has {shape[0]}×{shape[1]}; set view.size=[height,width]"
                    )
                raw.write(picture.tobytes())
            digests += chunk.digests
            numbers += chunk.numbers
            bad += [f"{samples[number].where}: {samples[number].name} {reason}" for number, reason in chunk.bad]
    if shape is None:
        raise Mistake(f"{bad[0]}; no image of {len(samples)} could be read")
    _with_header(folder / "views.raw", folder / "views.npy", (len(numbers), *shape))
    np.save(folder / "digests.npy", np.array(digests, dtype=np.uint64))
    np.save(folder / "numbers.npy", np.array(numbers, dtype=np.int64))
    (folder / "bad.json").write_text(json.dumps(bad))
    return folder


def _with_header(raw: Path, target: Path, shape: tuple[int, ...]) -> None:
    """Write the raw bytes as a NumPy file of `shape`, and delete the raw file."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with target.open("wb") as out, raw.open("rb") as content:
        np.lib.format.write_array_header_1_0(out, header)
        shutil.copyfileobj(content, out, 1 << 20)
    raw.unlink()


def _shown(source: Source, view: View, characters: int, count: int, at_once: int) -> Iterator[_Chunk]:
    with tqdm(total=count, desc="preparing images", unit="img", leave=False, disable=count < WORTH_A_POOL) as bar:
        for chunk in _chunks(source, view, characters, count, at_once):
            bar.update(len(chunk.numbers) + len(chunk.bad))
            yield chunk


def _chunks(source: Source, view: View, characters: int, count: int, at_once: int) -> Iterable[_Chunk]:
    starts = range(0, count, at_once)
    workers = cores()
    if count < WORTH_A_POOL or workers == 1:
        for start in starts:
            yield _views(source, view, characters, range(start, min(start + at_once, count)))
        return
    tasks = [range(start, min(start + at_once, count)) for start in starts]
    yield from processes.in_order(_views_of_kept, tasks, workers, _keep, (source, view, characters))


_kept: tuple[Source, View, int]


def _keep(source: Source, view: View, characters: int) -> None:
    global _kept
    _kept = (source, view, characters)


def _views_of_kept(numbers: range) -> _Chunk:
    return _views(*_kept, numbers)


def _views(source: Source, view: View, characters: int, numbers: range) -> _Chunk:
    chunk = _Chunk([], [], [], [])
    for number in numbers:
        try:
            image = source.image(number)
            picture = view(image, characters)
        except BadImage as error:
            chunk.bad.append((number, str(error)))
            continue
        except cv2.error as error:
            chunk.bad.append((number, f"cannot be processed by this view ({' '.join(str(error).split())})"))
            continue
        chunk.views.append(picture)
        chunk.digests.append(digest_of(image))
        chunk.numbers.append(number)
    return chunk


def digest_of(image: np.ndarray) -> int:
    """Return a 64-bit hash of the pixels, uint8 [height, width, channel], by which data are split.

    An alpha channel that is opaque everywhere does not change it.
    """
    if image.shape[2] == 4 and (image[:, :, 3] == 255).all():
        image = image[:, :, :3]
    digest = hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
