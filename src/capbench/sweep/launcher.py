"""Base class of CapBench's Hydra launchers, which run each job of a sweep as a command line in its own process.

Therefore a job fails alone, may train in several processes, and is resumed where it stopped.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from capbench import trust
from capbench.settings import plain
from capbench.sweep import results
from capbench.utils.overrides import quoted


class Job(NamedTuple):
    """One training of a sweep: its overrides, its run folder, and the arguments of its `python -m capbench` command."""

    number: int
    overrides: str
    sweep: Path
    folder: Path
    arguments: list[str]

    def tell(self, what: str) -> None:
        """Print a message about the job."""
        print(f"{self.number}: {self.overrides}: {what}", flush=True)


class SeparateJobs(Launcher):
    """Launcher that runs each job as a separate command; subclasses implement `run`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config

    @abstractmethod
    def run(self, jobs: list[Job]) -> Iterator[tuple[Job, str | None]]:
        """Run the jobs; yield each job when it ends, with the reason of its failure or None."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the unfinished jobs; return the score of each finished job, or its failure, to the sweeper."""
        setup_globals()
        jobs = [self._job(number, overrides) for number, overrides in enumerate(job_overrides, initial_job_idx)]
        for sweep in {job.sweep for job in jobs}:
            results.hold(sweep)
        missing = []
        for job in jobs:
            if results.score(job.folder) is None:
                missing.append(job)
            else:
                job.tell("finished before")
        reasons: dict[int, str] = {}
        for job, reason in self.run(missing):
            score = results.score(job.folder)
            if reason is None and score is None:
                reason = "ended without a result"
            if reason is not None:
                reasons[job.number] = reason
            job.tell(reason or f"{score:.4f}")
        failures = [
            results.Failure(str(job.sweep), job.number, job.overrides, reasons[job.number])
            for job in jobs
            if job.number in reasons
        ]
        returns = []
        for job, overrides in zip(jobs, job_overrides, strict=True):
            failed = job.number in reasons
            returned = JobReturn(overrides=overrides, status=JobStatus.FAILED if failed else JobStatus.COMPLETED)
            returned.return_value = (
                results.failure_report(failures, resumable=True) if failed else results.score(job.folder)
            )
            returns.append(returned)
        return returns

    def _job(self, number: int, overrides: Sequence[str]) -> Job:
        config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        sweep = Path(config.hydra.sweep.dir)
        folder = sweep / config.hydra.sweep.subdir
        with open_dict(config):
            config.hydra.runtime.output_dir = str(folder)
        settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        if results.begun(folder, plain(settings)):
            arguments = [f"resume={folder}", *trust.arguments()]
        else:
            # Without hydra.mode=RUN, an experiment whose configuration sets MULTIRUN would start a sweep in each job.
            run_there = ["hydra.mode=RUN", quoted("hydra.run.dir", folder)]
            arguments = [*self._flags(), *overrides, *run_there, *trust.arguments()]
        return Job(number, " ".join(filter_overrides(overrides)), sweep, folder, arguments)

    def _flags(self) -> list[str]:
        sources = self._config.hydra.runtime.config_sources
        return [flag for s in sources if s.provider == "command-line" for flag in ("--config-dir", str(s.path))]


def last_words(log: Path, besides: tuple[str, ...] = ()) -> str | None:
    """Return the last line of a job's log, or None; lines that begin with one of `besides` are ignored."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    said = [line for line in lines if line.strip() and not line.startswith(besides)]
    return said[-1].strip().removeprefix("capbench: ") if said else None
