"""Choice of the parts that settings leave open, and the training of a folder of which nothing is known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import capbench
from capbench.errors import Mistake
from capbench.settings import check
from capbench.train import choose as choosing
from capbench.train import experiment
from capbench.train.choose import choose
from tests.helpers.protocols import Train
from tests.helpers.settings import FAST, composed

OPEN = ("data=folder", "alphabet=auto", "view=auto", "augment=auto", "model=auto")


def chosen(root: Path, *overrides: str) -> dict[str, Any]:
    settings = choose(composed(*OPEN, f"data.root={root}", *overrides))
    check(settings, experiment.schema)
    return settings


def relabelled(labelled: Path, at: Path, change: dict[int, str]) -> Path:
    """Return a copy of a labelled folder whose rows of these numbers have other texts."""
    shutil.copytree(labelled, at)
    head, *rows = (at / "labels.csv").read_text().splitlines()
    for number, text in change.items():
        name, _, *more = rows[number].split(",")
        rows[number] = ",".join([name, text, *more])
    (at / "labels.csv").write_text("\n".join([head, *rows]) + "\n")
    return at


def test_texts_of_known_symbols_begin_with_the_universal_reader(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = chosen(labelled)
    assert settings["start"] == "universal"
    for part, name in (("model", "universal"), ("view", "line"), ("augment", "moved")):
        assert settings[part] == composed(f"{part}={name}")[part]
    assert settings["optim"]["lr"] == 1e-3
    assert "start: the universal reader" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("texts", "given", "start"),
    [
        ({}, (), None),
        ({}, ("data.train_size=100",), "universal"),
        ({number: "1234"[: 3 + number % 2] for number in range(160)}, (), "universal"),
    ],
    ids=["enough", "too few are kept", "free lengths"],
)
def test_enough_texts_of_one_length_begin_with_nothing(
    texts: dict[int, str],
    given: tuple[str, ...],
    start: str | None,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH", 160)
    settings = chosen(relabelled(labelled, tmp_path / "enough", texts), *given)
    assert settings["start"] == start
    name = "cnn.CNN" if start is None else "crnn.CRNN"
    assert settings["model"]["_target_"] == f"capbench.models.{name}"
    enough = "start: random weights, since 160 texts of one length are enough for a small network\n"
    assert (enough in capsys.readouterr().out) == (start is None)


def test_texts_of_one_length_with_another_symbol_are_read_by_a_cnn(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = chosen(relabelled(labelled, tmp_path / "other", {3: "12#4"}))
    assert settings["model"]["_target_"] == "capbench.models.cnn.CNN"
    assert settings["view"]["size"] == [50, 133]
    assert settings["augment"] == composed("augment=moved")["augment"]
    said = capsys.readouterr().out
    assert "texts: 4 of 11 symbols, #0123456789\n" in said
    assert "view: images are 60×160; they are seen as 50×133, grey\n" in said


def test_texts_of_free_lengths_are_read_over_time(labelled: Path, tmp_path: Path) -> None:
    free = relabelled(labelled, tmp_path / "free", {number: "12#456"[: 1 + number % 6] for number in range(40)})
    settings = chosen(free)
    assert settings["model"] == composed("model=crnn")["model"]


def test_what_is_given_is_kept(labelled: Path) -> None:
    given = ("view=whole", "view.size=[32,96]", "model=resnet", "augment=none", "alphabet=digits")
    settings = composed("data=folder", f"data.root={labelled}", *given)
    assert choose(settings) is settings
    settings = chosen(labelled, "model=resnet")
    assert settings["model"] == composed("model=resnet")["model"]
    assert settings["start"] is None


def test_a_rare_case_is_folded(labelled: Path, tmp_path: Path) -> None:
    letters = {number: "abcd" if number else "abcD" for number in range(160)}
    settings = chosen(relabelled(labelled, tmp_path / "letters", letters))
    assert settings["alphabet"]["fold"] == "lower"


def test_a_folder_and_nothing_else_gets_a_reader(
    labelled: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = relabelled(labelled, tmp_path / "wrong", {3: "", 5: "12345"})
    run = train("+experiment=folder", f"data.root={wrong}", "logger=none", "trainer.progress=false", "minutes=0.02")
    said = capsys.readouterr().out
    assert "labels: 159 labels are in labels.csv, column label: images/" in said
    assert "left out: " in said and "has no text" in said and "'12345' has 5 symbols, others 4" in said
    settings = run.settings()
    assert settings["optim"]["minutes"] == 0.02
    assert settings["start"] == "universal"
    image = next((labelled / "images").iterdir())
    assert {*capbench.load(run.path).read(image).text} <= {*"0123456789"}


def test_one_symbol_in_all_texts_ends_in_one_line(labelled: Path, tmp_path: Path) -> None:
    same = relabelled(labelled, tmp_path / "same", dict.fromkeys(range(160), "7777"))
    settings = composed("+experiment=folder", f"data.root={same}", *FAST)
    with pytest.raises(Mistake, match=r"every label is '7777' \(160 images\)"):
        experiment.prepare(choose(settings))
