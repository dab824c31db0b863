"""Types of the fixtures that are functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from capbench.runs import RunFolder


class Cli(Protocol):
    """Run the command line in this process, and return exit code, standard output and standard error."""

    def __call__(self, *arguments: str) -> tuple[int, str, str]: ...


class Train(Protocol):
    """Run a training in this process with the settings overridden, and return its folder, `at` within the test's."""

    def __call__(self, *overrides: str, at: str = "run") -> RunFolder: ...


class InterruptPredict(Protocol):
    """Run predict, and interrupt it when all images are read, before the answers are written."""

    def __call__(self, *, run: Path, images: Path | str, out: str = "answers.csv") -> None: ...
