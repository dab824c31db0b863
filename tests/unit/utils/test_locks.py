"""Locks between processes."""

from __future__ import annotations

import errno
import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.utils import locks
from capbench.utils.locks import alone, held
from tests.helpers.protocols import Cli

HOLDS = """
import sys
from pathlib import Path
from capbench.utils.locks import held
with held(Path("file"), "r+b", "is taken"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_stays_locked_until_its_process_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Mistake, match="is taken"), held(file, "r+b", "is taken"):
            pass
        holder.kill()
    with held(file, "r+b", "is taken"):
        pass


def test_a_file_removed_after_opening_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the file between opening and locking: a third process would lock the next file of that name."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(locks, "claim", lambda *_: file.unlink())
    with pytest.raises(Mistake, match="is taken"), held(file, "r+b", "is taken"):
        pass


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_alone_excludes_a_second_writer_and_leaves_no_lock_file(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    refused = pytest.raises(Mistake, match="out: another render is writing there; wait until it ends")
    with alone(out, "render"), refused, alone(out, "render"):
        pass
    with alone(out, "render"):
        pass
    assert not list(tmp_path.rglob("*.lock"))


def test_the_folder_of_a_run_is_begun_only_once(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    with alone(run.path, "run"), pytest.raises(Mistake, match="run: another run is writing there; wait until it ends"):
        run.begin({"seed": 1})
    run.begin({"seed": 1})
    with pytest.raises(Mistake, match="holds a run already"):
        run.begin({"seed": 2})
    assert run.settings() == {"seed": 1}


def test_a_run_that_another_process_trains_is_not_resumed(trained: Path, cli: Cli, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(trained, run.path)
    run.result.unlink()
    with run.held():
        code, _, err = cli("resume=run")
    assert (code, err) == (2, "capbench: run: another process trains this run; wait until it ends\n")
    assert cli("resume=run")[0] == 0


def test_a_file_system_without_locks_is_used_unlocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(tmp_path / "file", "w", "is taken") as file:
        assert file.write("text") == 4


def test_other_errors_of_locking_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"), held(tmp_path / "file", "w", "is taken"):
        pass
