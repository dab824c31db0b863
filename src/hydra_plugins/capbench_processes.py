"""Launcher hydra/launcher=processes: each job of a sweep in its own process on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

from capbench.sweep.launcher import Job, SeparateJobs, last_words


class Processes(SeparateJobs):
    """Launcher that runs `at_once` jobs in parallel, each with its own `gpus` GPUs."""

    def __init__(self, at_once: int, gpus: int) -> None:
        self.at_once, self.gpus = at_once, gpus
        self._slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(at_once):
            self._slots.put(slot)
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, jobs: list[Job]) -> Iterator[tuple[Job, str | None]]:
        """Run the jobs; when interrupted, cancel those that wait and terminate those that run."""
        with ThreadPoolExecutor(self.at_once) as pool:
            ending = {pool.submit(self._run, job): job for job in jobs}
            try:
                for ended in as_completed(ending):
                    yield ending[ended], ended.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in self._running:
                    process.terminate()
                raise

    def _run(self, job: Job) -> str | None:
        """Run one job; return the reason of its failure, or None."""
        log = job.sweep / f"{job.number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        slot = self._slots.get()
        job.tell(f"begins, {log}")
        try:
            with log.open("ab") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "capbench", *job.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._devices(slot)},
                )
                self._running.add(process)
                try:
                    code = process.wait()
                finally:
                    self._running.discard(process)
        finally:
            self._slots.put(slot)
        if code == 0:
            return None
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else last_words(log) or f"exit code {code}"
        return f"{why} ({log})"

    def _devices(self, slot: int) -> dict[str, str]:
        own = range(slot * self.gpus, (slot + 1) * self.gpus)
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, own))} if self.gpus else {}
