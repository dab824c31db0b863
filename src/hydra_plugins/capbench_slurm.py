"""hydra/launcher=submitit_slurm: each job of a sweep is a job of SLURM's.

Submitit writes and submits the batch scripts, and requeues what is preempted or runs out of time. How a job fares is
asked of squeue, which every cluster has; submitit would ask the accounts, which not every cluster keeps.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from capbench.errors import Mistake
from capbench.sweep import results
from capbench.sweep.launcher import Job, SeparateJobs, last_words
from capbench.sweep.slurm_job import Attempt

OVER = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
]
GONE = "FAILED"  # SLURM forgets a job minutes after its end
OF_SLURM = ("srun: ", "slurmstepd", "submitit ")
GENERAL = ["name", "nodes", "tasks_per_node", "cpus_per_task", "gpus_per_node", "mem_gb", "timeout_min"]
LARGEST_ARRAY = 1000  # jobs submitted at once: SLURM takes 1,001 unless its MaxArraySize says otherwise
LONGEST_PAUSE = 30  # seconds between two looks at the queue
LATEST = 15  # seconds that a shared file system may take to show what another machine wrote


class Slurm(SeparateJobs):
    """`resources` are submitit's, and most of them sbatch's."""

    def __init__(self, submitit_folder: str, max_num_timeout: int, **resources: Any) -> None:
        self.folder, self.timeouts = submitit_folder, max_num_timeout
        self.resources = {
            name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for name, value in resources.items()
        }

    def run(self, jobs: list[Job]) -> Iterator[tuple[Job, str | None]]:
        waiting = self._submitted(jobs)
        pause = 1.0
        try:
            while waiting:
                time.sleep(pause)
                pause = min(1.2 * pause, LONGEST_PAUSE)
                states = _states(waiting)
                for name in [name for name in waiting if states.get(name, GONE) in OVER]:
                    job = waiting.pop(name)
                    yield job, self._end(job, name, states.get(name, GONE))
        except KeyboardInterrupt:
            numbers = " ".join(dict.fromkeys(name.partition("_")[0] for name in waiting))
            print(f"\nSLURM goes on with them; scancel {numbers} ends them, resume_sweep waits for them again")
            raise

    def _submitted(self, jobs: list[Job]) -> dict[str, Job]:
        """The jobs, by SLURM's names for them. One that is in the queue from an earlier call is left there."""
        _check_installed()
        there = {_mark(job).read_text(): job for job in jobs if _mark(job).exists()}
        states = _states(there) if there else {}
        waiting = {name: job for name, job in there.items() if states.get(name, GONE) not in OVER}
        missing = [job for job in jobs if job not in waiting.values()]
        for start in range(0, len(missing), LARGEST_ARRAY):
            waiting |= self._submit(missing[start : start + LARGEST_ARRAY])
        for name, job in waiting.items():
            job.tell(f"is job {name} of SLURM, {self._log(name)}")
        return waiting

    def _submit(self, jobs: list[Job]) -> dict[str, Job]:
        import submitit

        executor = submitit.AutoExecutor(self.folder, cluster="slurm", slurm_max_num_timeout=self.timeouts)
        resources = {key if key in GENERAL else f"slurm_{key}": value for key, value in self.resources.items()}
        try:
            executor.update_parameters(**resources | {"stderr_to_stdout": True, "slurm_srun_args": self._to_srun()})
            with executor.batch():
                submitted = [executor.submit(Attempt(job.arguments, job.folder)) for job in jobs]
        except (AssertionError, submitit.core.utils.FailedJobError) as error:  # the former is about a value's type
            why = str(error).strip().split("\n")[-1]
            raise Mistake(f"hydra.launcher: SLURM does not take the jobs: {why}") from error
        named = {queued.job_id: job for queued, job in zip(submitted, jobs, strict=True)}
        for name, job in named.items():
            _mark(job).write_text(name)
        return named

    def _to_srun(self) -> list[str]:
        """A task that ends badly ends the others, which would wait for it; and what srun no longer takes from sbatch."""
        cores = self.resources.get("cpus_per_task")
        return ["--kill-on-bad-exit=1", *([f"--cpus-per-task={cores}"] if cores else [])]

    def _end(self, job: Job, name: str, state: str) -> str | None:
        """Why it failed, if it did."""
        if state in ("COMPLETED", GONE) and _left_a_result(job, wait=state == "COMPLETED"):
            return None
        log = self._log(name)
        if state in ("COMPLETED", GONE):
            log = self._log(name, _first_to_fail(log))
            state = last_words(log, besides=OF_SLURM) or "ended without a word"
        return f"{state} ({log})"

    def _log(self, name: str, task: int = 0) -> Path:
        from submitit.core.utils import JobPaths

        log = JobPaths(self.folder, name, task).stdout
        return log.relative_to(Path.cwd()) if log.is_relative_to(Path.cwd()) else log


def _check_installed() -> None:
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise Mistake("hydra/launcher: submitit is not installed; python -m pip install 'capbench[slurm]'") from error
    if shutil.which("sbatch") is None:
        raise Mistake("hydra/launcher: there is no SLURM here (no sbatch); choose hydra/launcher=processes")


def _states(names: Iterable[str]) -> dict[str, str]:
    """What SLURM says of each that it knows; while it cannot be reached, that all are as they were."""
    numbers = ",".join({name.partition("_")[0]: None for name in names})
    asked = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T", f"--jobs={numbers}"]
    answer = subprocess.run(asked, capture_output=True, text=True)
    if answer.returncode and "Invalid job id" not in answer.stderr:
        return dict.fromkeys(names, "UNKNOWN")
    return dict(line.split() for line in answer.stdout.splitlines())


def _mark(job: Job) -> Path:
    """Holds SLURM's name for the job."""
    return job.sweep / f"{job.number}.job"


def _left_a_result(job: Job, *, wait: bool) -> bool:
    until = time.monotonic() + LATEST * wait
    while results.score(job.folder) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _first_to_fail(log: Path) -> int:
    """The task that srun names first; the others it ended on that account."""
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    named = re.search(r"^srun: error: .*: tasks? (\d+)", said, flags=re.MULTILINE)
    return int(named[1]) if named else 0
