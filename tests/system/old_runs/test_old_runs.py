"""Runs, a graph and a labelling of an earlier version, whose settings name classes by their earlier modules.

`runs.tar.xz` holds, made by the last version before modules moved:
    finished/NAME    a run of each recogniser and of each kind of source, with answers.csv, its readings of images/
    begun/NAME       runs that were killed in their second epoch
    graph/           an exported graph
    labelling/       labels, and the readings that led to them
    images/          rendered captchas
In the articles' large networks most weights are zero, so that they pack well. Paths begin with /before.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.helpers.protocols import Cli
from tests.helpers.tables import read_csv

KEPT = Path(__file__).with_name("runs.tar.xz")
LARGE = ("cnn_article", "ensemble_article", "resnet_article", "trunk_article")
SMALL = ("cnn", "committee", "crnn", "csv", "ensemble", "filenames", "knn", "mlp", "mlp_article", "ocr", "resnet")
NAMES = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(KEPT) as archive:
        # Python before 3.11.4 knows no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    for path in folder.rglob("*"):
        if path.suffix in (".yaml", ".json"):
            path.write_text(path.read_text().replace("/before", str(folder)))
    names = folder / "names"
    names.mkdir()
    for row in read_csv(folder / "images" / "labels.csv"):
        shutil.copy(folder / "images" / row["filename"], names / f"{row['label']}.png")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_an_old_run_gives_the_same_readings(old: Path, name: str, tmp_path: Path, cli: Cli) -> None:
    run = old / "finished" / name
    code, _, err = cli("predict", f"run={run}", f"images={old / 'images' / 'images'}", "out=answers.csv")
    assert code == 0, err
    before, now = read_csv(run / "answers.csv"), read_csv(tmp_path / "answers.csv")
    assert [(row["filename"], row["text"]) for row in now] == [(row["filename"], row["text"]) for row in before]
    # answers.csv holds six decimals.
    assert [float(row["confidence"]) for row in now] == pytest.approx(
        [float(row["confidence"]) for row in before], rel=1e-3, abs=2e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_old_run_is_evaluated(old: Path, name: str, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / name
    shutil.copytree(old / "finished" / name, run)
    style = "style=strokes" if name == "mlp_article" else "style=clean"  # its view has the boxes of that style
    code, out, err = cli("evaluate", f"run={run}", style, "data.split={train:1,val:1,test:24}", "cache=null")
    assert code == 0, err
    assert "exact" in out


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_an_old_run_is_exported(old: Path, name: str, tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export: make test installs it")
    code, _, err = cli("export", f"run={old / 'finished' / name}", "out=model.onnx")
    assert code == 0, err
    assert (tmp_path / "model.json").exists()


def test_old_runs_are_compared(old: Path, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("compare", f"runs={old / 'finished'}", "out=report")
    assert code == 0, err
    assert {row["run"].rsplit("/", 1)[-1] for row in read_csv(tmp_path / "report" / "runs.csv")} == {*SMALL, *LARGE}
    assert err == ""


@pytest.mark.parametrize("name", ["cnn", "crnn", "mlp"])
def test_an_old_run_is_resumed(old: Path, name: str, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / name
    shutil.copytree(old / "begun" / name, run)
    before = read_csv(run / "metrics.csv")
    # Captchas were drawn otherwise when it began, so that it is refused; without the hash of its data it goes on with today's.
    code, _, err = cli(f"resume={run}")
    assert (code, "have changed since it began" in err) == (2, True)
    (run / "checkpoints" / "data.hash").unlink()
    code, _, err = cli(f"resume={run}")
    assert code == 0, err
    now = read_csv(run / "metrics.csv")
    assert len(before) == 1 and len(now) == 2
    assert now[0] == before[0]
    assert json.loads((run / "result.json").read_text())["train/epochs"] == 2


def test_a_training_starts_from_an_old_run(old: Path, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli(
        f"start={old / 'finished' / 'mlp'}", "view=clean", "view.size=[6,4]", "model=mlp", "model.hidden=[8]",
        "style=clean", "debug=fast", "trainer.progress=false", "hydra.run.dir=new",
    )  # fmt: skip
    assert code == 0, err
    assert (tmp_path / "new" / "result.json").exists()


def test_an_old_graph_gives_the_same_readings(old: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export: make test installs it")
    from capbench.export.graph import Graph
    from capbench.images import pixels

    graph = Graph.open(old / "graph" / "mlp.onnx")
    before = read_csv(old / "finished" / "mlp" / "answers.csv")
    images = [pixels(old / "images" / "images" / row["filename"]) for row in before]
    assert [read.text for read in graph.read(images)] == [row["text"] for row in before]


def test_an_old_labelling_is_resumed(old: Path, tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    labelling = tmp_path / "labelling"
    shutil.copytree(old / "labelling", labelling)
    before = read_csv(labelling / "labels.csv")
    images = old / "images" / "images"
    code, _, err = cli("label", f"images={images}", f"out={labelling}/labels.csv", "alphabet=digits", "length=4")
    assert code == 0, err
    now = read_csv(labelling / "labels.csv")
    assert [{**row, "confidence": ""} for row in now] == [{**row, "confidence": ""} for row in before]
    # The engines are asked again, and another processor rounds otherwise.
    assert [float(row["confidence"]) for row in now] == pytest.approx(
        [float(row["confidence"]) for row in before], rel=1e-3
    )
