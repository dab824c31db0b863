"""Pairs: the renderer beside the captcha package, on two cores beside one, and beside memory bandwidth."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from captcha.image import ImageCaptcha

from capbench.bench.pairs import Pair, Timed, silence, speed
from capbench.data import write as rendering
from capbench.render.painter import Painter
from capbench.settings import build
from capbench.text import bounds

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


def pairs(settings: dict[str, Any], folder: Path) -> list[Pair]:
    """Return the pairs; `folder` is for temporary files."""
    style, symbols = build(settings["style"]), settings["alphabet"]["symbols"]
    painter = Painter(style, symbols, *bounds(settings["data"]["length"]), 1)
    package = ImageCaptcha(style.width, style.height, style.font_files, tuple(style.font_sizes))
    many, few = np.arange(4096), 256
    # In batches, as trainings render: freed memory is reused, so the system need not clear new pages.
    batches = np.split(many, 8)
    texts = painter.texts(many)

    def paint(grey: bool, threads: int) -> Timed:
        def all_batches() -> None:
            for batch in batches:
                painter.pictures(batch, grey=grey, threads=threads)

        return lambda: speed(all_batches, len(many))

    def package_paint(mode: str) -> Timed:
        return lambda: speed(lambda: [package.generate_image(t).convert(mode) for t in texts[:few]], few)

    def fill(channels: int) -> Timed:
        shape = (len(batches[0]), style.height, style.width, channels)

        def all_batches() -> None:
            for _ in batches:
                np.empty(shape, np.uint8).fill(200)

        return lambda: speed(all_batches, len(many))

    # Files stay until the end, because file systems are slow for a while after many deletions.
    def write() -> float:
        out = tempfile.mkdtemp(dir=folder)
        run = {"length": settings["data"]["length"], "seed": 1, "count": len(many), "format": "png", "sheet": False}
        run |= {"alphabet": settings["alphabet"], "style": settings["style"], "out": out}
        with silence():
            return speed(lambda: rendering.run(run), len(many))

    def package_write() -> float:
        out = tempfile.mkdtemp(dir=folder)

        def write_few() -> None:
            for number, text in enumerate(texts[:few]):
                package.write(text, f"{out}/{number}.png")

        return speed(write_few, few)

    def first_batch() -> float:
        """Return the batches per second of the first batch in a new process, from the settings on, without imports."""
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
