"""Trials of graphs in processes that are forked from one which has imported onnxruntime: a tenth of the time of new ones."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path

from capbench.export import trial


class WarmTrials:
    """Replacement of `trial.in_a_process` that forks a process for each graph from a warm one."""

    def __init__(self, folder: Path) -> None:
        self._content, self._said, self._faults = (folder / name for name in ("content", "said", "faults"))
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.warm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, given: str, content: bytes) -> subprocess.CompletedProcess[bytes]:
        """Return how the trial of a graph ended; its address space is limited as that of this process is."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._content.write_bytes(content)
        paths = [str(path) for path in (self._content, self._said, self._faults)]
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        print(json.dumps([*paths, given, limit]), file=self._server.stdin, flush=True)
        ended = int(self._server.stdout.readline())
        if ended == -signal.SIGALRM:
            raise subprocess.TimeoutExpired("trial", trial.SECONDS)
        return subprocess.CompletedProcess([], ended, self._said.read_bytes(), self._faults.read_bytes())

    def close(self) -> None:
        """End the warm process."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()


def _try(content: str, said: str, faults: str, given: str, limit: int) -> int:
    """Run a trial in this process, with its output in files, and return its exit code."""
    for path, number in ((said, 1), (faults, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    signal.alarm(trial.SECONDS)
    try:
        shape, wished = json.loads(given)
        trial.main(shape, wished, Path(content).read_bytes())
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main() -> None:
    """Fork a process for each line of the standard input, and print its exit code."""
    import onnx  # noqa: F401 - the imports take most of a trial's time
    import onnxruntime  # type: ignore[import-untyped]  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_try(*json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
