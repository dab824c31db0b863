"""What CapBench's launchers share: each job of a sweep is a command line of its own, so that it fails alone, may train
in several processes, and is gone on with where it stopped."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from capbench.settings import plain
from capbench.sweep import results
from capbench.utils.overrides import quoted


class Job(NamedTuple):
    """One training of a sweep: what `python -m capbench` is given, and the folder that it fills."""

    number: int
    overrides: str
    sweep: Path
    folder: Path
    arguments: list[str]

    def tell(self, what: str) -> None:
        print(f"{self.number}: {self.overrides}: {what}", flush=True)


class SeparateJobs(Launcher):
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config

    @abstractmethod
    def run(self, jobs: list[Job]) -> Iterator[tuple[Job, str | None]]:
        """Run them; gives each when it has ended, with the reason if it failed."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run what is missing; what a finished job is worth goes to the sweeper."""
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
            returned.return_value = results.told(failures, resumable=True) if failed else results.score(job.folder)
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
            arguments = [f"resume={folder}"]
        else:
            # An experiment that asks for a sweep of its own accord would begin it again in each of its jobs.
            arguments = [*self._flags(), *overrides, "hydra.mode=RUN", quoted("hydra.run.dir", folder)]
        return Job(number, " ".join(filter_overrides(overrides)), sweep, folder, arguments)

    def _flags(self) -> list[str]:
        sources = self._config.hydra.runtime.config_sources
        return [flag for s in sources if s.provider == "command-line" for flag in ("--config-dir", str(s.path))]


def last_words(log: Path, besides: tuple[str, ...] = ()) -> str | None:
    """The last line that a job said, if any; lines that begin with one of `besides` are of others."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    said = [line for line in lines if line.strip() and not line.startswith(besides)]
    return said[-1].strip().removeprefix("capbench: ") if said else None
