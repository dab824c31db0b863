"""Server in a child process, for measurements."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

from capbench.errors import Mistake


class Served:
    """Context manager that runs `python -m capbench serve` on a free port; the block begins when the server listens."""

    def __init__(self, run: Path | str, *settings: str) -> None:
        self._command = [sys.executable, "-m", "capbench", "serve", f"run={run}", "port=0", *settings]
        self.log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 closed in __exit__

    def __enter__(self) -> Served:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        place = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if place is None:
            self.process.kill()
            self.process.wait()
            raise Mistake(f"serve: the server did not start ({' '.join(self.logged().split())[-500:]})")
        self.port = int(place[1])
        return self

    def logged(self) -> str:
        """Return the server's standard error so far."""
        self.log.seek(0)
        return self.log.read()

    def stop(self) -> int:
        """Stop the server after the requests in progress, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.log.close()
