"""Labels that are probably wrong: the page and the files that a training leaves, and its resumption."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capbench.data.corrections import digest_of
from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.settings import build
from capbench.text import Alphabet, Codec
from capbench.train import doubts, experiment
from tests.helpers.protocols import Train
from tests.helpers.settings import FAST, composed

TRAINING = ("trainer.progress=false", "logger=none", "doubts=true")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def everything_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "DOUBTFUL", float("inf"))
    monkeypatch.setattr(doubts, "ENOUGH", 0.0)


def short(labelled: Path, *more: str) -> tuple[str, ...]:
    return ("data=csv", f"data.root={labelled}", *FAST, "data.split.train=null", *TRAINING, *more)


@pytest.mark.usefixtures("everything_doubtful")
def test_each_image_is_read_by_a_recogniser_that_was_not_taught_it(
    labelled: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*short(labelled))
    held_out = rows(run.path / "held_out.csv")
    assert sorted(row["filename"] for row in held_out) == sorted(
        row["filename"] for row in rows(labelled / "labels.csv")
    )
    wrong = [row for row in held_out if row["label"] != row["reading"]]
    found = rows(run.path / "doubtful.csv")
    assert {row["filename"] for row in found} == {row["filename"] for row in wrong}
    ratios = [float(row["ratio"]) for row in found]
    assert ratios == sorted(ratios)
    assert run.read_result()["data/doubtful"] == len(wrong) > 0
    assert (
        f"{len(wrong)} labels are probably wrong: confirm or correct them on {run.doubtful}" in capsys.readouterr().out
    )
    page = run.doubtful.read_text()
    assert f"{len(wrong)} of {len(wrong)} labels that are probably wrong." in page
    assert "data.corrections=FILE" in page
    assert digest_of((labelled / found[0]["filename"]).read_bytes()) in page
    assert not (run.path / "halves").exists()


def test_a_reader_that_reads_too_little_doubts_no_label(
    labelled: Path, train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doubts, "DOUBTFUL", float("inf"))
    run = train(*short(labelled))
    assert re.search(r"labels are not doubted: untaught recognisers read only 0\.\d\d of them", capsys.readouterr().out)
    assert run.read_result()["data/doubtful"] == 0
    assert not run.doubtful.exists()


def test_halves_share_no_image_and_teach_all_others(labelled: Path) -> None:
    material = experiment.prepare(composed(*short(labelled))).material
    halves = [material.half(number) for number in range(2)]
    digests = [{*material.kept.digests[half.parts["test"].places].tolist()} for half in halves]
    assert not digests[0] & digests[1]
    train = {sample.name for sample in material.parts["train"].samples}
    assert {sample.name for half in halves for sample in half.parts["test"].samples} == train
    for half in halves:
        taught, read, validated = ({s.name for s in half.parts[name].samples} for name in ("train", "test", "val"))
        assert not read & taught
        assert validated == {sample.name for sample in material.parts["val"].samples}
        assert len(taught | read | validated) == 160


def test_few_training_images_are_halved_and_no_other_is_read(labelled: Path) -> None:
    material = experiment.prepare(composed(*short(labelled, "data.train_size=20"))).material
    sizes = [len(material.half(number).parts["test"]) for number in range(2)]
    assert sum(sizes) == 20 and abs(sizes[0] - sizes[1]) <= 1


@pytest.mark.usefixtures("everything_doubtful")
def test_a_run_killed_between_the_halves_goes_on(
    labelled: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(*short(labelled), at="whole")
    learned, trained = itertools.count(), doubts.learn

    def killed(*arguments: Any) -> None:
        if next(learned) == 1:
            raise KeyboardInterrupt
        trained(*arguments)

    monkeypatch.setattr(doubts, "learn", killed)
    with pytest.raises(SystemExit):
        train(*short(labelled), at="killed")
    run = RunFolder(tmp_path / "killed")
    assert not run.result.exists()
    read = rows(run.path / "held_out.csv")
    assert 0 < len(read) < 160
    experiment.run(run.settings(), run, resumed=True)
    assert next(learned) == 3  # the first half was not trained again
    assert (run.path / "held_out.csv").read_text() == (whole.path / "held_out.csv").read_text()
    assert run.read_result()["data/doubtful"] == whole.read_result()["data/doubtful"]


def test_no_page_where_no_label_is_doubtful(
    labelled: Path, train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doubts, "DOUBTFUL", 0.0)
    monkeypatch.setattr(doubts, "ENOUGH", 0.0)
    run = train(*short(labelled))
    assert not run.doubtful.exists() and not (run.path / "doubtful.csv").exists()
    assert "no label is probably wrong\n" in capsys.readouterr().out


@pytest.mark.usefixtures("everything_doubtful")
def test_corrections_replace_labels_and_are_not_doubted_again(labelled: Path, train: Train, tmp_path: Path) -> None:
    names = [row["filename"] for row in rows(labelled / "labels.csv")]
    seen = digest_of((labelled / names[0]).read_bytes())
    (tmp_path / "one.csv").write_text(f"filename,label,image\n{names[0]},1111,{seen}\n{names[1]},2222,\n")
    (tmp_path / "two.csv").write_text(f"filename,label\n{names[1]},3333\n{names[2]},\n")
    run = train(*short(labelled, "data.corrections=[one.csv,two.csv]"))
    held_out = {row["filename"]: row["label"] for row in rows(run.path / "held_out.csv")}
    assert held_out[names[0]] == "1111" and held_out[names[1]] == "3333" and names[2] not in held_out
    assert {*names[:3]}.isdisjoint(row["filename"] for row in rows(run.path / "doubtful.csv"))


def test_a_correction_of_another_image_is_refused(labelled: Path, tmp_path: Path) -> None:
    name = rows(labelled / "labels.csv")[0]["filename"]
    for row, reason in ((f"{name},1111,abc", "is another image than the one corrected"), ("x.png,1,", "is no file of")):
        (tmp_path / "wrong.csv").write_text(f"filename,label,image\n{row}\n")
        source = build(composed("data=csv", f"data.root={labelled}", "data.corrections=wrong.csv")["data"])
        with pytest.raises(Mistake, match=rf"^wrong\.csv: .* {reason}"):
            assert source.samples


def test_minutes_are_shared_with_the_halves(labelled: Path) -> None:
    assert experiment.prepare(composed(*short(labelled, "minutes=10"))).optim.minutes == pytest.approx(7)


@pytest.mark.parametrize(
    "overrides, reason",
    [
        (FAST, "only labels of a folder or a zip file can be wrong"),
        (("data=csv", "trainer=ddp_cpu"), "are found by one process"),
    ],
)
def test_doubts_are_refused_where_they_cannot_be(labelled: Path, overrides: tuple[str, ...], reason: str) -> None:
    root = () if "data=csv" not in overrides else (f"data.root={labelled}",)
    with pytest.raises(Mistake, match=rf"^doubts: {re.escape(reason)}"):
        experiment.prepare(composed(*overrides, *root, *TRAINING))


def test_a_ratio_compares_the_label_with_the_reading() -> None:
    alphabet = Alphabet(symbols="01", fold=None)
    probability = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    codec = Codec(alphabet, 2, 2, "positions")
    logs = [doubts._logs(probability, [text], codec)[0] for text in ("01", "00")]
    assert logs == pytest.approx(np.log([0.72, 0.18]))
    over_time = Codec(alphabet, 1, 2, "time")
    steps = np.array([[[0.6, 0.1, 0.3], [0.5, 0.2, 0.3]]])
    # "0" is read on the paths 00, 0- and -0
    assert doubts._logs(steps, ["0"], over_time)[0] == pytest.approx(np.log(0.3 + 0.18 + 0.15))


def test_a_start_that_was_taught_the_images_is_told(
    labelled: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train("data=csv", f"data.root={labelled}", *FAST, "logger=none", at="first")
    begun = experiment.prepare(composed(*short(labelled, f"start={first.path}")))
    capsys.readouterr()
    doubts._tell_taught(begun)
    assert re.fullmatch(r"doubts: start= was taught \d+ of the images; .*\n", capsys.readouterr().out)
