"""Rounds of labelling and training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import Mistake
from capbench.label import label as labelling
from capbench.runs import RunFolder
from capbench.settings import check
from capbench.train import experiment, self_training
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv

SMALL = ("trainer.progress=false", "trainer.limit_batches=2", "optim.epochs=1", "optim.batch_size=4", "logger=none")


def settings(raw: Path, *overrides: str) -> dict[str, Any]:
    return composed("+experiment=self_train", f"data.root={raw}", "data.length=4", *SMALL, *overrides)


def names(path: Path) -> set[str]:
    return {row["filename"] for row in read_csv(path)}


def test_interrupted_self_training_resumes_within_its_round(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(tmp_path / "run")
    # Interrupt the labelling of the second round, ...
    label = labelling.run
    asked: list[dict[str, Any]] = []
    known: list[Any] = []

    def once(given: dict[str, Any], already: Any) -> str:
        asked.append(given)
        known.append(already)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return label(given, already)

    monkeypatch.setattr(labelling, "run", once)
    with pytest.raises(KeyboardInterrupt):
        self_training.run(settings(raw, "self_train.rounds=2"), folder, resumed=False)
    first = RunFolder(folder.path / "round_1")
    assert first.result.exists() and not folder.result.exists()
    written = first.result.stat().st_mtime_ns

    # ... and resume: the first round is not repeated.
    exact = self_training.run(folder.settings(), folder, resumed=True)
    assert exact == folder.read_result()["val/exact"]
    assert first.result.stat().st_mtime_ns == written
    assert len(asked) == 3
    assert list(asked[2]["label"]["engines"]) == ["run", "rapid", "dddd"]
    assert asked[2]["label"]["engines"]["run"]["run"] == str(first.path)
    assert folder.settings()["self_train"]["rounds"] == 2

    # Labelled images are read by a recogniser that was not trained on them.
    assert known[0] == {}
    assert known[2]["run"] and known[2]["run"].keys() <= names(folder.path / "labels_1.csv")
    predictions = {p.filename: p for p in first.read_predictions()}
    assert {name: reading.text for name, reading in known[2]["run"].items()} == {
        name: prediction.answer for name, prediction in predictions.items()
    }
    assert first.read_result()["data/folds"] == 3

    # The result records that its labels are those of engines.
    result = folder.read_result()
    assert (result["test/truth"], result["test/taught"]) == ("engines", 0)

    gold = names(raw / "labels.csv")
    for number in (1, 2):
        accepted = names(folder.path / f"labels_{number}.csv")
        assert len(accepted) >= 20 and accepted <= gold
        report = json.loads((folder.path / f"labels_{number}.json").read_text())
        assert report["accepted"] == len(accepted)
    engines = [row["engine"] for row in map(json.loads, (folder.path / "labels/readings.jsonl").open())]
    assert len(engines) == 3 * 40  # readings of the first round are kept for the second
    printed = capsys.readouterr().out
    assert "with labels that engines agreed on" in printed[printed.index("round 2 of 2: training") :]


def test_mistakes_in_self_training_are_found_before_reading(raw: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    given = settings(raw)
    for wrong, told in (
        ({"rounds": 0}, r"self_train\.rounds: 0 is not accepted"),
        ({"round": 2}, r"self_train\.round: is not a setting"),
        ({"label": {**given["self_train"]["label"], "engines": {}}}, r"label\.engines: is empty"),
    ):
        with pytest.raises(Mistake, match=told):
            self_training.run({**given, "self_train": {**given["self_train"], **wrong}}, folder, resumed=False)
    assert not folder.path.exists()


def test_an_engine_named_run_is_refused_in_self_training(raw: Path) -> None:
    given = settings(raw)["self_train"]
    given["label"]["engines"]["run"] = given["label"]["engines"].pop("rapid")
    with pytest.raises(Mistake, match="run is reserved for the previous round's run"):
        self_training.run({**settings(raw), "self_train": given}, RunFolder(raw / "none"), resumed=False)


def test_self_training_without_agreed_labels_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="agree on no image"):
        self_training.run(settings(raw, "data.length=7"), RunFolder(tmp_path / "run"), resumed=False)


def test_self_training_is_off_by_default() -> None:
    assert composed()["self_train"] is None
    check(composed(), experiment.schema)
