"""Hydra's multirun: whole run folders, one W&B run for each job, a value for each that a sweeper can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

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


class Recording(BasicSweeper):
    """Keeps what the jobs return, as a sweeper that searches would."""

    __module__ = "hydra_plugins.recording"  # the only place where Hydra takes a sweeper from
    returned: ClassVar[list[Any]] = []

    def sweep(self, arguments: list[str]) -> Any:
        batches = super().sweep(arguments)
        self.returned[:] = [job.return_value for batch in batches for job in batch]
        return batches


@pytest.fixture
def recording() -> list[Any]:
    if Recording not in Plugins.instance().discover():
        Plugins.instance().register(Recording)
    node = {"_target_": "hydra_plugins.recording.Recording", "max_batch_size": None, "params": None}
    ConfigStore.instance().store(group="hydra/sweeper", name="recording", node=node, provider="tests")
    return Recording.returned


def test_four_jobs_leave_four_whole_runs(cli: Callable[..., Any], tmp_path: Path, recording: list[Any]) -> None:
    code, _, err = cli(
        "-m",
        "model=cnn,resnet",
        "seed=1,2",
        "+experiment=quickstart",
        "debug=fast",
        "logger=wandb",
        "trainer.progress=false",
        "hydra/sweeper=recording",
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
    assert len(recording) == 4
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in recording)


def test_a_failing_job_is_told_and_the_others_run(cli: Callable[..., Any], tmp_path: Path) -> None:
    code, _, err = cli("-m", "optim.lr=-1,0.01", "debug=fast", "trainer.progress=false")
    assert code == 2
    assert "capbench: optim.lr: -1 is not accepted" in err
    assert len(list(tmp_path.glob("runs/train/*/*/result.json"))) == 1


def test_several_processes_within_a_sweep_are_refused(cli: Callable[..., Any]) -> None:
    code, _, err = cli("-m", "seed=1,2", "trainer=ddp_cpu", "debug=fast")
    assert code == 2
    assert "several processes cannot be started from within a sweep" in err
