"""Launcher hydra/launcher=submitit_slurm: each job of a sweep as a SLURM job.

Submitit writes and submits the batch scripts, and requeues jobs that are preempted or run out of time. The states of
jobs come from squeue, which every cluster has; submitit would query the accounting database, which some clusters lack.
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
GONE = "FAILED"  # state assumed for a job that squeue no longer lists: SLURM forgets jobs minutes after their end
OF_SLURM = ("srun: ", "slurmstepd", "submitit ")
GENERAL = ["name", "nodes", "tasks_per_node", "cpus_per_task", "gpus_per_node", "mem_gb", "timeout_min"]
LARGEST_ARRAY = 1000  # jobs submitted at once; SLURM's default MaxArraySize is 1,001
LONGEST_PAUSE = 30  # seconds between two calls of squeue
LATEST = 15  # seconds until a shared file system shows what another machine wrote


class Slurm(SeparateJobs):
    """Launcher that submits jobs to SLURM; `resources` are parameters of submitit, most of them passed on to sbatch."""

    def __init__(self, submitit_folder: str, max_num_timeout: int, **resources: Any) -> None:
        self.folder, self.timeouts = submitit_folder, max_num_timeout
        self.resources = {
            name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for name, value in resources.items()
        }

    def run(self, jobs: list[Job]) -> Iterator[tuple[Job, str | None]]:
        """Submit the jobs and poll squeue until all have ended; an interrupt leaves them in SLURM's queue."""
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
            print(f"\nSLURM continues them; scancel {numbers} ends them, resume_sweep waits for them again")
            raise

    def _submitted(self, jobs: list[Job]) -> dict[str, Job]:
        """Return the jobs by SLURM job id; jobs still in the queue from an earlier call are not submitted again."""
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
        except (AssertionError, submitit.core.utils.FailedJobError) as error:  # the former for a value's type
            why = str(error).strip().split("\n")[-1]
            raise Mistake(f"hydra.launcher: SLURM rejects the jobs: {why}") from error
        named = {queued.job_id: job for queued, job in zip(submitted, jobs, strict=True)}
        for name, job in named.items():
            _mark(job).write_text(name)
        return named

    def _to_srun(self) -> list[str]:
        """Return srun's options: the number of cores, and the end of all tasks when one fails.

        Without the latter the other tasks would wait for the failed one. srun no longer inherits --cpus-per-task from
        sbatch.
        """
        cores = self.resources.get("cpus_per_task")
        return ["--kill-on-bad-exit=1", *([f"--cpus-per-task={cores}"] if cores else [])]

    def _end(self, job: Job, name: str, state: str) -> str | None:
        """Return the reason of a job's failure, or None."""
        if state in ("COMPLETED", GONE) and _left_a_result(job, wait=state == "COMPLETED"):
            return None
        log = self._log(name)
        if state in ("COMPLETED", GONE):
            log = self._log(name, _first_to_fail(log))
            state = last_words(log, besides=OF_SLURM) or "ended without a message"
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
    """Return the state of each job that squeue lists; "UNKNOWN" for all of them if SLURM cannot be reached."""
    numbers = ",".join({name.partition("_")[0]: None for name in names})
    asked = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T", f"--jobs={numbers}"]
    answer = subprocess.run(asked, capture_output=True, text=True)
    if answer.returncode and "Invalid job id" not in answer.stderr:
        return dict.fromkeys(names, "UNKNOWN")
    return dict(line.split() for line in answer.stdout.splitlines())


def _mark(job: Job) -> Path:
    """Return the file that stores the job's SLURM id."""
    return job.sweep / f"{job.number}.job"


def _left_a_result(job: Job, *, wait: bool) -> bool:
    """Return True if the job has a result; with `wait`, allow the shared file system LATEST seconds to show it."""
    until = time.monotonic() + LATEST * wait
    while results.score(job.folder) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _first_to_fail(log: Path) -> int:
    """Return the number of the task that srun reports first as failed; srun then ended the other tasks."""
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    named = re.search(r"^srun: error: .*: tasks? (\d+)", said, flags=re.MULTILINE)
    return int(named[1]) if named else 0
