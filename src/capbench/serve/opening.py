"""ONNX graphs of the runs to serve; run folders are exported first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.utils import processes


@contextmanager
def graphs_of(runs: Sequence[str]) -> Iterator[list[Path]]:
    """Yield the ONNX file of each run, where a run is a run folder or an ONNX file.

    A folder is exported in a process of its own, which frees the memory of torch when it ends.
    """
    with tempfile.TemporaryDirectory(prefix="capbench-") as scratch:
        paths = [Path(run) for run in runs]
        exports = {
            path: Path(scratch) / f"{number}.onnx" for number, path in enumerate(paths) if path.suffix != ".onnx"
        }
        for folder in exports:
            run = RunFolder.named(str(folder))
            run.check_own(run.result)
            if not run.result.is_file():
                raise Mistake(
                    f"run: {folder} is neither a finished run, with a result.json, nor an .onnx file; "
                    "give a run folder, or a file that export wrote"
                )
        for _ in processes.in_order(_export, exports.items(), 1):
            pass
        yield [exports.get(path, path) for path in paths]


def _export(task: tuple[Path, Path]) -> None:
    from capbench.export.export import export  # imported here because it imports torch

    folder, out = task
    export(RunFolder.named(str(folder)), out)
