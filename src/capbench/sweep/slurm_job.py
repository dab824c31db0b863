"""Callable that submitit starts for a job of a sweep under SLURM.

It is apart from the launcher, since Hydra imports the launcher's module anew at every start, and a pickled object must
be found by the name of its module on another machine.
"""

from __future__ import annotations

import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """Callable that runs one command line in each task of a job; a requeued job resumes the run in `folder`."""

    arguments: list[str]
    folder: Path

    def __call__(self) -> None:
        again = "SLURM_RESTART_COUNT" in os.environ and (self.folder / "config.yaml").exists()
        trusted = [argument for argument in self.arguments if argument.startswith("trust=")]
        sys.argv[1:] = [f"resume={self.folder}", *trusted] if again else self.arguments
        runpy.run_module("capbench", run_name="__main__")

    def checkpoint(self) -> Any:
        """Return the resubmission of this job; submitit calls this when SLURM is about to end the job.

        The resubmitted job resumes from the last complete epoch.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
