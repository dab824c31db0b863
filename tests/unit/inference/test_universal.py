"""The run that CapBench ships: in every verb, told what it reads, and without traces of the machine that trained it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import capbench
from capbench.export.graph import Graph
from capbench.inference.reader import Reader
from capbench.label.engines.trained import Trained
from capbench.render.painter import Painter
from capbench.runs import PACKAGED, RunFolder
from capbench.settings import build
from capbench.text import Alphabet
from tests.helpers import pages
from tests.helpers.protocols import Cli
from tests.helpers.settings import composed

DIGITS = "0123456789"
IMAGES = np.arange(5000, 5060)
SAMPLE_TEXT = "qf4ry"
ENOUGH = 0.9  # of plain digits; of 800 it reads 0.9975


@pytest.fixture(scope="module")
def reader() -> Reader:
    return capbench.load("universal")


@pytest.fixture(scope="module")
def drawn() -> tuple[list[np.ndarray], list[str]]:
    """Pictures of four digits in a plain style, and their texts."""
    painter = Painter(build(composed("style=monochrome", verb="render")["style"]), DIGITS, 4, 4, 1)
    return painter.each(IMAGES), painter.texts(IMAGES)


def test_the_first_lines_of_the_readme_read_the_image_that_they_name(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = pages.blocks(pages.README, "python")
    exec(block, {})
    assert capsys.readouterr().out.startswith(f"{SAMPLE_TEXT} 0.")


def test_it_reads_captchas_that_it_was_not_trained_on(
    reader: Reader, drawn: tuple[list[np.ndarray], list[str]]
) -> None:
    pictures, texts = drawn
    answers = [reading.text for reading in reader.read(pictures, alphabet="digits", length=4)]
    assert np.mean([answer == text for answer, text in zip(answers, texts, strict=True)]) >= ENOUGH
    larger = [np.kron(picture, np.ones((3, 3, 1), np.uint8)) for picture in pictures[:8]]
    dark = [255 - picture for picture in pictures[:8]]
    for changed in (larger, dark):
        answers = [reading.text for reading in reader.read(changed, alphabet="digits", length=4)]
        assert np.mean([answer == text for answer, text in zip(answers, texts[:8], strict=True)]) >= 0.5


def test_it_is_small_and_tells_nothing_of_the_machine_that_trained_it() -> None:
    files = [path for path in PACKAGED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 8 * 2**20
    for path in files:
        if path.suffix in (".yaml", ".json", ".csv", ".md"):
            assert not re.search(r"(?:^|[\s\"'=:])/(?:home|root|tmp|work|Users)/", path.read_text(encoding="utf-8")), (
                path
            )


def test_the_graph_of_it_reads_as_it_does(
    reader: Reader, drawn: tuple[list[np.ndarray], list[str]], cli: Cli, tmp_path: Path
) -> None:
    code, _, err = cli("export", "run=universal", "out=universal.onnx", "images=20")
    assert code == 0, err
    pictures = drawn[0][:8]
    read = [reading.text for reading in reader.read(pictures)]
    assert [reading.text for reading in Graph.open(tmp_path / "universal.onnx").read(pictures)] == read


def test_verbs_take_it_by_name_and_write_nothing_into_the_package(cli: Cli, labelled: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in PACKAGED.rglob("*")}
    given = ("run=universal", "alphabet=digits", "length=4")
    code, _, err = cli("predict", *given, f"images={labelled}/images", "out=answers.csv")
    assert code == 0, err
    with Path("answers.csv").open(newline="") as file:
        assert all(re.fullmatch(r"\d{4}", row["text"]) for row in csv.DictReader(file))
    code, _, err = cli("evaluate", *given, "data=csv", f"data.root={labelled}", "part=all")
    assert code == 0, err
    (written,) = Path("runs/universal/evaluations").iterdir()
    assert RunFolder(written).read_result()["run"] == "universal"
    assert {path: path.stat().st_mtime_ns for path in PACKAGED.rglob("*")} == before


def test_it_labels_beside_other_engines(drawn: tuple[list[np.ndarray], list[str]]) -> None:
    engine = Trained(run="universal", length=4)
    read = engine.open(Alphabet(symbols=DIGITS, fold=None))
    right = [read(picture).text == text for picture, text in zip(*drawn, strict=True)]
    assert np.mean(right) >= ENOUGH
    assert len(engine.version) == 64
