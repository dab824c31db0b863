"""hydra/launcher=processes: each job of a sweep in a process of its own on this machine.

A job that crashes takes none along, and a job may itself train in several processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from capbench import sweeps
from capbench.settings import plain


class Processes(Launcher):
    """`at_once` jobs run side by side, each with `gpus` devices of its own."""

    def __init__(self, at_once: int, gpus: int) -> None:
        self.at_once, self.gpus = at_once, gpus
        self._slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(at_once):
            self._slots.put(slot)
        self._running: set[subprocess.Popen[bytes]] = set()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        numbered = list(enumerate(job_overrides, initial_job_idx))
        with ThreadPoolExecutor(self.at_once) as pool:
            try:
                done = list(pool.map(lambda job: self._job(*job), numbered))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in self._running:
                    process.terminate()
                raise
        failures = [failure for failure in done if isinstance(failure, sweeps.Failure)]
        returns = []
        for (_, overrides), outcome in zip(numbered, done, strict=True):
            failed = isinstance(outcome, sweeps.Failure)
            returned = JobReturn(overrides=overrides, status=JobStatus.FAILED if failed else JobStatus.COMPLETED)
            returned.return_value = sweeps.told(failures, resumable=True) if failed else outcome
            returns.append(returned)
        return returns

    def _job(self, number: int, overrides: Sequence[str]) -> float | sweeps.Failure:
        """Run what is missing of a job; gives what it is worth."""
        config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        sweep = Path(config.hydra.sweep.dir)
        folder = sweep / config.hydra.sweep.subdir
        with open_dict(config):
            config.hydra.runtime.output_dir = str(folder)
        settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        shown = " ".join(filter_overrides(overrides))
        if sweeps.begun(folder, plain(settings)):
            if (score := sweeps.score(folder)) is not None:
                print(f"{number}: {shown}: finished before", flush=True)
                return score
            arguments = [f"resume={folder}"]
        else:
            # An experiment that asks for a sweep of its own accord would begin it again in each of its jobs.
            arguments = [*self._flags(), *overrides, "hydra.mode=RUN", f"hydra.run.dir={folder}"]
        log = sweep / f"{number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        print(f"{number}: {shown}: begins, {log}", flush=True)
        code = self._run(arguments, log)
        score = sweeps.score(folder) if code == 0 else None
        if score is None:
            reason = f"{_end(code, log)} ({log})"
            print(f"{number}: {shown}: {reason}", flush=True)
            return sweeps.Failure(str(sweep), number, shown, reason)
        print(f"{number}: {shown}: {score:.4f}", flush=True)
        return score

    def _run(self, arguments: list[str], log: Path) -> int:
        slot = self._slots.get()
        try:
            with log.open("ab") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "capbench", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._devices(slot)},
                )
                self._running.add(process)
                try:
                    return process.wait()
                finally:
                    self._running.discard(process)
        finally:
            self._slots.put(slot)

    def _devices(self, slot: int) -> dict[str, str]:
        own = range(slot * self.gpus, (slot + 1) * self.gpus)
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, own))} if self.gpus else {}

    def _flags(self) -> list[str]:
        sources = self._config.hydra.runtime.config_sources
        return [flag for s in sources if s.provider == "command-line" for flag in ("--config-dir", str(s.path))]


def _end(code: int, log: Path) -> str:
    """Why a process ended: its signal, or the last line that it said."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line for line in lines if line.strip()]
    return said[-1].strip().removeprefix("capbench: ") if said else f"exit code {code}"
