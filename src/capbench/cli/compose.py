"""Composition of settings by Hydra from a command line, and the call of a task with them."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from capbench.cli.explain import explain
from capbench.cli.presets import without_plus
from capbench.errors import DISK_FULL, Mistake
from capbench.settings import conf_dir
from capbench.sweep.results import Failure, failure_report


def run(config_name: str, task: Callable[[DictConfig], Any], arguments: list[str]) -> None:
    """Compose `conf/<config_name>.yaml` with the overrides and call `task` with it, or with each job of a sweep."""
    flags, overrides = parted(arguments)
    # Hydra reads sys.argv, flags before overrides; so does Lightning when it starts other processes.
    sys.argv[1:] = [*flags, *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise exceptions instead of printing them
    ends: list[Mistake | BrokenPipeError] = []
    failures: list[Failure] = []

    def guarded(config: DictConfig) -> Any:
        try:
            with _room_on_disk():
                return task(config)
        except (Mistake, BrokenPipeError) as end:
            if sweeping():
                failures.append(_failure(str(end)))
                raise
            ends.append(end)  # raised after Hydra returns, since Hydra would print lines of its own
            return None
        except Exception as error:
            if sweeping():
                traceback.print_exc()
                failures.append(_failure(f"{type(error).__name__}: {error}"))
            raise

    # CapBench's submitit_slurm replaces that of hydra-submitit-launcher, which may be installed too.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/submitit_slurm' is validated against ConfigStore")
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(guarded)()
    except (HydraException, OmegaConfBaseException) as error:
        raise Mistake(explain(error, config_name, overrides)) from error
    except Exception as error:
        if not failures:
            raise
        # Hydra raises the first job's exception again when all jobs have run.
        raise failure_report(failures, resumable=config_name == "train") from error
    if ends:
        raise ends[0]


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Turn the error of a full disk into a Mistake."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise Mistake(f"{where}no room on the disk ({error.strerror}); make room and run the command again") from error


def _failure(reason: str) -> Failure:
    own = HydraConfig.get()
    return Failure(own.sweep.dir, own.job.num, " ".join(own.overrides.task), reason)


def sweeping() -> bool:
    """Return True if Hydra runs several jobs."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the flags and the overrides among the arguments; the presets among the overrides lose their plus."""
    overrides = [a for a in arguments if not a.startswith("-") and ("=" in a or a.startswith("~"))]
    flags = [a for a in arguments if a not in overrides]
    return flags, [without_plus(override) for override in overrides]
