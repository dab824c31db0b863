from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fuzz
from tests.conftest import ROOT

FILES = 12_000


@pytest.mark.slow
def test_any_bytes_are_read_or_refused_by_name(tmp_path: Path) -> None:
    """In a process of its own, whose memory is limited and which a hanging file ends; see tests/fuzz.py."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", str(tmp_path), str(FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, f"ended with {done.returncode} at file:\n" + "\n".join(done.stderr.splitlines()[-20:])
    figures = json.loads(done.stdout)
    assert figures["files"] == FILES
    assert figures["outcomes"]["read"] > FILES / 10  # damage that shows in no pixel, or in some
    assert len(figures["outcomes"]) > 15
    assert figures["memory"] < fuzz.MEMORY
    assert figures["listed_read"] > fuzz.LISTED / 10
    assert figures["listed_read"] + figures["listed_refused"] == fuzz.LISTED


def test_a_number_always_gives_the_same_file() -> None:
    one, other = fuzz.Fuzz(), fuzz.Fuzz()
    numbers = range(len(one.bombs), len(one.bombs) + 50)
    assert [one[number] for number in numbers] == [other[number] for number in numbers]
    assert len({one[number] for number in numbers}) > 40
