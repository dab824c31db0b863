"""The verb compare: its output, its report, and its mistakes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from capbench.runs import Prediction, RunFolder
from capbench.utils.locks import alone
from tests.helpers.generated_runs import fake, study, texts_of
from tests.helpers.protocols import Cli
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv


def test_compare_ranks_a_study_and_writes_the_report(cli: Cli) -> None:
    study(Path("runs"))
    Path("runs/cnn/2/result.json").unlink()
    code, out, err = cli("compare")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split()[:3] == ["model", "test/exact", "95"]
    assert [line.split()[:2] for line in lines[2:6]] == [["1", "CNN"], ["2", "CRNN"], ["3", "MLP"], ["4", "KNN"]]
    assert "±" in lines[2]
    assert "11 runs in 4 rows; 1 left out" in out
    assert "The first two rows do not differ significantly: a difference of +0." in out
    assert "over 2 and 3 runs and 200 images (95 % interval over seeds and images: -0." in out
    assert "left out: cnn/2 is unfinished" in out
    rows = read_csv(Path("report/runs.csv"))
    assert [row["run"] for row in rows][:2] == ["cnn/1", "cnn/3"]
    assert {row["model"] for row in rows} == {"CNN", "CRNN", "MLP", "KNN"}
    assert 0.9 < float(rows[0]["test/exact"]) <= 1
    report = Path("report/report.md").read_text()
    assert report.startswith("|  | model | test/exact | 95 % interval |")
    assert "| 1 | CNN |" in report
    assert Path("report/index.html").stat().st_size < 1_000_000


def test_a_second_compare_into_the_same_folder_is_refused(cli: Cli) -> None:
    study(Path("runs"), seeds=1)
    Path("report").mkdir()
    with alone(Path("report"), "compare"):
        code, _, err = cli("compare")
    assert (code, err) == (2, "capbench: report: another compare is writing there; wait until it ends\n")
    assert not any(Path("report").iterdir())


def test_compare_selects_sorts_and_groups_without_a_page(cli: Cli) -> None:
    study(Path("runs"))
    code, out, err = cli("compare", "where={model: [cnn, knn], seed: 1}", "by=train/seconds", "group=model", "out=null")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[2:4]] == [["1", "KNN"], ["2", "CNN"]]
    assert not Path("report").exists()


def told(cli: Cli, *arguments: str) -> str:
    code, out, err = cli("compare", *arguments)
    assert (code, err) == (0, "")
    return str(out)


def grown(name: str, images: int, seed: int = 1, skill: float = 0.9, lr: float = 2e-3, **result: Any) -> RunFolder:
    """Write a run on a labelled folder with so many training images, which its settings do not hold."""
    settings = composed(f"seed={seed}", f"optim.lr={lr}")
    facts: dict[str, Any] = {"data/train": images, "data/hash": f"{images:064x}"}
    return fake(Path("runs") / name, settings, skill, texts_of(200), **(facts | result))


def test_different_settings_are_reported_with_an_interval(cli: Cli) -> None:
    study(Path("runs"), seeds=4)
    out = told(cli, "where={model: [cnn, mlp]}")
    assert "The first row reads significantly better than the second: a difference of +0.3" in out
    assert "over 4 and 4 runs and 200 images" in out
    assert "McNemar" not in out
    assert "The first row reads significantly better" in Path("report/report.md").read_text()
    assert "The first row reads significantly worse than the second, despite its rank" in told(
        cli, "where={model: [cnn, mlp]}", "by=params"
    )


def test_single_seeds_are_reported_as_two_networks(cli: Cli) -> None:
    study(Path("runs"), seeds=1)
    out = told(cli, "where={model: [cnn, mlp]}")
    assert (
        "only two trained networks can be compared: cnn/1 reads significantly better than mlp/1; of 200 images" in out
    )
    assert "McNemar's exact test, p = " in out and "Other seeds may reverse this" in out
    assert "first row" not in out


def test_a_folder_that_grew_makes_separate_rows(cli: Cli) -> None:
    for images, skill in ((300, 0.7), (4000, 0.95)):
        for seed in (1, 2):
            grown(f"{images}/{seed}", images, seed, skill)
    out = told(cli)
    assert out.splitlines()[1].split()[:2] == ["data.images", "test/exact"]
    assert [line.split()[:2] for line in out.splitlines()[2:4]] == [["1", "4000"], ["2", "300"]]
    assert "4 runs in 2 rows" in out
    assert "2 runs in 1 row" in told(cli, "where={data.images: 300}")


def test_equally_many_other_images_are_distinguished_by_hash(cli: Cli) -> None:
    grown("first", 300)
    other: dict[str, Any] = {"data/hash": "abcdef0123" + "0" * 54}
    grown("second", 300, **other)
    out = told(cli)
    assert out.splitlines()[1].split()[:2] == ["data.hash", "test/exact"]
    assert {line.split()[1] for line in out.splitlines()[2:4]} == {"00000000", "abcdef01"}


def test_rendered_images_of_several_seeds_share_a_row(cli: Cli) -> None:
    for seed in (1, 2, 3):
        settings = composed(f"seed={seed}", f"data.seed={seed}", "optim.lr=2e-3")
        images: dict[str, Any] = {"data/hash": f"{seed:064x}"}
        fake(Path("runs") / str(seed), settings, 0.9, texts_of(200), **images)
    for size in (300, 4000):  # runs on a folder that grew
        grown(str(size), size, skill=0.5, lr=1.0)
    out = told(cli)
    assert "5 runs in 3 rows" in out
    assert [line.split()[1:3] for line in out.splitlines()[2:3]] == [["0.002", "null"]]


def test_a_repeated_run_is_left_out(cli: Cli) -> None:
    for number, name in enumerate(("third", "second", "first")):
        grown(name, 300, skill=0.5 + number / 10)
        os.utime(Path("runs") / name / "result.json", (number, number))
    grown("other", 300, seed=2)
    out = told(cli)
    assert "2 runs in 1 row; 2 left out" in out
    assert "left out: second has the same settings, seed and data as first, which is newer" in out
    assert "left out: third has the same settings, seed and data as first" in out
    assert {row["run"] for row in read_csv(Path("report/runs.csv"))} == {"first", "other"}


def test_pruned_trials_are_marked_and_ranked_last(cli: Cli) -> None:
    texts = texts_of(200)
    for number, (skill, pruned) in enumerate(((0.9, 2), (0.8, None), (0.7, None))):
        settings = composed(f"optim.lr={0.1 + number}") | {"group": "study"}
        result: dict[str, Any] = {"trial": number, "pruned": pruned, "val/exact": skill}
        fake(Path("runs") / str(number), settings, skill, texts, **result)
    out = told(cli)
    assert [line.split()[1] for line in out.splitlines()[2:5]] == ["1.1", "2.1", "0.1"]
    assert " 1 given up " in out.splitlines()[4] and out.count("given up") == 1
    lines = Path("report/report.md").read_text().splitlines()
    assert " 1 given up |" in lines[4] and "given up" not in lines[3]
    assert [(row["run"], row["pruned"]) for row in read_csv(Path("report/runs.csv"))] == [
        ("1", ""),
        ("2", ""),
        ("0", "2"),
    ]
    out = told(cli, "group=group")
    assert [line.split()[1] for line in out.splitlines()[2:4]] == ["study", "study"]
    assert "0.7650 ± " in out.splitlines()[2] and " 1 given up " in out.splitlines()[3]


def test_a_forecast_ends_at_four_times_the_measured_images(cli: Cli) -> None:
    for images, exact in ((100, 0.2), (300, 0.55), (1000, 0.8)):
        settings = composed(f"data.train_size={images}")
        result: dict[str, Any] = {"test/exact": exact, "test/images": 2000}
        fake(Path("runs") / str(images), settings, exact, texts_of(200), **result)
    out = told(cli)
    (line,) = [line for line in out.splitlines() if line.startswith("labelled images for 0.5: 260 (")]
    assert (
        "; 0.9: cannot be told from these; 0.99: not within 4,000, the limit of the forecast; with 4,000: 0.888 ("
        in line
    )
    assert line.endswith("), forecast")


def test_an_accuracy_of_every_run_needs_at_most_the_least_images(cli: Cli) -> None:
    for images, exact in ((100, 0.98), (300, 0.97), (1000, 0.96)):
        settings = composed(f"data.train_size={images}")
        result: dict[str, Any] = {"test/exact": exact, "test/images": 2000}
        fake(Path("runs") / str(images), settings, exact, texts_of(200), **result)
    out = told(cli)
    assert "labelled images for 0.5: at most 100; 0.9: at most 100; 0.99: not within 4,000, the limit" in out


def test_runs_with_less_processor_time_rank_first(cli: Cli) -> None:
    for number, seconds in enumerate((90.0, 30.0, 60.0)):
        result: dict[str, Any] = {"train/cpu_seconds": seconds}
        fake(Path("runs") / str(number), composed(f"optim.lr={0.1 + number}"), 0.9, texts_of(20), **result)
    out = told(cli, "by=train/cpu_seconds")
    assert [line.split()[1] for line in out.splitlines()[2:5]] == ["1.1", "2.1", "0.1"]


def test_results_of_wrong_types_do_not_stop_compare(cli: Cli) -> None:
    odd: dict[str, Any] = {"data/hash": ["a"], "data/train": {"b": 1}, "pruned": None, "test/char": float("nan")}
    for seed in (1, 2):
        fake(Path("runs") / str(seed), composed(f"seed={seed}"), 0.9, texts_of(20), **odd)
    assert "2 runs in 1 row" in told(cli)
    assert "2 runs in 2 rows" in told(cli, "group=seed")


def test_one_test_image_gives_no_significant_difference(cli: Cli) -> None:
    for model, exact in (("cnn", 1.0), ("mlp", 0.0)):
        for seed in (1, 2, 3):
            folder = fake(Path("runs") / model / str(seed), composed(f"model={model}", f"seed={seed}"), 0.5, ["0000"])
            folder.write_predictions([Prediction("a.png", "0000", "0000" if exact else "1111", 0.9)])
            folder.write_result(folder.read_result() | {"test/exact": exact})
    out = told(cli)
    assert "The first two rows do not differ significantly: a difference of +1.0000" in out
    assert "over 3 and 3 runs and 1 image (" in out


MISTAKES = [
    (["runs=nowhere"], "runs: nowhere is not a folder"),
    (["by=test/exakt"], "by: test/exakt is not a number that these runs have; did you mean test/exact"),
    (["by=3"], "by: 3 is not accepted"),
    (["group=modell"], "group: modell is not a setting that these runs have; did you mean model"),
    (["where={modell: CNN}"], "where: modell is not a setting that these runs have; did you mean model"),
    (["where={model: TNN}"], "where: matches none of the 4 runs; their model is CNN, CRNN, KNN, MLP"),
    (["where=cnn"], "where: 'cnn' is not accepted"),
    (["bye=params"], "bye: is not a setting (value 'params'); did you mean by?"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_in_compare_is_one_line(arguments: list[str], message: str, cli: Cli) -> None:
    study(Path("runs"), images=20, seeds=1)
    code, out, err = cli("compare", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("capbench: ") and err.count("\n") == 1
    assert message in err
    assert not Path("report").exists()


def test_a_folder_without_a_finished_run_is_refused(cli: Cli) -> None:
    Path("runs").mkdir()
    code, _, err = cli("compare")
    assert (code, err) == (2, "capbench: runs: runs has no finished run; train one, or give another folder\n")
