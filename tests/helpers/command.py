"""Command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.helpers.waiting import DEADLINE


def capbench(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    encoding: str | None = None,
    preexec_fn: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line and return the finished process with its output.

    LOCAL_RANK is removed from the environment: left over from an earlier test, it would make the process a second rank.
    """
    return subprocess.run(
        [sys.executable, "-m", "capbench", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "LOCAL_RANK"} if env is None else env,
        encoding=encoding,
        preexec_fn=preexec_fn,
    )
