"""Training in folds: every image is read by a recogniser that was not trained on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from capbench.compare import learning
from capbench.compare.folders import read
from capbench.errors import Mistake
from capbench.models.knn import KNN
from capbench.runs import RunFolder
from capbench.train import experiment, fit
from capbench.train.recognizer import Recognizer
from tests.helpers.captchas import save_captchas
from tests.helpers.killed import kill_at_call
from tests.helpers.protocols import Cli, Train
from tests.helpers.runs import RUN_FOLDER, curve, metrics_of
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv

KNN_LEAVES_ONE_OUT = ("data=csv", "data/split=leave_one_out", "alphabet=auto", "model=knn", "model.k=1")
CNN_IN_FOLDS = (
    *("data=csv", "data/split=folds", "data.split.folds=3"),
    *("optim.epochs=3", "optim.epoch_images=null", "optim.batch_size=4"),
)
QUIET = ("logger=none", "trainer.progress=false")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled folder of 15 captchas with different texts."""
    folder = tmp_path_factory.mktemp("few") / "captchas"
    assert len(set(save_captchas(folder, 15))) == 15
    return folder


@pytest.fixture(scope="module")
def twins(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `few` with a copy of each image under another name."""
    folder = tmp_path_factory.mktemp("twins") / "captchas"
    shutil.copytree(few, folder)
    for image in list((folder / "images").iterdir()):
        shutil.copy(image, image.with_name(f"again_{image.name}"))
    rows = (few / "labels.csv").read_text().splitlines()
    again = [row.replace("images/", "images/again_") for row in rows[1:]]
    (folder / "labels.csv").write_text("\n".join([*rows, *again]) + "\n")
    return folder


def test_no_image_is_read_by_a_fold_trained_on_it_or_its_copy(twins: Path, train: Train, cli: Cli) -> None:
    """Read whole images by nearest neighbours: an image that was seen would be read right, and no other has its text."""
    folder = train(*KNN_LEAVES_ONE_OUT, f"data.root={twins}", *QUIET)
    result = folder.read_result()
    assert (result["test/exact"], result["test/images"]) == (0, 30)
    assert result["test/exact_ci"][0] == 0
    assert result["data/folds"] == 15
    assert "val/exact" not in result
    names = [line.split(",")[0] for line in (twins / "labels.csv").read_text().splitlines()[1:]]
    assert [row["filename"] for row in read_csv(folder.predictions)] == names
    assert {path.name for path in folder.path.iterdir()} == RUN_FOLDER
    # The saved recogniser was trained on all images.
    assert len(load_file(folder.weights)["samples"]) == 30
    code, out, _ = cli("evaluate", f"run={folder.path}", "data=csv", f"data.root={twins}", "part=all")
    assert code == 0
    assert out.splitlines()[0].split() == ["exact", "1.0000"]


def test_leave_one_out_answers_equal_those_made_by_hand(few: Path, train: Train) -> None:
    folder = train(*KNN_LEAVES_ONE_OUT, f"data.root={few}", "view=characters", *QUIET)
    known = experiment.prepare(folder.settings()).material.parts["test"]
    views = torch.from_numpy(np.moveaxis(np.array(known.views), -1, -3)).float() / 255  # [image, character, 1, h, w]
    labels = torch.tensor([[int(symbol) for symbol in text] for text in known.texts])
    for number, row in enumerate(read_csv(folder.predictions)):
        others = torch.arange(len(labels)) != number
        model = KNN((1, 24, 16), 1, 10, k=1)
        model.learn(views[others].flatten(0, 1), labels[others].flatten()[:, None])
        assert row["answer"] == "".join(map(str, model(views[number]).argmax(-1)[:, 0].tolist()))
    assert 0 < folder.read_result()["test/char"] < 1


@pytest.mark.parametrize(("data", "split"), [("ocr", "folds"), ("filenames", "leave_one_out")])
def test_every_source_of_labelled_images_can_be_trained_in_folds(
    data: str, split: str, few: Path, train: Train
) -> None:
    root = few / "images" if data == "filenames" else few
    folder = train(
        f"data={data}",
        f"data/split={split}",
        f"data.root={root}",
        "model=knn",
        "view=characters",
        "alphabet=auto",
        *QUIET,
    )
    result = folder.read_result()
    assert (result["data/folds"], result["test/images"]) == (10 if split == "folds" else 15, 15)
    # The saved recogniser was trained on all images but those of validation, the tested ones on fewer.
    assert (result["data/train"], result["data/fold_train"]) == ((13, 11) if split == "folds" else (15, 14))
    (run,), _ = read(folder.path)
    assert learning.labelled(run) == result["data/fold_train"]


@pytest.mark.slow
def test_folds_resumed_after_sigkill_give_the_same_result(
    few: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(*CNN_IN_FOLDS, f"data.root={few}", *QUIET, at="alone")
    result = alone.read_result()
    assert (result["data/train"], result["data/val"], result["data/test"]) == (13, 2, 15)
    assert result["train/epochs"] == 3

    folder = RunFolder(tmp_path / "killed")
    arguments = (*CNN_IN_FOLDS, f"data.root={few}", *QUIET, f"hydra.run.dir={folder.path}")
    kill_at_call(
        6, "capbench.train.recognizer:Recognizer.on_train_epoch_end", *arguments
    )  # the second fold's last epoch
    assert len(read_csv(folder.predictions)) == 5
    assert not folder.result.exists()

    whole = Recognizer.on_train_epoch_end
    epochs = 0

    def counted(recognizer: Recognizer) -> None:
        nonlocal epochs
        epochs += 1
        whole(recognizer)

    monkeypatch.setattr(Recognizer, "on_train_epoch_end", counted)
    experiment.run(folder.settings(), folder, resumed=True)
    assert epochs == 1 + 3 + 3  # the rest of the second fold, the third, and all images
    assert metrics_of(folder.read_result()) == metrics_of(result)
    assert curve(folder.path) == curve(alone.path)
    assert folder.predictions.read_text() == alone.predictions.read_text()
    assert folder.weights.read_bytes() == alone.weights.read_bytes()


@pytest.fixture
def interrupted(few: Path, train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Output of a training in folds that is interrupted by hand in its first fold."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "_test_fold", interrupt)
    with pytest.raises(SystemExit):
        train(*KNN_LEAVES_ONE_OUT, f"data.root={few}", *QUIET)
    return capsys.readouterr().out


def test_a_training_prints_an_example_of_its_labels(few: Path, interrupted: str) -> None:
    first = (few / "labels.csv").read_text().splitlines()[1].split(",")
    assert f"labels: {first[0]} is '{first[1]}', " in interrupted


def test_folds_interrupted_by_hand_print_how_to_resume(interrupted: str) -> None:
    assert "continue with resume=run" in interrupted


def test_folds_without_validation_keep_the_last_epoch(few: Path, train: Train) -> None:
    folder = train(*CNN_IN_FOLDS, "data.split.val=null", f"data.root={few}", *QUIET)
    result = folder.read_result()
    assert (result["data/train"], result["data/val"], result["best/epoch"]) == (15, 0, 3)
    assert result["train/images_per_second"] > 0
    last = torch.load(folder.last, weights_only=True)["state_dict"]
    weights = load_file(folder.weights)
    assert all(torch.equal(last[f"model.{name}"], tensor) for name, tensor in weights.items())


@pytest.fixture
def odd(few: Path, tmp_path: Path) -> Path:
    """The folder `few` with the symbol 7 in one text alone."""
    shutil.copytree(few, tmp_path / "odd")
    heading, *lines = (tmp_path / "odd" / "labels.csv").read_text().splitlines()
    table = [line.split(",") for line in lines]
    texts = [label.replace("7", "1") for _, label, _ in table]
    texts[0] = f"7{texts[0][1:]}"
    assert set("".join(texts)) == set("0123456789")
    rows = [f"{name},{text},{sure}" for (name, _, sure), text in zip(table, texts, strict=True)]
    (tmp_path / "odd" / "labels.csv").write_text("\n".join([heading, *rows]) + "\n")
    return tmp_path / "odd"


def test_every_fold_has_the_alphabet_of_the_whole_folder(odd: Path) -> None:
    whole = experiment.prepare(composed(*KNN_LEAVES_ONE_OUT, f"data.root={odd}", *QUIET)).material
    for number in range(whole.folds):
        fold = whole.fold(number)
        left_out = [text for text in fold.parts["test"].texts if "7" in text]
        assert fold.alphabet.symbols == whole.alphabet.symbols == "0123456789"
        assert fold.unseen == ("7" if left_out else "")


def test_every_fold_starts_from_the_given_run_whatever_symbols_it_leaves_out(odd: Path, trained: Path) -> None:
    settings = composed(*CNN_IN_FOLDS, f"data.root={odd}", "alphabet=auto", f"start={trained}", *QUIET)
    whole = experiment.prepare(settings)
    for number in range(3):
        weights = whole.fold(number).recognizer.model.state_dict()
        assert all(
            torch.equal(tensor, weights[name]) for name, tensor in load_file(trained / "model.safetensors").items()
        )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.patience=2", "trainer.patience: needs validation images"),
        ("trainer=ddp_cpu", "trainer: folds are trained in one process"),
        (
            "data.split={folds:16}",
            "data.split.folds: 16 folds cannot be made of 15 different images; set fewer",
        ),
        ("+data.split.test=0.2", "data.split.test: is not a setting"),
        ("data.split={folds:1}", "data.split.folds: 1 is not accepted"),
        ("data.train_size=15", "data.train_size: 15 images are wanted, but the training part has 14"),
    ],
)
def test_impossible_settings_of_folds_are_refused_before_training(override: str, message: str, few: Path) -> None:
    with pytest.raises(Mistake, match=message):
        experiment.prepare(composed(*KNN_LEAVES_ONE_OUT, f"data.root={few}", *QUIET, override))
