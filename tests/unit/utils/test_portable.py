"""Functions of the system on platforms that lack some; the other platforms are simulated."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from capbench.errors import Mistake
from capbench.utils import portable
from capbench.utils.locks import held
from tests.helpers.repository import ROOT

NOT_EVERYWHERE = re.compile(r"sched_getaffinity|\bfcntl\b|\bmsvcrt\b")


BATCHES = """
import resource
import numpy as np
from capbench.utils.portable import keep_freed_memory

def batch():
    return [np.ones(20_000_000, dtype=np.uint8) for _ in range(3)]

keep_freed_memory()
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_a_batch_gets_the_memory_that_the_one_before_it_freed() -> None:
    """A page that comes from the kernel is a page fault; these batches have 44,000 pages of 4 KiB."""
    answer = subprocess.run([sys.executable, "-c", BATCHES], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 1000


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(portable.ctypes, "CDLL", None)
    portable.keep_freed_memory()


def test_the_cores_of_this_process_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert portable.cores() == 3


@pytest.mark.parametrize(("told", "cores"), [(8, 8), (None, 1)])
def test_without_an_affinity_all_cores_are_counted(
    told: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: told)
    assert portable.cores() == cores


class OfWindows(SimpleNamespace):
    """The lock of Windows: on a range of bytes from the file's position on."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__(locked={})

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        place = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if place in self.locked:
            raise PermissionError(13, "Permission denied")
        self.locked[place] = descriptor


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> OfWindows:
    simulated = OfWindows()
    monkeypatch.setitem(sys.modules, "fcntl", None)  # its import fails
    monkeypatch.setitem(sys.modules, "msvcrt", simulated)
    return simulated


def test_without_fcntl_a_byte_that_nobody_reads_is_locked(tmp_path: Path, windows: OfWindows) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with held(file, "r+b", "is taken") as holder:
        assert {place for _, place in windows.locked} == {portable.BEYOND}
        assert (holder.read(), file.read_bytes()) == (b"content", b"content")
        with pytest.raises(Mistake, match=r"^is taken$"), held(file, "r+b", "is taken"):
            pass


def test_the_place_in_a_locked_file_is_kept(tmp_path: Path, windows: OfWindows) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"begun")
        portable.lock(file)
        file.write(b", ended")
    assert (tmp_path / "file").read_bytes() == b"begun, ended"


def test_no_other_module_takes_these_functions_of_the_system_for_granted() -> None:
    users = [path.name for path in (ROOT / "src").rglob("*.py") if NOT_EVERYWHERE.search(path.read_text())]
    assert users == ["portable.py"]
