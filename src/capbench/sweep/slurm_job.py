"""What SLURM starts for a job of a sweep. It stands apart from the launcher, which Hydra imports anew at every start,
so that it can be sent to other machines by its name."""

from __future__ import annotations

import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """One command line, in each of the job's tasks; a job that was requeued goes on with the run that it had begun."""

    arguments: list[str]
    folder: Path

    def __call__(self) -> None:
        again = "SLURM_RESTART_COUNT" in os.environ and (self.folder / "config.yaml").exists()
        sys.argv[1:] = [f"resume={self.folder}"] if again else self.arguments
        runpy.run_module("capbench", run_name="__main__")

    def checkpoint(self) -> Any:
        """Submitit asks for it when SLURM is about to end the job: the same again, from the last whole epoch on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
