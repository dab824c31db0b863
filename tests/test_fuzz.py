from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from capbench import containers
from capbench.errors import BadImage
from capbench.images import decode
from tests import fuzz, surgery
from tests.conftest import ROOT

FILES = 12_000
OPERATED = 2_000
MOST_CALLS = (
    4_000_000  # of and by Python's functions for one file; most are those for a BMP of a mebibyte of run lengths
)


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


@pytest.mark.slow
def test_repeated_and_enlarged_parts_cost_no_more_than_the_picture() -> None:
    valid = fuzz.valid()
    read = 0
    for number in range(OPERATED):
        random = np.random.default_rng([fuzz.SEED, number, 2])
        content = surgery.operated(valid[random.integers(len(valid))], random)
        calls = count()
        sys.setprofile(lambda *_, calls=calls: next(calls))
        try:
            image = decode(content, "turn")
        except BadImage:
            image = None
        finally:
            sys.setprofile(None)
        assert next(calls) < MOST_CALLS, number
        if image is not None:
            read += 1
            assert image.shape[0] * image.shape[1] <= containers.MOST_PIXELS, number
            assert len(containers.outline(content).content) <= len(content) + 16, number  # what ends a JPEG's scan
    assert read > OPERATED / 10


def test_parts_put_together_again_are_the_file_that_they_were() -> None:
    for content in fuzz.valid():
        form = next(form for magic, form in surgery.FORMATS.items() if content.startswith(magic))
        whole = form.wrapped(b"".join(map(form.sealed, form.parts(content))))
        assert (decode(whole) == decode(content)).all()
        assert whole == content or content.startswith(b"GIF")  # whose blocks are of other sizes


def test_a_number_always_gives_the_same_file() -> None:
    one, other = fuzz.Fuzz(), fuzz.Fuzz()
    numbers = range(len(one.bombs), len(one.bombs) + 50)
    assert [one[number] for number in numbers] == [other[number] for number in numbers]
    assert len({one[number] for number in numbers}) > 40
