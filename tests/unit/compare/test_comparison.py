"""Warnings of a comparison, on the screen, in the report and on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capbench.compare import page, paper, screen
from capbench.compare.comparison import compare
from tests.helpers.generated_runs import fake, texts_of
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
