"""Runs killed between the writing of two files and resumed: they end like uninterrupted ones."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from capbench.errors import Mistake
from capbench.report import pictures
from capbench.runs import RunFolder
from capbench.train import experiment, fit
from capbench.train.recognizer import Recognizer
from tests.helpers.runs import curve, metrics_of
from tests.helpers.settings import composed

SMALL = (
    "model=mlp",
    "view=characters",
    "data=csv",
    "data.train_size=48",
    "optim.epochs=3",
    "optim.epoch_images=null",
    "optim.ema=0.5",
    "trainer.progress=false",
    "logger=none",
)


class Killed(BaseException):
    pass


@contextmanager
def killed_before_file(number: int, folder: Path) -> Iterator[list[Path]]:
    """Raise Killed before file `number` of this folder, counted from 0, is written; yield the files written before."""
    written: list[Path] = []
    whole = Path.replace

    def dying(path: Path, target: Path) -> Any:
        if folder in Path(target).absolute().parents:
            if len(written) == number:
                raise Killed
            written.append(Path(target))
        return whole(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        yield written


def assert_same(one: RunFolder, other: RunFolder) -> None:
    assert metrics_of(one.read_result()) == metrics_of(other.read_result())
    assert curve(one.path) == curve(other.path)
    assert one.predictions.read_text() == other.predictions.read_text()
    assert one.weights.read_bytes() == other.weights.read_bytes()
    first, second = (torch.load(run.best, weights_only=True)["epoch"] for run in (one, other))
    assert first == second


class Search:
    """Stand-in for a search's trial that is pruned after its second epoch and stays pruned."""

    given_up: ClassVar[dict[Path, int]] = {}

    def __init__(self, run: Path, number: int) -> None:
        self.run, self.number = run, number

    @property
    def pruned(self) -> int | None:
        return self.given_up.get(self.run)

    def goes_on(self, epoch: int, value: float) -> bool:
        if epoch == 2:
            self.given_up[self.run] = epoch
        return self.pruned is None


WAYS = {
    "parts": (),
    "stopped early": ("trainer.patience=1", "optim.epochs=9", "optim.lr=1e-12"),
    "given up": ("trial=0",),
    "folds": ("data/split=folds", "data.split.folds=2", "optim.epochs=2"),
}


@pytest.fixture
def settings(request: pytest.FixtureRequest, labelled: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of a short run that ends in the way named by the parameter, without pictures, which take longest."""
    monkeypatch.setattr(fit, "Trial", Search)
    monkeypatch.setattr(pictures, "_save", lambda figure, path: path)
    return composed(*SMALL, f"data.root={labelled}", *WAYS[request.param])


def files_of(alone: RunFolder, settings: dict[str, Any]) -> list[str]:
    """Train without an interruption, and return the names of the files in the order of their writing."""
    with killed_before_file(-1, alone.path) as files:
        experiment.run(settings, alone, resumed=False)
    return [file.name for file in files]


def kill_and_resume(run: RunFolder, settings: dict[str, Any], before: int) -> None:
    with killed_before_file(before, run.path), pytest.raises(Killed):
        experiment.run(settings, run, resumed=False)
    experiment.run(run.settings(), run, resumed=True)


@pytest.mark.parametrize(
    ("settings", "file"),
    [("parts", "best.ckpt"), ("parts", "last.ckpt"), ("stopped early", "result.json"), ("given up", "last.ckpt")],
    indirect=["settings"],
)
def test_resume_after_a_kill_before_the_last_write_of_a_file_gives_the_same_run(
    settings: dict[str, Any], file: str, tmp_path: Path
) -> None:
    alone, run = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "killed")
    files = files_of(alone, settings)
    kill_and_resume(run, settings, len(files) - 1 - files[::-1].index(file))
    assert_same(run, alone)


@pytest.mark.slow
@pytest.mark.parametrize("settings", WAYS, indirect=True)
def test_resume_after_a_kill_before_any_file_gives_the_same_run(settings: dict[str, Any], tmp_path: Path) -> None:
    alone = RunFolder(tmp_path / "alone")
    files = files_of(alone, settings)
    assert (files[0], files[-1]) == ("config.yaml", "result.json")
    assert {"last.ckpt", "best.ckpt", "metrics.csv", "model.safetensors", "predictions.csv"} <= set(files)
    for number in range(1, len(files)):  # without config.yaml there is no run
        run = RunFolder(tmp_path / f"before {number}")
        kill_and_resume(run, settings, number)
        assert_same(run, alone)


@pytest.mark.parametrize("settings", ["parts"], indirect=True)
def test_resume_with_changed_data_is_refused(settings: dict[str, Any], labelled: Path, tmp_path: Path) -> None:
    alone, run = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "killed")
    settings["data"]["root"] = str(shutil.copytree(labelled, tmp_path / "data"))
    before = files_of(alone, settings).index("result.json")
    with killed_before_file(before, run.path), pytest.raises(Killed):
        experiment.run(settings, run, resumed=False)

    labels = tmp_path / "data" / "labels.csv"
    first = labels.read_text()
    used = alone.read_predictions()[0]
    assert f"{used.filename},{used.text}," in first
    labels.write_text(first.replace(f"{used.filename},{used.text},", f"{used.filename},{int(used.text) ^ 1:04},"))
    with pytest.raises(Mistake, match=f"^resume: the data of {run.path} have changed since it began: .* restore them"):
        experiment.run(run.settings(), run, resumed=True)
    assert not run.result.exists()

    labels.write_text(first)
    experiment.run(run.settings(), run, resumed=True)
    assert_same(run, alone)


@pytest.mark.parametrize("settings", ["parts"], indirect=True)
def test_resume_without_a_data_hash_removes_part_files(settings: dict[str, Any], tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "killed")
    with killed_before_file(4, run.path), pytest.raises(Killed):
        experiment.run(settings, run, resumed=False)
    run.data_hash.unlink()
    left = [run.path / ".metrics.csv.7.part", run.last.with_name(".last.ckpt.7.part")]
    for unfinished in left:
        unfinished.write_bytes(b"half")
    experiment.run(run.settings(), run, resumed=True)
    assert run.data_hash.read_text().strip() == run.read_result()["data/hash"]
    assert not any(unfinished.exists() for unfinished in left)


@pytest.mark.parametrize("settings", ["parts"], indirect=True)
@pytest.mark.parametrize("step", ["training_step", "test_step"])
def test_a_run_interrupted_by_hand_prints_how_to_resume(
    settings: dict[str, Any],
    step: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    heard = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Recognizer, step, stop)
    with pytest.raises(SystemExit) as stopped:
        experiment.run(settings, RunFolder(tmp_path / "run"), resumed=False)
    signal.signal(signal.SIGINT, heard)  # Lightning has switched it off
    assert stopped.value.code == 130
    assert "continue with resume=run" in capsys.readouterr().out
