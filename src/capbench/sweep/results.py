"""Folder of a sweep: its plan, its lock, results of its jobs, resuming; imports no torch."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from capbench.errors import Mistake, lines
from capbench.moved import renamed
from capbench.utils import overrides
from capbench.utils.locks import held

PLAN = "multirun.yaml"  # written by Hydra into a sweep's folder
OWN = ("hydra.sweep.dir=", "hydra.mode=")

_until_the_end = ExitStack()  # holds locks until this process ends


class Failure(NamedTuple):
    """Job that did not finish, with the reason."""

    sweep: str
    number: int
    overrides: str
    reason: str


class Failed(Mistake):
    """Failed jobs of a sweep, one line each, with the command that resumes the sweep."""

    def __init__(self, report: Sequence[str], failures: Sequence[Failure]) -> None:
        super().__init__(report[0])
        self.report = report
        self.failures = failures

    def __str__(self) -> str:
        return lines(self.report)


def failure_report(failures: Sequence[Failure], *, resumable: bool) -> Failed:
    """Return the error that lists failed jobs of a sweep, with the command that resumes it if `resumable`."""
    folder = failures[0].sweep
    jobs = "1 job" if len(failures) == 1 else f"{len(failures)} jobs"
    reasons = [f"  {failure.number}: {failure.overrides}: {failure.reason}" for failure in failures]
    further = f"; continue with resume_sweep={shlex.quote(folder)}" if resumable else ""
    return Failed([f"{jobs} of {folder} failed{further}", *reasons], failures)


def hold(folder: Path) -> None:
    """Lock the sweep in this folder until this process ends; raise Mistake if another process holds the lock."""
    _hold(folder.absolute(), str(folder))


@cache
def _hold(folder: Path, name: str) -> None:
    refusal = f"{name}: another process is running this sweep; wait until it ends"
    _until_the_end.enter_context(held(folder / PLAN, "r+b", refusal))


def arguments(folder: Path) -> list[str]:
    """Return the command-line arguments that started the sweep in this folder, for a resumed sweep.

    The folder is locked from here on, so that no other process can run the sweep. Finished jobs keep their results.
    """
    try:
        hold(folder)
        plan = yaml.safe_load((folder / PLAN).read_text(encoding="utf-8"))["hydra"]
        own, task = plan["overrides"]["hydra"], plan["overrides"]["task"]
        given = [source["path"] for source in plan["runtime"]["config_sources"] if source["provider"] == "command-line"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Mistake(f"resume_sweep: {folder} is not a sweep's folder; its {PLAN} is missing or damaged") from error
    flags = [flag for path in given for flag in ("--config-dir", path)]
    kept = [override for override in own if not override.startswith(OWN)]
    return ["-m", *flags, *kept, *task, overrides.quoted("hydra.sweep.dir", folder)]


def begun(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Return True if the folder holds a run of these settings to resume.

    Raises Mistake if it holds a run of other settings.
    """
    config = folder / "config.yaml"
    if not config.exists():
        return False
    if renamed(yaml.safe_load(config.read_text(encoding="utf-8"))) != settings:
        raise Mistake(f"{folder}: holds a run of other settings; choose another hydra.sweep.dir")
    return True


def score(folder: Path) -> float | None:
    """Return the score of the finished run in this folder for a sweeper; None if the run is not finished."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return worth(result)


def worth(measured: Mapping[str, Any]) -> float:
    """Return a run's score for a sweeper: exact accuracy on validation, or on test where folds leave no validation."""
    return float(measured.get("val/exact", measured["test/exact"]))


class Report(Callback):
    """Hydra callback that compares the runs of a finished sweep and writes the report into the sweep's folder.

    With `strength`, the report is on the strength of the captcha.
    """

    def __init__(self, strength: bool = False) -> None:
        self.strength = strength

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        from capbench.compare import compare  # slow to import, and not needed for --help

        folder = str(config.hydra.sweep.dir)
        chosen = {"where": None, "by": "test/exact", "group": None, "strength": self.strength, "pictures": "rendered"}
        compare.run({"runs": folder, **chosen, "out": f"{folder}/report"})
