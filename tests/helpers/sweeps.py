"""Folder of a sweep: its finished jobs, and its resumption."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.command import capbench


def finished(sweep: Path) -> dict[str, int]:
    """Return the jobs that have a result, each with the time of the result in nanoseconds."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


def assert_resumes(sweep: Path, with_jobs: set[str]) -> str:
    """Resume a sweep, check that exactly these jobs are run, and return the output."""
    before = finished(sweep)
    done = capbench(f"resume_sweep={sweep.name}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished before") == len(before)
    after = finished(sweep)
    assert after.keys() - before.keys() == with_jobs
    assert before.items() <= after.items()
    return done.stdout
