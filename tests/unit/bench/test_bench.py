"""The verb bench: the rows that it writes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from capbench.bench import knn
from capbench.bench.clean import plain_strokes
from capbench.compare import folders
from capbench.settings import build
from tests.helpers.painter import painter
from tests.helpers.protocols import Cli
from tests.helpers.settings import composed

QUICK = ("bench", "rounds=1", "images=64", "data.split={train:64,val:16,test:16}", "optim.batch_size=32")


def test_bench_writes_the_rows_that_it_shows(cli: Cli) -> None:
    code, out, err = cli(*QUICK, "only=render/grey")
    assert code == 0, err
    rows = json.loads(Path("bench.json").read_text())
    assert [row["name"] for row in rows] == ["render/grey", "render/grey_threads", "render/grey_floor"]
    assert all(set(row) == {"name", "ours", "peer", "ratio", "unit"} for row in rows)
    assert all(row["ours"] > 0 and math.isclose(row["ratio"], row["ours"] / row["peer"]) for row in rows)
    assert all(row["name"] in out for row in rows)


@pytest.mark.slow
def test_bench_times_training_on_fresh_and_on_stored_images(cli: Cli) -> None:
    code, _, err = cli(*QUICK, "only=train", "out=mine.json")
    assert code == 0, err
    rows = json.loads(Path("mine.json").read_text())
    assert [(row["name"], row["ratio"] > 0) for row in rows] == [("train/fresh", True), ("train/loop", True)]
    assert [path.name for path in Path().iterdir()] == ["mine.json"]


@pytest.mark.slow
def test_bench_times_an_ensemble_beside_its_members_and_one_trunk(cli: Cli) -> None:
    small = ("ensemble.positions=2", "ensemble.size=[16,32]", "ensemble.steps=1")
    code, _, err = cli(*QUICK, *small, "only=ensemble")
    assert code == 0, err
    rows = json.loads(Path("bench.json").read_text())
    assert [(row["name"], row["ratio"] > 0) for row in rows] == [("ensemble/together", True), ("ensemble/trunk", True)]
    code, _, err = cli(*QUICK, "only=ensemble", "model@ensemble.model=cnn")
    assert code == 2
    assert "ensemble.model._target_: capbench.models.cnn.CNN is not an Ensemble" in err


def test_the_peer_of_cleaning_gives_the_same_pieces(cli: Cli) -> None:
    view = build(composed("view=strokes")["view"])
    for picture in painter("style=strokes").pictures(np.arange(50)):
        assert (view(picture, 4) == plain_strokes(picture)).all()
    code, _, err = cli(*QUICK, "only=clean")
    assert code == 0, err
    rows = json.loads(Path("bench.json").read_text())
    assert [row["name"] for row in rows] == ["clean/strokes", "clean/components"]


@pytest.mark.slow
def test_bench_times_evaluate_and_knn(cli: Cli) -> None:
    pixels, labels = knn.samples()
    assert (knn.ours(pixels, labels) == knn.peers(pixels, labels)).all()
    for only in ("evaluate", "knn"):
        code, _, err = cli(*QUICK, f"only={only}")
        assert code == 0, err
        (row,) = json.loads(Path("bench.json").read_text())
        assert row["name"].startswith(only) and row["ratio"] > 0


def test_bench_times_compare_without_its_memory(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capbench.bench.compare.RUNS", 12)
    forgotten: list[None] = []
    forget = folders.forget

    def counted() -> None:
        forgotten.append(None)
        forget()

    monkeypatch.setattr(folders, "forget", counted)
    code, _, err = cli(*QUICK, "only=compare")
    assert code == 0, err
    assert len(forgotten) >= 2, "what was read is measured again, instead of reading"
    rows = json.loads(Path("bench.json").read_text())
    assert [row["name"] for row in rows] == ["compare/screen", "compare/page"]
    assert all(row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_bench_times_a_server(cli: Cli) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra serve: make test installs it")
    code, _, err = cli(*QUICK, "only=read/served")
    assert code == 0, err
    rows = json.loads(Path("bench.json").read_text())
    assert [row["name"] for row in rows] == ["read/served", "read/served_p99"]
    assert rows[0]["ours"] > rows[1]["ours"] > 0 and rows[0]["peer"] == 200


@pytest.mark.slow
def test_bench_times_reading_one_image_and_many_files(cli: Cli) -> None:
    pytest.importorskip("ddddocr", reason="needs the engines: make test installs them")
    for only, names in (("read/mlp", ["read/mlp", "read/mlp_p99"]), ("read/predict", ["read/predict"])):
        code, _, err = cli(*QUICK, f"only={only}")
        assert code == 0, err
        rows = json.loads(Path("bench.json").read_text())
        assert [row["name"] for row in rows] == names
        assert all(row["ours"] > 0 and row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_bench_compares_both_readers_on_given_sets(labelled: Path, cli: Cli) -> None:
    pytest.importorskip("ddddocr", reason="needs the engines: make test installs them")
    code, _, err = cli(*QUICK, "only=read/cnn_exact", f"read.sets=[{labelled}]", "trainer.limit_batches=1")
    assert code == 0, err
    (row,) = json.loads(Path("bench.json").read_text())
    assert row["name"] == f"read/cnn_exact_{labelled.name}"
    assert 0 <= row["ours"] <= 1 and 0 <= row["peer"] <= 1


def test_an_unknown_name_of_bench_is_one_line(cli: Cli) -> None:
    code, _, err = cli(*QUICK, "only=rendr")
    assert code == 2
    assert err.startswith("capbench: only: rendr is not the beginning of a name; did you mean render/")
