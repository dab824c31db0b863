"""Runs made ready to be served: a folder is exported first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from capbench.errors import Mistake
from capbench.runs import RunFolder


@contextmanager
def graphs_of(runs: Sequence[str]) -> Iterator[list[Path]]:
    """ONNX files of runs, each a folder or such a file already.

    A folder is exported in a process of its own: that takes torch, and memory that nobody needs later.
    """
    with tempfile.TemporaryDirectory(prefix="capbench-") as scratch:
        paths = [Path(run) for run in runs]
        folders = {number: path for number, path in enumerate(paths) if path.suffix != ".onnx"}
        for folder in folders.values():
            if not RunFolder(folder).result.is_file():
                raise Mistake(
                    f"run: {folder} is neither a finished run, with a result.json, nor an .onnx file of export"
                )
        if folders:
            with ProcessPoolExecutor(1, get_context("spawn")) as aside:
                for number, folder in folders.items():
                    paths[number] = Path(scratch) / f"{number}.onnx"
                    aside.submit(_export, folder, paths[number]).result()
        yield paths


def _export(folder: Path, out: Path) -> None:
    from capbench.exporting import export  # torch

    export(RunFolder(folder), out)
