"""Lists of the images that a run, and the runs that it started from, was taught: these are not called unseen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from capbench.compare import learning
from capbench.compare.folders import read
from capbench.data import write
from capbench.data.seen import Images, Seen
from capbench.errors import Mistake
from capbench.report import table
from capbench.runs import RunFolder
from capbench.train import experiment
from tests.helpers.protocols import Cli, Train
from tests.helpers.settings import composed

SPLIT = "data.split={train:100,val:20,test:40}"
NETWORK = "{stem:[8],widths:[8],strides:[2],pool:columns}"
QUIET = ("logger=none", "trainer.progress=false", "optim.epochs=1", "optim.batch_size=16")
ONE_EPOCH = (*QUIET, f"model={NETWORK}", "optim.epoch_images=null")


@pytest.fixture(scope="module")
def first(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Run trained on 100 images of the folder and validated on 20; tests must not change it."""
    folder = RunFolder(tmp_path_factory.mktemp("first") / "run")
    experiment.run(composed(*ONE_EPOCH, "data=csv", f"data.root={labelled}", SPLIT), folder, resumed=False)
    return folder


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Run trained on the first 2 × 48 images of a stream; tests must not change it."""
    folder = RunFolder(tmp_path_factory.mktemp("fresh") / "run")
    experiment.run(
        composed(*ONE_EPOCH, "data.fresh=true", "data.split={train:48,val:16,test:16}", "optim.epochs=2"),
        folder,
        resumed=False,
    )
    return folder


def test_a_training_from_scratch_is_tested_on_unseen_images(first: RunFolder) -> None:
    result = first.read_result()
    assert (result["test/taught"], result["test/validated"], result["test/truth"]) == (0, 0, "labels")
    assert f"on {result['test/images']} unseen images" in table.results(result)
    seen = Seen.read(first)
    assert seen is not None
    assert (len(seen.learned), len(seen.before), len(seen.validated)) == (100, 0, 20)


def test_images_taught_to_the_starting_run_are_not_unseen(
    first: RunFolder, labelled: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test on 100 images, of which the first run had 40 in training, 20 in validation and 40 unseen."""
    own = (*ONE_EPOCH, "data=csv", f"data.root={labelled}", "data.split={train:20,val:40,test:100}")
    second = train(*own, f"start={first.path}", at="second")
    result = second.read_result()
    assert (result["test/taught"], result["test/validated"]) == (40, 20)
    printed = capsys.readouterr().out
    assert "unseen images" not in printed
    assert (
        "on 100 images (40 that it, or a run it started from, was trained on; 20 used to choose the best epoch"
        in printed
    )
    assert f"it reads {result['test/exact_unseen']:.4f} of the 40 unseen ones" in printed

    # A run that starts from the second one knows the images of both, without the first run's folder.
    third = experiment.prepare(composed(*own, f"start={second.path}"))
    assert third.begun is not None
    assert (len(third.begun.learned), len(third.begun.before), len(third.begun.validated)) == (20, 100, 60)


def test_copies_of_training_images_are_not_unseen(labelled: Path, train: Train) -> None:
    shutil.copytree(labelled, "copies")
    rows = [row.rsplit(",", 1)[0] for row in (labelled / "labels.csv").read_text().splitlines()[1:31]]
    lines = [f"{row},{'train' if number < 20 else 'val'}" for number, row in enumerate(rows)]
    for row in rows[:5]:
        name, text = row.split(",")
        shutil.copy(labelled / name, Path("copies", again := name.replace("images/", "images/again_")))
        lines.append(f"{again},{text},test")
    Path("copies/labels.csv").write_text("\n".join(["filename,label,split", *lines]) + "\n")
    result = train(*ONE_EPOCH, "data=csv", "data.root=copies", "data.split_column=split").read_result()
    assert (result["test/images"], result["test/taught"]) == (5, 5)


def test_folds_count_images_taught_to_the_starting_run(first: RunFolder, labelled: Path, train: Train) -> None:
    folds = (*ONE_EPOCH, "data=csv", f"data.root={labelled}", "data/split=folds", "data.split.folds=2")
    alone = train(*folds, at="alone").read_result()
    assert (alone["test/taught"], alone["test/validated"], alone["data/folds"]) == (0, 0, 2)
    begun = train(*folds, f"start={first.path}", at="begun").read_result()
    assert begun["test/taught"] > 0
    assert "unseen images" in table.results(alone)
    assert "unseen images" not in table.results(begun)


def test_images_taught_to_a_run_without_a_list_are_unknown(
    first: RunFolder, labelled: Path, train: Train, cli: Cli
) -> None:
    old = RunFolder(Path(shutil.copytree(first.path, "old")))
    old.seen.unlink()
    again = train(*ONE_EPOCH, "data=csv", f"data.root={labelled}", f"start={old.path}", at="again")
    result = again.read_result()
    assert (result["test/taught"], result["test/validated"]) == (None, None)
    assert "(which of them it was trained on is not known)" in table.results(result)
    assert not again.seen.exists()
    code, out, err = cli("evaluate", "run=old", "data=csv", f"data.root={labelled}", "part=all")
    assert code == 0, err
    assert "on 160 images (which of them it was trained on is not known)" in out
    # The result of a run made before these numbers were recorded holds none.
    del result["test/taught"], result["test/validated"]
    assert "unseen" not in table.results(result)


def test_evaluate_counts_images_taught_to_the_run(first: RunFolder, labelled: Path, cli: Cli) -> None:
    shutil.copytree(first.path, "first")
    of = ("evaluate", "run=first", "data=csv", f"data.root={labelled}", SPLIT)
    for part, taught, validated in (("all", 100, 20), ("train", 100, 0), ("val", 0, 20), ("test", 0, 0)):
        code, out, err = cli(*of, f"part={part}", f"out={part}")
        assert code == 0, err
        result = json.loads(Path(part, "result.json").read_text())
        assert (result["test/taught"], result["test/validated"]) == (taught, validated)
        assert ("unseen images" in out) == (part == "test")
    assert "100 that it, or a run it started from, was trained on" in table.pairing(
        json.loads(Path("all/result.json").read_text())
    )
    read = {p.filename: p.text == p.answer for p in RunFolder(Path("test")).read_predictions()}
    result = json.loads(Path("all/result.json").read_text())
    assert result["test/exact_unseen"] == sum(read.values()) / len(read)


def test_the_table_of_evaluations_notes_taught_images(first: RunFolder, labelled: Path, cli: Cli) -> None:
    shutil.copytree(first.path, "first")
    code, out, err = cli("evaluate", "-m", "run=first", "data=csv", f"data.root={labelled}", SPLIT, "part=all,test")
    assert code == 0, err
    assert (
        "¹ 160 images: 100 that it, or a run it started from, was trained on; 20 used to choose the best epoch; " in out
    )
    assert out.count("¹") == 2


@pytest.mark.parametrize(
    ("source", "taught"),
    [
        (["part=train", "data.split.train=200"], 96),
        (["part=train", "data.split.train=20", "data.fresh=true"], 20),
        (["part=train", "data.split.train=20", "data.seed=2"], 0),
        (["part=train", "data.split.train=20", "style.without=rotation"], 0),
        (["part=train", "data.split.train=20", "data.train_size=7"], 7),
        (["part=test", "data.split.test=16"], 0),
        (["part=all", "data.split={train:20,val:4,test:4}", "data.fresh=true"], 20),
    ],
)
def test_rendered_images_are_recognised_by_their_stream(
    source: list[str], taught: int, fresh: RunFolder, cli: Cli
) -> None:
    code, _, err = cli("evaluate", f"run={fresh.path}", *source, "out=out")
    assert code == 0, err
    assert json.loads(Path("out/result.json").read_text())["test/taught"] == taught


def test_fresh_images_are_counted_over_all_epochs(fresh: RunFolder, train: Train) -> None:
    result = fresh.read_result()
    assert (result["data/train"], result["train/images"]) == (96, 96)
    settings = ("optim.epochs=0", "data.split={train:48,val:16,test:16}", f"start={fresh.path}")
    assert train(*ONE_EPOCH, *settings, at="none").read_result()["data/train"] == 96


@pytest.mark.parametrize(("seed", "known"), [(1, None), (2, 0)])
def test_files_rendered_from_the_training_stream_are_not_called_unseen(
    seed: int, known: int | None, fresh: RunFolder, cli: Cli
) -> None:
    settings = composed()
    drawn = {"alphabet": settings["alphabet"], "style": settings["style"], "length": 4, "seed": seed}
    write.run({**drawn, "count": 20, "out": "drawn", "format": "png", "sheet": False})
    code, out, err = cli("evaluate", f"run={fresh.path}", "data=csv", "data.root=drawn", "data.split.test=5", "out=out")
    assert code == 0, err
    assert json.loads(Path("out/result.json").read_text())["test/taught"] == known
    assert ("unseen images" in out) == (known == 0)


def test_a_run_without_training_records_images_of_its_starting_runs(
    first: RunFolder, labelled: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test runs without epochs: one that starts from a run on fewer images, and a committee of two."""
    data = ("data=csv", f"data.root={labelled}")
    few = train(*ONE_EPOCH, *data, SPLIT, "data.train_size=30", f"start={first.path}", at="few")
    none = ("optim.epochs=0", *data, "data.split={train:null,val:20,test:10}")
    capsys.readouterr()
    alone = train(*ONE_EPOCH, *none, f"start={few.path}", at="alone").read_result()
    printed = capsys.readouterr().out
    assert alone["data/train"] == 30
    assert "nothing was trained" in printed
    assert "train 130" not in printed and "images seen at" not in printed
    committee = ("model=committee", "model.size=2", f"model.member={NETWORK}", f"start=[{first.path},{few.path}]")
    together = train(*QUIET, *committee, *none, at="together").read_result()
    assert (together["data/train"], together["test/taught"]) == (100, 0)
    runs, _ = read(Path())
    assert {run.name: learning.labelled(run) for run in runs} == {"alone": 30, "few": 30, "together": 100}


def test_merged_lists_of_seen_images_are_unknown_if_one_is() -> None:
    one = Seen(Images(np.array([1, 5], dtype=np.uint64), {7: 10}), validated=Images(np.array([6], dtype=np.uint64)))
    two = Seen(Images(np.array([5, 9], dtype=np.uint64), {7: 20, 8: 1}))
    both = Seen.by_all([one, two])
    assert both is not None
    assert both.learned.digests.tolist() == [1, 5, 9]
    assert both.learned.streams == {7: 20, 8: 1}
    assert len(both.learned) == 24
    assert both.validated.digests.tolist() == [6]
    assert Seen.by_all([one, None]) is None


def test_a_list_of_seen_images_is_read_back_as_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    seen = Seen(Images(np.array([1, 2**64 - 1], dtype=np.uint64), {2**64 - 1: 3}))
    seen.write(folder)
    again = Seen.read(folder)
    assert again is not None
    assert again.learned.digests.tolist() == [1, 2**64 - 1]
    assert again.learned.streams == {2**64 - 1: 3}
    assert len(again.before) == len(again.validated) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"learned": np.array([2, 1], dtype=np.uint64)},
        {"learned": np.array([1.5])},
        {"learned": np.zeros((2, 2), dtype=np.uint64)},
        {"learned_streams": np.zeros(2, dtype=np.uint64)},
        {"learned_streams": np.zeros((20_000, 2), dtype=np.uint64)},
        {"before": None},
    ],
    ids=range(6),
)
def test_an_impossible_list_of_seen_images_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    Seen().write(folder)
    tensors = load_file(folder.seen) | change
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, folder.seen)
    with pytest.raises(Mistake, match=r"seen\.safetensors: is not a list of images that CapBench wrote") as told:
        Seen.read(folder)
    assert "\n" not in str(told.value)


def test_a_list_of_seen_images_of_a_type_unknown_to_numpy_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    Seen(Images(np.array([1, 2], dtype=np.uint64))).write(folder)
    content = folder.seen.read_bytes()
    folder.seen.write_bytes(content.replace(b'"U64","shape":[2]', b'"BF16","shape":[8]'))
    length = int.from_bytes(content[:8], "little") + 1
    folder.seen.write_bytes(length.to_bytes(8, "little") + folder.seen.read_bytes()[8:])
    with pytest.raises(Mistake, match=r"seen\.safetensors: is not a list of images that CapBench wrote") as told:
        Seen.read(folder)
    assert "\n" not in str(told.value)


def test_a_list_of_seen_images_that_is_huge_or_a_link_out_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "stranger")
    folder.path.mkdir()
    Seen().write(folder)
    monkeypatch.setattr("capbench.data.seen.MOST_BYTES", 10)
    with pytest.raises(Mistake, match="has over 10 bytes, more than any that CapBench writes"):
        Seen.read(folder)
    folder.seen.rename(tmp_path / "elsewhere")
    folder.seen.symlink_to("../elsewhere")
    with pytest.raises(Mistake, match="leads out of the run's folder"):
        Seen.read(folder)
