"""Pairs: comparing many run folders beside only reading their files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from capbench.bench.pairs import Pair, speed, trained
from capbench.compare import folders, page, screen
from capbench.compare.comparison import Comparison, compare

RUNS = 400  # run folders
TOLD = ("config.yaml", "result.json")  # files that the table on screen needs
SHOWN = (*TOLD, "metrics.csv", "predictions.csv")  # files that the page needs
UNIT = "run folders/s; peer: reading the same files, nothing made of them"


def pairs(settings: dict[str, Any], folder: Path) -> list[Pair]:
    """Return the pairs of the table on screen and of the page; `folder` is for temporary files."""

    @cache
    def root() -> Path:
        """Return a folder of copies of a trained run that differ in seed or learning rate."""
        run = trained(settings, folder)
        config = run.config.read_text(encoding="utf-8")
        for number in range(RUNS):
            copy = folder / "many" / str(number)
            copy.mkdir(parents=True)
            for name in SHOWN:
                shutil.copyfile(run.path / name, copy / name)
            own = re.sub(r"(?m)^seed: .*$", f"seed: {number % 5}", config)
            own = re.sub(r"(?m)^  lr: .*$", f"  lr: {1e-3 * (1 + number // 5)}", own)
            (copy / "config.yaml").write_text(own, encoding="utf-8")
        return folder / "many"

    def compared() -> Comparison:
        folders.forget()
        return compare(root(), None, "test/exact", None)

    def on_screen() -> str:
        return screen.table(compared())

    def as_page() -> None:
        page.write(folder / "index.html", compared())

    def files_read(names: tuple[str, ...]) -> int:
        return sum(len(path.read_bytes()) for run in root().iterdir() for path in (run / name for name in names))

    def timed(work: Callable[[], object]) -> float:
        root()  # makes the copies before the timing starts
        return speed(work, RUNS)

    return [
        Pair("compare/screen", lambda: timed(on_screen), lambda: timed(lambda: files_read(TOLD)), UNIT),
        Pair("compare/page", lambda: timed(as_page), lambda: timed(lambda: files_read(SHOWN)), UNIT),
    ]
