"""Hydra's multirun: whole run folders, one W&B run for each job, a value for each that a sweeper can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback

FOLDER = {
    "config.yaml",
    "result.json",
    "metrics.csv",
    "predictions.csv",
    "model.safetensors",
    "checkpoints",
    "pictures",
    "wandb",
}


class Recording(Callback):
    """Keeps what the jobs return to Hydra, which is what a sweeper that searches is given."""

    returned: ClassVar[list[Any]] = []

    def on_job_end(self, config: Any, job_return: Any, **_: Any) -> None:
        self.returned.append(job_return.return_value)


def test_four_jobs_leave_four_whole_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    Recording.returned.clear()
    code, _, err = cli(
        "-m",
        "model=cnn,resnet",
        "seed=1,2",
        "+experiment=quickstart",
        "debug=fast",
        "logger=wandb",
        "trainer.progress=false",
        f"+hydra.callbacks.recording._target_={__name__}.Recording",
    )
    assert code == 0, err
    results = sorted(tmp_path.glob("runs/quickstart/*/*/result.json"))
    assert len(results) == 4
    identities = set()
    for result in results:
        assert {path.name for path in result.parent.iterdir()} == FOLDER
        (offline,) = (result.parent / "wandb").glob("offline-run-*/run-*.wandb")
        identities.add(offline.stem)
    assert len(identities) == 4
    assert len(Recording.returned) == 4
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in Recording.returned)


def test_a_failing_job_is_told_and_the_others_run(cli: Callable[..., Any], tmp_path: Path) -> None:
    code, _, err = cli("-m", "optim.lr=-1,0.01", "debug=fast", "trainer.progress=false")
    assert code == 2
    assert "capbench: optim.lr: -1 is not accepted" in err
    assert len(list(tmp_path.glob("runs/train/*/*/result.json"))) == 1


def test_several_processes_within_a_sweep_are_refused(cli: Callable[..., Any]) -> None:
    code, _, err = cli("-m", "seed=1,2", "trainer=ddp_cpu", "debug=fast")
    assert code == 2
    assert "several processes cannot be started from within a sweep" in err
