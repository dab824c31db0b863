"""The verb evaluate: a trained run on its own source and on others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import capbench
from tests.helpers.captchas import save_captchas
from tests.helpers.painter import painter
from tests.helpers.protocols import Cli, Train
from tests.helpers.rounding import apart
from tests.helpers.settings import FAST
from tests.helpers.tables import read_csv

MODELS = [
    ["model=cnn"],
    ["model=crnn"],
    ["model=crnn", "data.length=[3,5]"],
    ["model=ensemble"],
    ["model=resnet", "view.size=[30,80]"],
    ["model=mlp", "view=characters"],
    ["model=knn", "view=characters"],
]


@pytest.mark.parametrize("overrides", MODELS, ids=" ".join)
def test_evaluating_the_own_test_part_repeats_the_results_of_training(
    overrides: list[str], train: Train, cli: Cli
) -> None:
    folder = train(*FAST, "data.split.test=64", "trainer.limit_batches=null", "optim.epochs=2", *overrides)
    of_data = [override for override in overrides if override.startswith("data.")]
    code, out, err = cli("evaluate", f"run={folder.path}", "data.split.test=64", "out=pairing", *of_data)
    assert code == 0, err
    own, again = folder.read_result(), json.loads(Path("pairing/result.json").read_text())
    for name in ("test/exact", "test/char", "test/cer", "test/exact_ci", "test/images", "params"):
        assert again[name] == own[name], name
    assert again["test/ece"] == pytest.approx(own["test/ece"], abs=1e-4)
    assert [(r["filename"], r["answer"]) for r in read_csv(Path("pairing/predictions.csv"))] == [
        (r["filename"], r["answer"]) for r in read_csv(folder.predictions)
    ]
    assert "exact is" in out
    if own["length"] == [4, 4]:
        assert {len(row["answer"]) for row in read_csv(folder.predictions)} == {4}
    reader, captchas = capbench.load(folder.path), list(painter().pictures(np.arange(8)))
    together = reader.read(captchas)
    for captcha, expected in zip(captchas, together, strict=True):
        alone = reader.read(captcha)
        assert alone.text == expected.text
        assert apart(alone.confidence, expected.confidence) < 1e-4
        assert apart(alone.characters, expected.characters) < 1e-4


def test_a_run_is_evaluated_on_a_folder_and_on_the_other_renderer(labelled: Path, train: Train, cli: Cli) -> None:
    run = f"run={train(*FAST).path}"
    code, _, err = cli("evaluate", run, "data=csv", f"data.root={labelled}", "part=all")
    assert code == 0, err
    (written,) = Path("run/evaluations").iterdir()
    assert json.loads((written / "result.json").read_text())["test/images"] == 160
    code, _, err = cli("evaluate", run, "data.renderer=captcha", "data.split.test=20", "out=captcha")
    assert code == 0, err
    assert json.loads(Path("captcha/result.json").read_text())["test/images"] == 20


def test_evaluate_refuses_an_evaluations_folder_that_is_a_link_out(cli: Cli) -> None:
    Path("run").mkdir()
    Path("elsewhere").mkdir()
    Path("run/evaluations").symlink_to("../elsewhere")
    code, _, err = cli("evaluate", "run=run")
    assert code == 2
    assert err.startswith("capbench: run/evaluations/") and "leads out of the run's folder" in err
    assert not any(Path("elsewhere").iterdir())


def test_texts_that_a_run_cannot_read_are_reported_and_count_as_wrong(tmp_path: Path, train: Train, cli: Cli) -> None:
    save_captchas(tmp_path / "letters", 40, symbols="01AB", length=4)
    save_captchas(tmp_path / "long", 40, length=5)
    run = f"run={train(*FAST).path}"
    code, out, err = cli("evaluate", run, "data=csv", "data.root=letters", "part=all", "out=a")
    assert code == 0, err
    assert "texts hold 'AB', which the recogniser does not know" in out
    code, out, err = cli("evaluate", run, "data=csv", "data.root=long", "part=all", "out=b")
    assert code == 0, err
    assert "40 texts have a length that it does not read (4 to 4)" in out
    assert json.loads(Path("b/result.json").read_text())["test/exact"] == 0


def evaluated(cli: Cli, run: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    out = f"pairing_{len(list(Path().glob('pairing_*')))}"
    code, printed, err = cli("evaluate", f"run={run}", *arguments, f"out={out}")
    assert code == 0, err
    return json.loads(Path(out, "result.json").read_text()), printed


def test_evaluate_records_whether_labels_come_from_engines(trained: Path, labelled: Path, cli: Cli) -> None:
    warning = "with labels that engines agreed on"
    for data, truth in (("csv", "labels"), ("ocr", "engines")):
        result, printed = evaluated(cli, trained, f"data={data}", f"data.root={labelled}", "part=all")
        assert result["test/truth"] == truth
        assert (warning in printed) == (truth == "engines")
    result, printed = evaluated(cli, trained, "data.split.test=16")
    assert result["test/truth"] == "renderer"
    assert warning not in printed


def test_evaluate_reports_and_counts_skipped_images(tmp_path: Path, trained: Path, cli: Cli) -> None:
    save_captchas(tmp_path / "some", 12)
    broken = next((tmp_path / "some" / "images").iterdir())
    broken.write_bytes(b"no image")
    result, printed = evaluated(cli, trained, "data=csv", "data.root=some", "data.on_bad=skip", "part=all")
    assert (result["test/images"], result["data/bad"]) == (11, 1)
    assert "left out: some/labels.csv" in printed and broken.name in printed


def test_the_data_hash_of_an_evaluation_changes_with_the_labels(tmp_path: Path, trained: Path, cli: Cli) -> None:
    save_captchas(tmp_path / "some", 12)
    of = ("data=csv", "data.root=some", "part=all")
    first, again = (evaluated(cli, trained, *of)[0]["data/hash"] for _ in range(2))
    labels = tmp_path / "some" / "labels.csv"
    name = labels.read_text().splitlines()[1].split(",")
    labels.write_text(labels.read_text().replace(",".join(name), ",".join([name[0], "0000", name[2]])))
    assert first == again != evaluated(cli, trained, *of)[0]["data/hash"]


def test_evaluate_reads_only_train_size_images_of_the_training_part(labelled: Path, trained: Path, cli: Cli) -> None:
    of = ("data=csv", f"data.root={labelled}", "data.train_size=7")
    assert evaluated(cli, trained, *of, "part=train")[0]["test/images"] == 7
    assert evaluated(cli, trained, *of, "part=test")[0]["test/images"] > 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run: must be given; add run=…"),
        (["run=nowhere"], "run: nowhere is not a finished run; it has no result.json"),
        (
            ["run=run", "style.width=120"],
            "data: gives views of 1×60×120 and run reads 1×60×160; train it with view.size",
        ),
        (["run=run", "part=some"], "part: 'some' is not accepted"),
        (["run=run", "data=csv", "data.root=nowhere"], "data.root: nowhere does not exist"),
        (["run=run", "out=run"], "run: holds a run already"),
    ],
)
def test_a_mistake_in_evaluate_is_one_line(arguments: list[str], message: str, train: Train, cli: Cli) -> None:
    train(*FAST)
    code, _, err = cli("evaluate", "data.split.test=16", *arguments)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_evaluate_refuses_a_run_with_foreign_classes_or_damaged_weights(train: Train, cli: Cli) -> None:
    folder = train(*FAST)
    text = folder.config.read_text()
    folder.config.write_text(text.replace("capbench.models.cnn.CNN", "os.system"))
    code, _, err = cli("evaluate", "run=run")
    assert code == 2
    assert "os.system is not a class that CapBench builds" in err
    folder.config.write_text(text)
    folder.weights.write_bytes(b"not weights")
    code, _, err = cli("evaluate", "run=run", "data.split.test=16")
    assert code == 2
    assert "model.safetensors: is not a safetensors file" in err


def test_evaluate_splits_a_zip_file_as_in_training(labelled_zip: Path, train: Train, cli: Cli) -> None:
    split = "data.split={train:100,val:20,test:40}"
    folder = train(*FAST, "data=csv", f"data.root={labelled_zip}", split, "trainer.limit_batches=null")
    code, _, err = cli("evaluate", f"run={folder.path}", "data=csv", f"data.root={labelled_zip}", split, "out=again")
    assert code == 0, err
    assert {r["filename"] for r in read_csv(Path("again/predictions.csv"))} == {
        r["filename"] for r in read_csv(folder.predictions)
    }
