"""Resumed and repeated trainings: they give the same numbers."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import pytest

from tests.helpers.command import capbench
from tests.helpers.killed import kill_at_call
from tests.helpers.protocols import Cli, Train
from tests.helpers.runs import curve, epochs_done, metrics_of
from tests.helpers.settings import STOCHASTIC


@pytest.mark.slow
def test_resume_after_sigkill_gives_the_same_metrics(tmp_path: Path, train: Train) -> None:
    alone = train(*STOCHASTIC, at="alone")
    killed = tmp_path / "killed"
    kill_at_call(60, "capbench.train.recognizer:Recognizer.training_step", *STOCHASTIC, f"hydra.run.dir={killed}")
    assert epochs_done(killed) == 1  # of 48 steps

    # Resumed on a full disk, it ends with an error of one line and keeps the earlier checkpoint.
    last = killed / "checkpoints" / "last.ckpt"
    before = hashlib.sha256(last.read_bytes()).digest()
    full = capbench(
        f"resume={killed}",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY)),
    )
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1
    assert "no room on the disk" in full.stderr
    assert hashlib.sha256(last.read_bytes()).digest() == before
    assert not list(killed.rglob("*.part"))

    resumed = capbench(f"resume={killed}")
    assert resumed.returncode == 0, resumed.stderr
    assert metrics_of(json.loads((killed / "result.json").read_text())) == metrics_of(alone.read_result())
    assert curve(killed) == curve(alone.path)
    assert (killed / "predictions.csv").read_text() == alone.predictions.read_text()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_metrics_with_any_workers(train: Train) -> None:
    few = (*STOCHASTIC, "optim.epochs=2", "data.split.train=256")
    first, again = (train(*few, at=name) for name in ("first", "again"))
    helped = train(*few, "trainer.workers=2", at="helped")
    other = train(*few, "seed=2", at="other")
    for folder in (again, helped):
        assert metrics_of(folder.read_result()) == metrics_of(first.read_result())
        assert folder.weights.read_bytes() == first.weights.read_bytes()
    assert other.read_result()["train/loss"] != first.read_result()["train/loss"]


def test_resuming_a_finished_run_shows_its_results_again(cli: Cli, train: Train) -> None:
    folder = train("debug=fast", "trainer.progress=false")
    before = folder.result.read_bytes()
    code, out, _ = cli(f"resume={folder.path}")
    assert code == 0
    assert "is finished already" in out
    assert folder.result.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume=nowhere"], "resume: nowhere is not a run; it has no config.yaml"),
        (["resume=.", "seed=2"], "resume=.: a resumed run keeps its own settings; drop seed=2"),
    ],
)
def test_resume_without_a_run_or_with_other_settings_is_refused(
    arguments: list[str], message: str, cli: Cli, tmp_path: Path
) -> None:
    code, _, err = cli(*arguments)
    assert (code, err) == (2, f"capbench: {message}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("model: {_target_: os.system}", "must be given|is not a class that CapBench builds"),
        ("- a list", "holds no settings"),
        ("a: [", "is not YAML"),
        ("!!python/object/apply:os.system [touch owned]", "is not YAML"),
    ],
)
def test_resume_with_malicious_settings_is_refused(settings: str, message: str, cli: Cli, tmp_path: Path) -> None:
    import re

    (tmp_path / "config.yaml").write_text(settings)
    code, _, err = cli("resume=.")
    assert code == 2
    assert re.search(message, err)
    assert not (tmp_path / "owned").exists()
