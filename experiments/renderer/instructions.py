"""Count the instructions and measure the time that the kernel takes for one picture of each style.

Instructions are counted by stepping through a child process one by one (Linux on x86-64), so the count does not depend
on the machine's load. It depends on the processor: machine code is compiled for the one at hand.

    python experiments/renderer/instructions.py [default clean ...]
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import hydra
import numpy as np

import capbench.render.painter
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build, conf_dir, plain

TRACE_ME, PEEK_USER, SINGLE_STEP = 0, 3, 9  # requests of ptrace
PROGRAM_COUNTER = 16 * 8  # its place among a process's registers
TIMED = 256  # pictures in a batch that is timed
REPEATS = 8  # of which the fastest is taken

PTRACE = ctypes.CDLL(None, use_errno=True).ptrace
PTRACE.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE.restype = ctypes.c_long


def instructions(work: Callable[[], object]) -> int:
    """Return how many instructions a child process takes for some work; a repeated string instruction counts once."""
    child = os.fork()
    if child == 0:
        gc.disable()
        PTRACE(TRACE_ME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    assert os.WIFSTOPPED(os.waitpid(child, 0)[1])
    count, last = 0, -1
    while True:
        if PTRACE(SINGLE_STEP, child, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        status = os.waitpid(child, 0)[1]
        if os.WSTOPSIG(status) != signal.SIGTRAP:
            break
        at = PTRACE(PEEK_USER, child, PROGRAM_COUNTER, None)
        count += at != last
        last = at
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return count


def per_picture(painter: Painter, grey: bool) -> tuple[int, float, float]:
    """Return the instructions of the first picture, and microseconds and pixels of a picture in the mean."""
    drawing: list[Callable[[slice], object]] = []
    painter.each(np.arange(1), grey=grey, threads=1)
    with patch.object(capbench.render.painter, "_in_parts", lambda paint, *_: drawing.append(paint)):
        painter.each(np.arange(1), grey=grey, threads=1)
    one, none = (instructions(lambda: drawing[0](slice(0, count))) for count in (1, 0))  # noqa: B023
    fastest, pictures = float("inf"), []
    for _ in range(REPEATS):
        start = time.process_time()
        pictures = painter.each(np.arange(TIMED), grey=grey, threads=1)
        fastest = min(fastest, time.process_time() - start)
    pixels = float(np.mean([picture[..., 0].size for picture in pictures]))
    return one - none, fastest / TIMED * 1e6, pixels


def variants(name: str, style: Style) -> dict[str, Style]:
    """Return a style, and for the style `default` what is left of it without some of its ingredients."""
    if name != "default":
        return {name: style}
    specks, arc = style.noise
    return {
        name: style,
        "default without smoothing": replace(style, smooth=False),
        "default without dots": replace(style, noise=[arc]),
        "default without arc": replace(style, noise=[specks]),
        "default without dots, arc and smoothing": replace(style, noise=[], smooth=False),
    }


def main(names: list[str]) -> None:
    """Print a table of all styles, or of those given."""
    found = names or sorted(path.stem for path in (conf_dir() / "style").glob("*.yaml"))
    print("| style | pixels | grey: instructions | µs | ns a pixel | colour: instructions | µs | ns a pixel |")
    print("|---|---|---|---|---|---|---|---|")
    for name in found:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            style = build(plain(hydra.compose("render", [f"style={name}"]))["style"])
        for title, variant in variants(name, style).items():
            painter = Painter(variant, "23478", 4, 4, 1)
            cells = []
            for grey in (True, False):
                count, micros, pixels = per_picture(painter, grey)
                cells.append(f"{count:,} | {micros:.1f} | {micros * 1000 / pixels:.2f}")
            print(f"| {title} | {pixels:,.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
