"""Fuzzing of every door, and tests of the fuzzing itself."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from capbench.data import store
from capbench.data.sources.file_names import FileNames
from capbench.data.splits import Split
from capbench.data.views import Whole
from capbench.errors import BadImage
from capbench.images import containers, decode
from tests.fuzz import __main__ as command
from tests.fuzz import harness, image, mutations, odd, surgery

INPUTS = 2_000
ACCEPTED = {"safetensors": 0.02, "onnx": 0.03, "http": 0.05}  # least share of accepted inputs; 0.1 at the other doors
LISTED = 1_000  # files that are also read as a folder
SUFFIXES = [".png", ".jpg", ".gif", ".bmp", ".webp", ".txt", ".b64"]
OPERATED = 2_000
MOST_CALLS = 4_000_000  # profiler events for one file, calls and returns; a BMP with a MiB of run lengths has the most


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("door", harness.DOORS)
def test_every_damaged_input_is_accepted_or_refused_in_one_line(door: str) -> None:
    """Fuzz one door in child processes, with limits on time and memory; see tests/fuzz/harness.py."""
    if door in ("onnx", "http"):
        pytest.importorskip("uvicorn", reason="needs the extra serve: make test installs it")
    figures = harness.run(door, INPUTS, seed=0)
    assert figures.faults == [], "\n".join(figures.faults)
    assert (figures.inputs, figures.accepted + figures.refused) == (INPUTS, INPUTS)
    assert ACCEPTED.get(door, 0.1) * INPUTS < figures.accepted < 0.9 * INPUTS, figures.summary()


@pytest.mark.slow
def test_the_harness_reports_every_fault_and_continues() -> None:
    figures = harness.run("odd", len(odd.WAYS), seed=0)
    told = [fault.partition("\n  again: ") for fault in figures.faults]
    assert [what.split(": ")[0] for what, _, _ in told] == [f"input {number}" for number in (2, 3, 4, 5, 6, 7, 9)]
    for (what, _, again), match in zip(
        told,
        ["KeyError", "without a line", "MiB", "limit on memory", "with 3", "SIGABRT", "SIGPROF"],
        strict=True,
    ):
        assert match in what
        assert again.startswith("python -m tests.fuzz odd first=") and again.endswith("count=1 seed=0")
    assert (figures.accepted, figures.refused) == (3, 1)


def test_wrong_arguments_of_the_fuzz_command_show_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ([], ["door"], ["image", "count=many"], ["image", "speed=1"]):
        with pytest.raises(SystemExit, match=r"python -m tests\.fuzz DOOR"):
            command.main(wrong)


def test_the_same_seed_and_number_give_the_same_damage() -> None:
    def made(seed: int, number: int) -> object:
        random = mutations.generator("yaml", seed, number)
        tree = {"a": [1, 2, {"b": "text"}], "c": 0.5}
        return repr(mutations.changed(tree, random, [tree], ["word"])), mutations.damaged(bytes(range(99)), random)

    assert [made(1, number) for number in range(50)] == [made(1, number) for number in range(50)]
    assert len({made(seed, number) for seed in (1, 2) for number in range(50)}) > 80


@pytest.mark.slow
def test_each_damaged_file_of_a_folder_is_read_or_named(tmp_path: Path) -> None:
    files = image.Fuzz()
    names = [f"{number}_{number}{SUFFIXES[number % len(SUFFIXES)]}" for number in range(LISTED)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(files[number])
    source = FileNames(
        root=str(tmp_path),
        split=Split(train=None, val=0.1, test=0.1),
        length=None,
        train_size=None,
        exif="ignore",
        on_bad="skip",
        pattern=r"\d+_(?P<label>\d+)\.\w+",
    )
    kept = store.prepare(source, Whole(channel="grey", size=[8, 8], fit="stretch"), 4, None)
    read = {source.samples[place].name for place in kept.numbers}
    refused = {line.split(": ")[1].split()[0] for line in kept.bad}
    assert read.isdisjoint(refused) and read | refused == set(names)
    assert LISTED / 10 < len(read) < LISTED


@pytest.mark.slow
def test_repeated_and_enlarged_parts_take_bounded_work() -> None:
    valid = image.valid()
    read = 0
    for number in range(OPERATED):
        random = np.random.default_rng([image.SEED, number, 2])
        content = surgery.operated(valid[random.integers(len(valid))], random)
        calls = count()
        sys.setprofile(lambda *_, calls=calls: next(calls))
        try:
            decoded = decode(content, "turn")
        except BadImage:
            decoded = None
        finally:
            sys.setprofile(None)
        assert next(calls) < MOST_CALLS, number
        if decoded is not None:
            read += 1
            assert decoded.shape[0] * decoded.shape[1] <= containers.MOST_PIXELS, number
            assert len(containers.outline(content).content) <= len(content) + 16, (
                number
            )  # a few bytes may be added to end a JPEG's scan
    assert read > OPERATED / 10


def test_a_file_taken_apart_and_reassembled_is_the_same() -> None:
    for content in image.valid():
        form = next(form for magic, form in surgery.FORMATS.items() if content.startswith(magic))
        whole = form.wrapped(b"".join(map(form.sealed, form.parts(content))))
        assert (decode(whole) == decode(content)).all()
        assert whole == content or content.startswith(b"GIF")  # GIF: the blocks get other sizes


def test_a_fuzz_number_always_gives_the_same_file() -> None:
    one, other = image.Fuzz(), image.Fuzz()
    numbers = range(len(one.bombs), len(one.bombs) + 50)
    assert [one[number] for number in numbers] == [other[number] for number in numbers]
    assert len({one[number] for number in numbers}) > 40
