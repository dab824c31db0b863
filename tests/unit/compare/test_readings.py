"""Comparison of two rows on the same test images, each counted once whatever the number of seeds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from capbench.compare import folders, readings
from capbench.compare.folders import Run
from capbench.compare.readings import Contest
from capbench.runs import Prediction
from tests.helpers.generated_runs import fake, texts_of
from tests.helpers.settings import composed

TEXTS = texts_of(100)


def a_run(name: str, skill: float, *overrides: str, texts: list[str] = TEXTS) -> Run:
    fake(Path("runs") / name, composed(*overrides), skill, texts)
    return next(run for run in folders.read(Path("runs"))[0] if run.name == name)


def versus(first: list[Run], second: list[Run]) -> Contest | None:
    (contest,) = readings.contests(first, [second])
    return contest


def test_runs_are_compared_on_images_of_the_same_name() -> None:
    first, second = a_run("first", 0.9), a_run("second", 0.5)
    read = {p.filename: p.text == p.answer for p in first.folder.read_predictions()}
    other = {p.filename: p.text == p.answer for p in second.folder.read_predictions()}
    second.folder.write_predictions(reversed(second.folder.read_predictions()[10:]))
    contest = versus([first], [second])
    assert contest is not None
    common = [name for name in read if int(name.removeprefix("test_")) >= 10]
    assert contest.images == 90
    first_only = sum(read[name] and not other[name] for name in common)
    second_only = sum(other[name] and not read[name] for name in common)
    assert contest.pair == ("first", "second", first_only, second_only, 90)
    assert contest.first.accuracies.tolist() == pytest.approx([sum(read[name] for name in common) / 90])


def test_seeds_do_not_add_test_images() -> None:
    first = [a_run(f"first_{seed}", 0.9, f"seed={seed}") for seed in (1, 2, 3)]
    second = [a_run(f"second_{seed}", 0.5, f"seed={seed}") for seed in (1, 2, 3)]
    contest = versus(first, second)
    assert contest is not None
    assert contest.images == 100
    assert contest.first.accuracies.tolist() == pytest.approx([run.result["test/exact"] for run in first])
    assert contest.difference is not None
    assert contest.difference.value == pytest.approx(
        sum(run.result["test/exact"] for run in first) / 3 - sum(run.result["test/exact"] for run in second) / 3
    )
    assert contest.difference.is_sure


def test_one_seed_compares_networks_and_not_settings() -> None:
    first = [a_run(f"first_{seed}", 0.9, f"seed={seed}") for seed in (1, 2, 3)]
    contest = versus(first, [a_run("second", 0.5)])
    assert contest is not None
    assert contest.difference is None
    assert contest.pair[:2] == ("first_1", "second")
    assert contest.pair.p < 1e-6


def test_images_of_each_data_seed_are_distinct() -> None:
    """Compare rows of three and two data seeds: equal names are different images, and the third seed is left out."""
    first = [a_run(f"first_{seed}", 0.9, f"seed={seed}", f"data.seed={seed}") for seed in (1, 2, 3)]
    second = [a_run(f"second_{seed}", 0.5, f"seed={seed}", f"data.seed={seed}") for seed in (1, 2)]
    contest = versus(first, second)
    assert contest is not None
    assert contest.images == 200
    assert [len(side.accuracies) for side in (contest.first, contest.second)] == [2, 2]
    assert contest.first.tries.tolist() == [1] * 200


def test_a_run_without_predictions_does_not_count_in_its_row() -> None:
    first = [a_run(f"first_{seed}", 0.9, f"seed={seed}") for seed in (1, 2)]
    second = [a_run(f"second_{seed}", 0.5, f"seed={seed}") for seed in (1, 2)]
    first[0].folder.predictions.unlink()
    contest = versus(first, second)
    assert contest is not None
    assert contest.difference is None
    assert contest.pair[:2] == ("first_2", "second_1")


@pytest.mark.parametrize("override", ["data.seed=2", "data.length=5", "style=lines"])
def test_different_images_of_equal_names_are_not_compared(override: str) -> None:
    assert versus([a_run("first", 0.9)], [a_run("second", 0.5, override)]) is None


def test_runs_with_other_train_sizes_are_compared_on_the_same_images() -> None:
    contest = versus([a_run("first", 0.9)], [a_run("second", 0.5, "data.train_size=100")])
    assert contest is not None and contest.images == 100


def test_images_with_other_texts_are_not_compared() -> None:
    assert versus([a_run("first", 0.9)], [a_run("second", 0.5, texts=TEXTS[::-1])]) is None


DAMAGES = [
    b"",
    b"\xff",
    b"filename,text\n",
    b"filename,text,answer,confidence\n",
    b"filename,text,answer,confidence\na,b,c\n",
]
DAMAGES += [b"filename,text,answer,confidence\na,b,c," + wrong for wrong in (b"sure", b"nan", b"-1", b"2")]


@pytest.mark.parametrize("content", DAMAGES)
def test_damaged_predictions_are_left_out(content: bytes) -> None:
    run = a_run("run", 0.9)
    run.folder.predictions.write_bytes(content)
    assert readings.of(run) is None
    assert versus([run], [a_run("other", 0.9)]) is None


def test_predictions_with_line_ends_in_labels_are_read() -> None:
    run = a_run("run", 0.9)
    run.folder.write_predictions([Prediction("a,b", 'x\n"y', "", 0.5)])
    read = readings.of(run)
    assert read is not None
    assert (read.names, read.texts, read.answers) == (["a,b"], ['x\n"y'], [""])
    shutil.rmtree(run.folder.path)
    assert readings.of(run) is None
