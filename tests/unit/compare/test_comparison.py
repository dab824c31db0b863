"""Verdict and warnings of a comparison, on the screen, in the report and on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capbench.compare import page, paper, screen
from capbench.compare.comparison import compare
from capbench.runs import Prediction
from tests.helpers.generated_runs import fake, study, texts_of
from tests.helpers.settings import composed


def test_runs_tested_on_training_images_are_named() -> None:
    counts: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"test/taught": 0},
        "c": {"test/taught": 3},
        "d": {"test/taught": None},
    }
    for seed, (name, more) in enumerate(counts.items()):
        fake(Path("runs") / name, composed(f"seed={seed}"), 0.9, texts_of(20), **more)
    told = "images that they, or runs they started from, were trained or validated on: c;"
    compared = compare(Path("runs"), None, "test/exact", None)
    assert told in compared.warning
    assert told in screen.table(compared)
    paper.write_markdown(Path("report.md"), compared)
    assert told in Path("report.md").read_text()
    assert told in page.data(compared)["verdict"]
    honest = compare(Path("runs"), {"test/taught": 0}, "test/exact", None)
    assert honest.warning == ""


def test_the_first_of_many_rows_is_tested_against_the_others_and_corrected() -> None:
    study(Path("runs"), seeds=4)
    verdict = compare(Path("runs"), None, "test/exact", None).verdict
    assert "the 6 pairs among 4 rows (Holm's method); p = " in verdict
    assert "Rows significantly worse than the first: 3, 4; others tested: 2." in verdict
    pair = compare(Path("runs"), {"model": ["CNN", "MLP"]}, "test/exact", None)
    assert "Holm" not in pair.verdict
    assert pair.standing.corrected == [pair.standing.contests[0].p]  # type: ignore[union-attr]


def test_a_difference_that_luck_explains_is_not_significant() -> None:
    texts = texts_of(200)
    for number in range(12):
        folder = fake(Path("runs") / str(number), composed(f"optim.lr={number + 1}"), 0.5, texts)
        wrong = range(10) if number else ()
        folder.write_predictions(
            [Prediction(f"{n}.png", text, "" if n in wrong else text, 0.9) for n, text in enumerate(texts)]
        )
        folder.write_result(folder.read_result() | {"test/exact": 1 - len(wrong) / 200})
    compared = compare(Path("runs"), None, "test/exact", None)
    first = compared.standing.contests[0]
    assert first is not None and first.p < 0.01 < 0.05 < compared.standing.corrected[0]
    assert "do not differ significantly" in compared.verdict
    assert "Rows significantly worse than the first: none; others tested: 2, 3, 4, 5, 6 and 6 more." in compared.verdict
    assert "best by luck, too: these tests are corrected for the 66 pairs among 12 rows" in compared.verdict


def test_runs_that_were_chosen_by_their_test_images_are_marked() -> None:
    facts: dict[str, dict[str, Any]] = {
        "searched": {"trial": 3},  # a search with validation has val/exact
        "honest": {"trial": 4, "val/exact": 0.9},
        "validated": {"test/validated": 2},
        "taught": {"test/taught": 2},
    }
    for number, (name, more) in enumerate(facts.items()):
        fake(Path("runs") / name, composed(f"optim.lr={number + 1}"), 0.9, texts_of(20), **more)
    compared = compare(Path("runs"), None, "test/exact", None)
    assert {row.runs[0].name: row.marks for row in compared.rows} == {
        "searched": ["chosen on test"],
        "honest": [],
        "validated": ["chosen on test"],
        "taught": ["trained on test"],
    }
    assert (
        "without validation images, chose settings by the test images: searched; evaluate the best" in compared.warning
    )
    assert screen.table(compared).count("1 chosen on test") == 2
    paper.write_markdown(Path("report.md"), compared)
    assert Path("report.md").read_text().count("| 1 chosen on test |") == 2
    told = page.data(compared)
    assert [row["marks"] for row in told["rows"]] == told["marks"] == [row.marks for row in compared.rows]
