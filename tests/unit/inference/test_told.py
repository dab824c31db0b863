"""Reading, predicting and evaluating with a told alphabet and length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import capbench
from capbench.decoding.search import Search
from capbench.decoding.sums import value_of
from capbench.decoding.told import Told
from capbench.inference.reader import _probabilities
from tests.helpers.animations import halves
from tests.helpers.captchas import save_captchas
from tests.helpers.painter import painter
from tests.helpers.protocols import Cli, Train
from tests.helpers.rounding import apart
from tests.helpers.settings import FAST
from tests.helpers.tables import read_csv
from tests.helpers.untrained import untrained

MIXED = "alphabet=mixed_62"
RECOGNISERS = [
    (MIXED, "model=cnn"),
    (MIXED, "model=cnn", "data.length=[3,5]"),
    (MIXED, "model=crnn", "data.length=[3,5]"),
    (MIXED, "model=mlp", "view=characters"),
    (MIXED, "model=knn", "view=characters"),
]


@pytest.mark.parametrize("settings", RECOGNISERS, ids=" ".join)
def test_every_recogniser_reads_only_what_is_told(settings: tuple[str, ...], tmp_path: Path) -> None:
    reader = capbench.load(untrained(tmp_path / "run", *settings).path)
    captchas = list(painter().pictures(np.arange(6)))
    free = reader.read(captchas)
    for alphabet, length in (("lower_36", None), ("XYZ", 4), (None, 4)):
        readings = reader.read(captchas, alphabet=alphabet, length=length)
        assert {len(reading.text) for reading in readings} <= ({4} if length else {*range(100)})
        assert {symbol for reading in readings for symbol in reading.text} <= set(
            Told.of(alphabet or "mixed_62", None).alphabet.symbols  # type: ignore[union-attr]
        )
        for picture, reading in zip(captchas, readings, strict=True):
            assert len(reading.characters) == len(reading.text)
            assert 0 < reading.confidence <= np.prod(reading.characters) + 1e-6
            alone = reader.read(picture, alphabet=alphabet, length=length)
            assert alone.text == reading.text
            assert apart(alone.confidence, reading.confidence) < 1e-4
    assert reader.read(captchas) == free  # what was told is forgotten


def test_the_reader_finds_what_a_search_of_its_probabilities_finds(tmp_path: Path) -> None:
    reader = capbench.load(untrained(tmp_path / "run", "model=crnn", "data.length=[3,5]").path)
    views = np.stack([reader.preprocess(picture) for picture in painter().pictures(np.arange(4))])
    expected = Search(reader.codec, Told.of("12345", [2, 3])).read(_probabilities(reader.model, views))
    found = list(reader.read_views(views, reader.search(Told.of("12345", [2, 3]))))
    assert [reading.text for reading in found] == [reading.text for reading in expected]


def test_what_the_run_does_not_read_is_refused(trained: Path, tmp_path: Path) -> None:
    reader, picture = capbench.load(trained), painter().pictures(np.arange(1))[0]
    with pytest.raises(
        capbench.Mistake, match="alphabet: the recogniser does not know 'abc'; its symbols are '0123456789'"
    ):
        reader.read(picture, alphabet="abc")
    with pytest.raises(capbench.Mistake, match=r"length: \[5, 5\] is told and the recogniser reads 4 symbols"):
        reader.read([picture], length=5)
    over_time = capbench.load(untrained(tmp_path / "run", "model=crnn").path)
    assert len(over_time.read(picture, length=9).text) == 9  # longer than in training
    with pytest.raises(capbench.Mistake, match="length: texts of 100 symbols take 100 steps"):
        over_time.read(picture, length=100)


def test_predict_reads_only_what_is_told(trained: Path, labelled: Path, cli: Cli) -> None:
    command = ("predict", f"run={trained}", f"images={labelled}")
    code, out, err = cli(*command, "alphabet=digits", "alphabet.symbols='157'", "length=4")
    assert code == 0, err
    assert out == "160 images: answers in answers.csv\n"
    texts = [row["text"] for row in read_csv("answers.csv")]
    assert {len(text) for text in texts} == {4} and {*"".join(texts)} <= {*"157"}
    reader = capbench.load(trained)
    first = read_csv("answers.csv")[0]
    assert reader.read(labelled / first["filename"], alphabet="157").text == first["text"]
    for wrong, message in (
        ("alphabet=lower_36", "alphabet: the recogniser does not know 'abcdefg"),
        ("length=5", "length: "),
    ):
        code, _, err = cli(*command, wrong)
        assert (code, err.count("\n")) == (2, 1), err
        assert err.startswith(f"capbench: {message}")


def test_evaluate_counts_by_the_case_of_the_told_alphabet(tmp_path: Path, cli: Cli) -> None:
    run = untrained(tmp_path / "run", MIXED, "model=cnn").path
    save_captchas(tmp_path / "letters", 12, symbols="ABab", length=4)
    of = ("evaluate", f"run={run}", "data=csv", "data.root=letters", "part=all")
    assert cli(*of, "out=free")[0] == 0
    code, _, err = cli(*of, "alphabet=lower_36", "length=4", "out=told")
    assert code == 0, err
    told = read_csv(Path("told/predictions.csv"))
    assert all(row["text"].islower() for row in told)
    assert {symbol for row in told for symbol in row["answer"]} <= {*"0123456789abcdefghijklmnopqrstuvwxyz"}
    assert any(row["text"] != row["text"].lower() for row in read_csv(Path("free/predictions.csv")))
    assert json.loads(Path("told/result.json").read_text())["misfits"] == []
    code, _, err = cli(*of, "alphabet=lower_36", "alphabet.symbols=abcd", "length=[2,3]", "out=misfit")
    assert code == 2 and "length: [2, 3] is told and the recogniser reads 4 symbols" in err


def test_evaluate_reports_texts_outside_what_is_told(tmp_path: Path, cli: Cli) -> None:
    run = untrained(tmp_path / "run", MIXED, "model=crnn", "data.length=[3,5]").path
    save_captchas(tmp_path / "letters", 12, symbols="ab", length=4)
    of = ("evaluate", f"run={run}", "data=csv", "data.root=letters", "part=all")
    code, out, err = cli(*of, "alphabet=digits", "length=[1,3]")
    assert code == 0, err
    assert "12 texts hold 'ab', which the recogniser does not know" in out
    assert "12 texts have a length that it does not read (1 to 3)" in out


def test_the_alphabet_of_the_labels_can_be_told(tmp_path: Path, cli: Cli) -> None:
    run = untrained(tmp_path / "run", MIXED, "model=cnn").path
    save_captchas(tmp_path / "letters", 12, symbols="Xy", length=4)
    code, _, err = cli(
        "evaluate", f"run={run}", "data=csv", "data.root=letters", "part=all", "alphabet=auto", "out=out"
    )
    assert code == 0, err
    assert {symbol for row in read_csv(Path("out/predictions.csv")) for symbol in row["answer"]} <= {"X", "y"}


def test_rendered_captchas_are_evaluated_without_being_told_the_alphabet(trained: Path, cli: Cli) -> None:
    code, out, err = cli("evaluate", f"run={trained}", "data.split.test=16", "alphabet=lower_36", "out=out")
    assert code == 0, err
    assert "which the recogniser does not know" in out


def test_sums_are_solved_where_this_is_wished(tmp_path: Path, cli: Cli) -> None:
    run = untrained(tmp_path / "run", "alphabet=mixed_70", "model=crnn", "data.length=[3,5]").path
    save_captchas(tmp_path / "drawn", 6)
    (tmp_path / "drawn" / "images" / "bad.png").write_bytes(b"no image")
    reader = capbench.load(run)
    picture = painter().pictures(np.arange(1))[0]
    sum_ = reader.read(picture, alphabet="1+", length=3, solve=True)
    assert (sum_.value, sum_.value_error) == value_of(sum_.text)
    assert reader.read([picture], alphabet="1+", length=3, solve=True)[0].value == sum_.value
    assert reader.read(picture, alphabet="abc", solve=True).value_error == "is no sum"
    assert (reader.read(picture).value, reader.read(picture).value_error) == (None, None)
    command = ("predict", f"run={run}", "images=drawn", "length=3", "solve=true")
    for out in ("answers.csv", "answers.jsonl"):
        code, _, err = cli(*command, f"out={out}")
        assert code == 0, err
    *read, bad = sorted(read_csv("answers.csv"), key=lambda row: row["error"] != "")
    assert list(bad) == ["filename", "text", "confidence", "error", "value", "value_error"]
    assert (bad["value"], bad["value_error"]) == ("", "")
    assert [(row["value"] or None, row["value_error"] or None) for row in read] == [
        value_of(row["text"]) for row in read
    ]
    lines = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert {line["filename"]: line["value_error"] for line in lines} == {
        r["filename"]: r["value_error"] for r in [*read, bad]
    }


def test_frames_of_an_animation_are_seen_as_wished(trained: Path, tmp_path: Path, cli: Cli) -> None:
    picture = painter().pictures(np.arange(1))[0]
    reader, moving = capbench.load(trained), halves(picture)
    still = reader.read(picture)
    assert reader.read(moving, frames="darkest") == still
    assert reader.read([moving], frames="darkest")[0].text == still.text
    assert reader.read(moving).confidence != still.confidence
    (tmp_path / "moving").mkdir()
    (tmp_path / "moving" / "a.png").write_bytes(moving)
    for frames, expected in (("darkest", still), ("first", reader.read(moving))):
        code, _, err = cli("predict", f"run={trained}", "images=moving", f"frames={frames}")
        assert code == 0, err
        (row,) = read_csv("answers.csv")
        assert (row["text"], float(row["confidence"])) == (expected.text, pytest.approx(expected.confidence, abs=2e-6))
    (tmp_path / "moving" / "labels.csv").write_text(f"filename,label\na.png,{still.text}\n")
    of = ("evaluate", f"run={trained}", "data=csv", "data.root=moving", "part=all", "data.frames=darkest", "out=seen")
    code, _, err = cli(*of)
    assert code == 0, err
    assert json.loads(Path("seen/result.json").read_text())["test/exact"] == 1


def test_a_run_sees_the_frames_that_it_was_trained_on(tmp_path: Path, train: Train) -> None:
    pictures = painter().pictures(np.arange(60))
    (tmp_path / "moving").mkdir()
    for number, picture in enumerate(pictures):
        (tmp_path / "moving" / f"{number}_{number % 10}{number // 10}00.png").write_bytes(halves(picture))
    data = ("data=filenames", f"data.root={tmp_path / 'moving'}", "data.split={train:40,val:10,test:10}")
    reader = capbench.load(train(*FAST, *data, "data.frames=darkest").path)
    assert reader.read(halves(pictures[0])) == reader.read(pictures[0])
