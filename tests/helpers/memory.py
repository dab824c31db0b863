"""Highest memory of a process."""

from __future__ import annotations

import subprocess
import sys

PEAK = """
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{work}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def grown(imports: str, work: str, *arguments: str) -> int:
    """Return by how many bytes the highest memory of a process grows while it does some work after its imports.

    On one thread: each takes memory of its own.
    """
    program = f"import os, sys\nos.environ['OMP_NUM_THREADS'] = '1'\n{imports}\n{PEAK.format(work=work)}"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1]) * 1024
