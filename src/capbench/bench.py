"""Speeds as ratios against their peers: measured in turn in one run, several times, the median counts.

The machine's load changes from minute to minute and hits both sides alike, so a ratio holds where a speed does not.
"""

from __future__ import annotations

import json
import os
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from captcha.image import ImageCaptcha
from tqdm import tqdm

from capbench import rendering
from capbench.data.views import Characters
from capbench.errors import Mistake, nearest
from capbench.files import replacing
from capbench.ranges import Count
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build, check
from capbench.text import bounds

Timed = Callable[[], float]
"""Does some work and tells its speed."""


@dataclass(frozen=True)
class Pair:
    """What is compared: two callables that do the same, or the same amount, and tell how many a second."""

    name: str
    ours: Timed
    peer: Timed
    unit: str


KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16
FIRST_BATCH = """
import json, sys, time
import numpy as np
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build
style, symbols, (shortest, longest) = json.loads(sys.argv[1])
start = time.perf_counter()
Painter(build(style), symbols, shortest, longest, 1).pictures(np.arange(64))
print(time.perf_counter() - start)
"""


def schema(*, only: str | None, rounds: Count, out: str, clean: dict[str, Any]) -> None:
    """The verb's own settings; the others are those of the training that is timed."""


def measure(settings: dict[str, Any]) -> str:
    """Measure the wanted pairs, write them down, and tell them as a table."""
    own = {key: settings.pop(key) for key in ("only", "rounds", "out", "clean")}
    check(own, schema)
    with tempfile.TemporaryDirectory(prefix="capbench-") as folder:
        pairs = [
            *render_pairs(settings, Path(folder)),
            *clean_pairs(own["clean"]),
            *train_pairs(settings, Path(folder)),
        ]
        wanted = [pair for pair in pairs if pair.name.startswith(own["only"] or "")]
        if not wanted:
            raise Mistake(f"only: {own['only']} begins no name; {nearest(own['only'], [pair.name for pair in pairs])}")
        rows = [_measured(pair, own["rounds"]) for pair in tqdm(wanted, desc="bench", unit="pair", leave=False)]
    with replacing(Path(own["out"])) as file:
        json.dump(rows, file, indent=1)
    width = max(len(row["name"]) for row in rows)
    head = f"{'':{width}} {'ours':>12} {'peer':>12} {'ratio':>8}"
    lines = [
        f"{row['name']:{width}} {row['ours']:>12,.0f} {row['peer']:>12,.0f} {row['ratio']:>8.2f}  {row['unit']}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _measured(pair: Pair, rounds: int) -> dict[str, Any]:
    pair.ours(), pair.peer()  # compiled, cached, loaded: once, untimed
    speeds = []
    for number in range(rounds):
        # Each goes first every other time.
        if number % 2:
            peer, ours = pair.peer(), pair.ours()
        else:
            ours, peer = pair.ours(), pair.peer()
        speeds.append((ours, peer))
    return {
        "name": pair.name,
        "ours": statistics.median(ours for ours, _ in speeds),
        "peer": statistics.median(peer for _, peer in speeds),
        "ratio": statistics.median(ours / peer for ours, peer in speeds),
        "unit": pair.unit,
    }


def _speed(work: Callable[[], Any], amount: int) -> float:
    start = time.perf_counter()
    work()
    return amount / (time.perf_counter() - start)


def render_pairs(settings: dict[str, Any], folder: Path) -> list[Pair]:
    """The renderer beside the captcha package on one core, beside itself on two, and beside memory."""
    style, symbols = build(settings["style"]), settings["alphabet"]["symbols"]
    painter = Painter(style, symbols, *bounds(settings["data"]["length"]), 1)
    package = ImageCaptcha(style.width, style.height, style.font_files, tuple(style.font_sizes))
    many, few = np.arange(4096), 256
    # A batch at a time, as trainings ask for them: memory comes back for the next one, which the system need not clear.
    batches = np.split(many, 8)
    texts = painter.texts(many)

    def paint(grey: bool, threads: int) -> Timed:
        def all_batches() -> None:
            for batch in batches:
                painter.pictures(batch, grey=grey, threads=threads)

        return lambda: _speed(all_batches, len(many))

    def package_paint(mode: str) -> Timed:
        return lambda: _speed(lambda: [package.generate_image(t).convert(mode) for t in texts[:few]], few)

    def fill(channels: int) -> Timed:
        shape = (len(batches[0]), style.height, style.width, channels)

        def all_batches() -> None:
            for _ in batches:
                np.empty(shape, np.uint8).fill(200)

        return lambda: _speed(all_batches, len(many))

    # Nothing is removed between the rounds: file systems are slow for a while after many files have gone.
    def write() -> float:
        out = tempfile.mkdtemp(dir=folder)
        run = {"length": settings["data"]["length"], "seed": 1, "count": len(many), "format": "png", "sheet": False}
        run |= {"alphabet": settings["alphabet"], "style": settings["style"], "out": out}
        with _silence():
            return _speed(lambda: rendering.render(run), len(many))

    def package_write() -> float:
        out = tempfile.mkdtemp(dir=folder)

        def write_few() -> None:
            for number, text in enumerate(texts[:few]):
                package.write(text, f"{out}/{number}.png")

        return _speed(write_few, few)

    def first_batch() -> float:
        """In a new process, from the settings on; importing the packages it stands on is not counted."""
        task = json.dumps([settings["style"], symbols, bounds(settings["data"]["length"])])
        done = subprocess.run([sys.executable, "-c", FIRST_BATCH, task], check=True, capture_output=True, text=True)
        return 1 / float(done.stdout)

    return [
        Pair(
            "render/first_batch", first_batch, lambda: 1.0, "first batches of 64/s, in a new process; peer: one second"
        ),
        Pair("render/grey", paint(True, 1), package_paint("L"), "images/s on one core; peer: captcha package"),
        Pair("render/colour", paint(False, 1), package_paint("RGB"), "images/s on one core; peer: captcha package"),
        Pair("render/grey_threads", paint(True, 2), paint(True, 1), "images/s on two threads; peer: on one"),
        Pair("render/colour_threads", paint(False, 2), paint(False, 1), "images/s on two threads; peer: on one"),
        Pair("render/grey_floor", paint(True, 1), fill(1), "images/s on one core; peer: writing the pixels once"),
        Pair("render/colour_floor", paint(False, 1), fill(3), "images/s on one core; peer: writing the pixels once"),
        Pair("render/png", write, package_write, "PNG files/s, all cores; peer: ImageCaptcha.write in a loop"),
    ]


def clean_schema(*, style: Style, view: Characters) -> None:
    """What is cleaned and cut; the plain loops beside it do what this view says, step by step."""


def clean_pairs(settings: dict[str, Any]) -> list[Pair]:
    """Views that clean and cut, beside loops of OpenCV's calls for the same steps, without merging and splitting."""
    check(settings, clean_schema, "clean")
    view: Characters = build(settings["view"])
    found = replace(view, cut="components", boxes=None)
    pictures = list(Painter(build(settings["style"]), string.digits, 4, 4, 1).pictures(np.arange(1024)))

    def each(cut: Callable[[np.ndarray], Any]) -> Timed:
        def run() -> float:
            threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
            try:
                return _speed(lambda: [cut(picture) for picture in pictures], len(pictures))
            finally:
                cv2.setNumThreads(threads)

        return run

    def plain_found(picture: np.ndarray) -> np.ndarray:
        return plain_components(picture, view.size)

    unit = "images/s on one core; peer: a plain loop of OpenCV's calls"
    return [
        Pair("clean/strokes", each(lambda picture: view(picture, 4)), each(plain_strokes), unit),
        Pair("clean/components", each(lambda picture: found(picture, 4)), each(plain_found), unit),
    ]


def plain_ink(picture: np.ndarray) -> np.ndarray:
    """The steps of view=strokes as one writes them without a framework."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]
    ink = cv2.filter2D(ink, -1, KERNEL)
    return cv2.threshold(ink, 185, 255, cv2.THRESH_BINARY)[1]


def plain_strokes(picture: np.ndarray) -> np.ndarray:
    """uint8 [character, 21, 20, 1]"""
    ink = plain_ink(picture)
    return np.stack([ink[4:25, left : left + 20, None] for left in (8, 38, 68, 98)])


def plain_components(picture: np.ndarray, size: list[int]) -> np.ndarray:
    """The four largest components from left to right, uint8 [character, height, width, 1]; black where there are fewer."""
    ink = plain_ink(picture)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    largest = sorted(stats[1:], key=lambda stat: -stat[cv2.CC_STAT_AREA])[:4]
    pieces = np.zeros((4, *size, 1), np.uint8)
    for place, (left, top, width, height, _) in enumerate(sorted(largest, key=lambda stat: stat[cv2.CC_STAT_LEFT])):
        piece = ink[top : top + height, left : left + width]
        pieces[place, :, :, 0] = cv2.resize(piece, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return pieces


def train_pairs(settings: dict[str, Any], folder: Path) -> list[Pair]:
    """Whole trainings of one epoch: fed by the renderer, and with the same images ready in memory."""
    from capbench import experiment
    from capbench.runs import RunFolder

    def trained(fresh: bool) -> Timed:
        def run() -> float:
            changed = settings | {"data": settings["data"] | {"fresh": fresh}, "cache": str(folder / "cache")}
            with tempfile.TemporaryDirectory(dir=folder) as where, _silence():
                run_folder = RunFolder(Path(where) / "run")
                experiment.run(changed, run_folder, resumed=False)
                return float(run_folder.read_result()["train/images_per_second"])

        return run

    return [Pair("train/fresh", trained(True), trained(False), "images/s; peer: the same images ready in memory")]


@contextmanager
def _silence() -> Iterator[None]:
    """What is said while it works goes nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
