"""The verb label: labels, reports, corrections, and its mistakes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from capbench import images
from capbench.errors import Mistake
from capbench.label import asking, label
from capbench.label.journal import Journal
from capbench.label.panel import Panel
from capbench.settings import build, check, conf_dir
from capbench.text import Reading
from tests.helpers.killed import kill_at_call
from tests.helpers.protocols import Cli
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv

FOUR = ("alphabet=digits", "length=4")


def labels(path: Path) -> dict[str, str]:
    return {row["filename"]: row["label"] for row in read_csv(path)}


@pytest.fixture(scope="session")
def done(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels that the verb label writes for `raw`, with its output in told.txt."""
    out = tmp_path_factory.mktemp("done") / "labels.csv"
    command = [
        sys.executable,
        "-m",
        "capbench",
        "label",
        f"images={raw}",
        f"out={out}",
        f"gold={raw}/labels.csv",
        *FOUR,
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (out.parent / "told.txt").write_text(told)
    return out


def test_labels_are_right_and_rejected_images_have_a_reason(raw: Path, done: Path) -> None:
    gold, found = labels(raw / "labels.csv"), labels(done)
    assert len(found) >= 12
    assert sum(gold[name] == text for name, text in found.items()) >= len(found) - 1
    assert all(row["engines"] == "rapid+dddd" and 0 < float(row["confidence"]) <= 1 for row in read_csv(done))
    rejected = read_csv(done.with_suffix("") / "rejected.csv")
    assert {row["filename"] for row in rejected} == gold.keys() - found.keys()
    assert all(row["reason"] for row in rejected)


def test_the_labelling_report_agrees_with_the_labels(raw: Path, done: Path) -> None:
    gold, found = labels(raw / "labels.csv"), labels(done)
    report = json.loads((done.with_suffix("") / "report.json").read_text())
    right = sum(gold[name] == text for name, text in found.items())
    assert (report["images"], report["accepted"], report["unreadable"]) == (24, len(found), 0)
    assert report["gold"]["precision"] == pytest.approx(right / len(found))
    assert report["gold"]["recall"] == pytest.approx(right / 24)
    assert report["agreement"]["rapid+dddd"] >= len(found) / 24
    assert f"{len(found)} of 24 images labelled" in (done.parent / "told.txt").read_text()


def test_written_labels_serve_as_a_data_source(raw: Path, done: Path) -> None:

    source = build(composed("data=ocr", f"data.root={raw}", f"data.labels={done}", "alphabet=digits")["data"])
    assert {sample.name: sample.text for sample in source.samples} == labels(done)


def none_expected(*given: Any) -> Iterator[Any]:
    """Replace asking._answers by a function that fails where an engine is asked."""
    assert not given[2], "an engine was asked"
    return iter(())


def test_a_repeated_labelling_asks_no_engine_again(
    raw: Path, done: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "again.csv"
    shutil.copytree(done.with_suffix(""), out.with_suffix(""))
    monkeypatch.setattr(asking, "_answers", none_expected)
    assert cli("label", f"images={raw}", f"out={out}", *FOUR)[0] == 0
    assert out.read_bytes() == done.read_bytes()
    with pytest.raises(AssertionError, match="asked"):  # another alphabet needs other answers
        cli("label", f"images={raw}", f"out={out}", "length=4", "alphabet=upper_36")


def test_engines_with_known_readings_are_not_asked(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_answers", none_expected)
    given = composed(f"images={raw}", f"out={tmp_path}/labels.csv", *FOUR, verb="label")
    sure = Reading("1234", 0.9, (0.9,) * 4)
    known = {engine: dict.fromkeys(labels(raw / "labels.csv"), sure) for engine in ("rapid", "dddd")}
    told = label.run(given, known)
    assert "24 of 24 images labelled" in told
    assert set(labels(tmp_path / "labels.csv").values()) == {"1234"}


def test_images_with_names_outside_utf_8_are_labelled_and_read_back(raw: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    texts = {}
    for number, (name, text) in enumerate(sorted(labels(raw / "labels.csv").items())[:2]):
        odd = Path(os.fsdecode(os.fsencode(folder) + b"/%d\xff.png" % number))
        shutil.copy(raw / name, odd)
        texts[f"{number}\\xff.png"] = text
    Path("said.csv").write_text("filename,label\n" + "".join(f"{name},{text}\n" for name, text in texts.items()))
    code, _, error = cli("label", f"images={folder}", "corrections=said.csv", *FOUR)
    assert code == 0, error
    assert labels(Path("labels.csv")) == texts
    given = (f"data.root={folder}", f"data.labels={Path('labels.csv').resolve()}", "alphabet=digits")
    source = build(composed("data=ocr", *given)["data"])
    assert {sample.name: sample.text for sample in source.samples} == texts
    assert source.image(0).shape == images.decode((raw / min(labels(raw / "labels.csv"))).read_bytes()).shape
    # Without corrections these names are in the other files and on the page.
    assert cli("label", f"images={folder}", "out=none.csv", "alphabet=digits", "length=5")[0] == 0
    assert {row["filename"] for row in read_csv(Path("none/rejected.csv"))} == texts.keys()
    assert "0\\xff.png" in Path("none/disputed.html").read_text()


def test_identical_images_are_read_once_and_bad_files_are_named(raw: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    first, second, *_ = sorted((raw / "images").iterdir())
    for name, source in (("a.png", first), ("b.png", first), ("c.png", second)):
        shutil.copy(source, folder / name)
    (folder / "broken.png").write_bytes(first.read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.md").write_text("no image")
    code, told, _ = cli("label", f"images={folder}", "out=out.csv", *FOUR)
    assert code == 0
    assert "of 5 images labelled" in told and "2 cannot be read" in told
    reasons = {row["filename"]: row["reason"] for row in read_csv(Path("out/rejected.csv"))}
    assert "truncated" in reasons["broken.png"]
    assert reasons["empty.jpg"] == "is empty"
    found = labels(Path("out.csv"))
    assert found.get("a.png") == found.get("b.png")
    assert len(Path("out/readings.jsonl").read_text().splitlines()) == 2 * 2


def test_corrections_are_merged_and_kept(raw: Path, done: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "labels.csv"
    shutil.copytree(done.with_suffix(""), out.with_suffix(""))
    kept = out.with_suffix("") / "corrections.csv"
    one, two, three = sorted(labels(raw / "labels.csv"))[:3]
    (tmp_path / "said.csv").write_text(f"filename,label\n{one},1111\n{two},3333\n{three},\n")
    arguments = ("label", f"images={raw}", f"out={out}", *FOUR)
    assert cli(*arguments, f"corrections={tmp_path}/said.csv")[0] == 0
    for _ in range(2):
        found = labels(out)
        assert (found[one], found[two]) == ("1111", "3333")
        assert three not in found
        assert labels(kept) == {one: "1111", two: "3333", three: ""}
        assert {row["engines"] for row in read_csv(out) if row["filename"] in (one, two)} == {"person"}
        assert cli(*arguments)[0] == 0  # without the file, the corrections are kept


def test_corrections_are_not_merged_during_another_labelling(raw: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "said.csv").write_text("filename,label\n" + f"{next(iter(labels(raw / 'labels.csv')))},1234\n")
    with closing(Journal(tmp_path / "labels" / "readings.jsonl")):
        code, _, err = cli("label", f"images={raw}", "out=labels.csv", "corrections=said.csv", *FOUR)
    assert code == 2 and "another labelling is writing" in err
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["readings.jsonl"]


def test_the_report_separates_labels_of_engines_from_corrections(
    raw: Path, done: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "labels.csv"
    shutil.copytree(done.with_suffix(""), out.with_suffix(""))
    gold = labels(raw / "labels.csv")
    (tmp_path / "said.csv").write_text("filename,label\n" + "".join(f"{name},{text}\n" for name, text in gold.items()))
    (tmp_path / "gold.csv").write_text((tmp_path / "said.csv").read_text() + "elsewhere.png,1234\nempty.png,\n")
    before = json.loads((out.with_suffix("") / "report.json").read_text())["gold"]
    given = ("label", f"images={raw}", f"out={out}", *FOUR, f"gold={tmp_path}/gold.csv")
    code, told, _ = cli(*given, f"corrections={tmp_path}/said.csv")
    assert code == 0
    report = json.loads((out.with_suffix("") / "report.json").read_text())
    assert report["gold"] == before | {"rows": 25}
    assert report["gold_with_person"]["recall"] == 1
    assert "gold: 24 of its 25 rows name images that were read" in told
    table = {line[:16].strip(): line.split() for line in told.splitlines()}
    assert table["agreement"][1:2] == [f"{before['coverage']:.3f}"]
    assert table["with corrections"][-3:] == ["1.000", "1.0000", "1.0000"]


def test_labels_of_disputed_images_can_be_typed(raw: Path, done: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    shutil.copytree(done.with_suffix(""), out.with_suffix(""))
    command = [sys.executable, "-m", "capbench", "label", f"images={raw}", f"out={out}", *FOUR, "prompt=true",
               "label.agree.min_confidence=0.9999999"]  # fmt: skip
    typed = subprocess.run(command, input="12\n1234\n\n-\n", check=True, capture_output=True, text=True).stdout
    said = read_csv(out.with_suffix("") / "corrections.csv")
    assert [row["label"] for row in said] == ["1234", ""]
    assert "has 2 symbols where 4 are expected" in typed
    assert str(raw / said[0]["filename"]) in typed
    assert labels(out)[said[0]["filename"]] == "1234"


def test_the_disputes_page_shows_every_disputed_image(raw: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("label", f"images={raw}", "out=labels.csv", "alphabet=digits", "length=5")[0] == 0
    page = Path("labels/disputed.html").read_text()
    assert page.count("data:image/png;base64,") == 24
    assert page.count("<input name=") == 24
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)  # the page loads nothing


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("images=nowhere",), "images: nowhere does not exist"),
        (("images=.",), "holds no image; accepted are"),
        (("images={raw}", "out=labels"), "out: labels is not the name of a CSV file"),
        (
            ("images={raw}", "alphabet=auto"),
            "alphabet.symbols: auto reads the alphabet from labels, and there are none",
        ),
        (("images={raw}", "label.agree.engines=3"), "label.agree.engines: 3 engines cannot agree, as there are only 2"),
        (("images={raw}", "label.agree.engine=3"), "label.agree.engine: is not a setting"),
        (("images={raw}", "label.engines.dddd.beta=2"), "label.engines.dddd.beta: 2 is not accepted"),
        (("images={raw}", "corrections=nowhere.csv"), "corrections: nowhere.csv cannot be read"),
        (("images={raw}", "gold={raw}/nowhere.csv"), "gold: "),
        (("images={raw}/images", "gold={raw}/labels.csv"), "is among the images; did you mean "),
        (("images={raw}", "gold=empty.csv"), "is among the images; it has no row with a label"),
        (("images={raw}", "gold=twice.csv"), "gold: twice.csv has 'a.png' as '1' and as '2'; keep one row"),
        (("images={raw}", "out=folder.csv"), "out: folder.csv is not the name of a CSV file"),
        (("images={raw}", "out=/proc/labels.csv"), "out: /proc/labels.csv cannot be written"),
        (
            ("images={raw}", "+label/engine@label.engines.run=run", "label.engines.run.run=nowhere"),
            "is not a finished run",
        ),
    ],
)
def test_a_mistake_in_label_is_one_line(arguments: tuple[str, ...], told: str, raw: Path, cli: Cli) -> None:
    Path("empty.csv").write_text("filename,label\n,\na.png,\n")
    Path("twice.csv").write_text("filename,label\na.png,1\na.png,2\n")
    Path("folder.csv").mkdir()
    code, _, error = cli("label", *(argument.format(raw=raw) for argument in arguments))
    assert code == 2
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x.png,1234", "'x.png' is not one of the images"),
        ("{name},12345", "has 5 symbols where 4"),
        ("{name},12a4", "'a'"),
    ],
)
def test_wrong_corrections_are_refused(row: str, told: str, raw: Path, cli: Cli) -> None:
    name = min(labels(raw / "labels.csv"))
    Path("said.csv").write_text("filename,label\n" + row.format(name=name) + "\n")
    code, _, error = cli("label", f"images={raw}", "corrections=said.csv", *FOUR)
    assert code == 2
    assert "said.csv" in error and told in error


@pytest.mark.slow
def test_label_after_sigkill_at_any_step_writes_the_same_labels(
    raw: Path, done: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "labels.csv"
    journal = out.with_suffix("") / "readings.jsonl"
    command = ("label", f"images={raw}", f"out={out}", *FOUR)
    answers = []
    for call, function in (
        (1, "capbench.label.journal:Journal.add"),
        (3, "capbench.label.journal:Journal.add"),  # the call that would add the second part
        (3, "capbench.label.journal:Journal.add"),
        (1, "capbench.label.label:_write"),
    ):
        kill_at_call(call, function, *command)
        answers.append(journal.read_bytes().count(b"\n"))
        assert not out.exists()
    assert answers == [0, 16, 32, 48]
    assert cli(*command)[0] == 0
    assert out.read_bytes() == done.read_bytes()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len({(line["image"], line["engine"]) for line in lines}) == len(lines) == 48


OPTIONS = sorted(
    path.relative_to(conf_dir() / "label").with_suffix("") for path in (conf_dir() / "label").rglob("*.yaml")
)


@pytest.mark.parametrize("option", map(str, OPTIONS))
def test_every_label_option_is_composed_and_built(option: str, tmp_path: Path) -> None:
    engine = Path(option).parts[0] == "engine"
    given = [f"+label/engine@label.engines.more={Path(option).name}"] if engine else [f"label={option}"]
    if option == "engine/run":
        given.append("label.engines.more.run=somewhere")
    settings = composed("images=x", *given, verb="label")
    check(settings, label.schema)
    assert isinstance(build(settings["label"]), Panel)
    for place in (settings["label"], settings["label"]["agree"], *settings["label"]["engines"].values()):
        place["seeed"] = 1
        with pytest.raises(Mistake, match=r"^label[\w.]*\.seeed: is not a setting \(value 1\); "):
            check(settings, label.schema)
        del place["seeed"]
