"""Jobs on a real SLURM: a sweep, a training in several tasks, a job that is queued again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cluster import cluster, missing
from tests.helpers.command import capbench
from tests.helpers.protocols import Train
from tests.helpers.repository import python_path
from tests.helpers.runs import curve, epochs_done, metrics_of
from tests.helpers.settings import FAST, STOCHASTIC
from tests.helpers.sweeps import assert_resumes, finished
from tests.helpers.tables import read_csv
from tests.helpers.waiting import DEADLINE, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    with cluster() as environment:
        yield environment


@pytest.fixture
def inside(slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the cluster's addresses into the environment of the test."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name in ("SLURM_CONF", "MASTER_ADDR"):
        monkeypatch.setenv(name, slurm[name])


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE).stdout


@pytest.mark.usefixtures("inside")
def test_a_slurm_sweep_reports_a_failed_job_and_resumes_it(labelled: Path, tmp_path: Path) -> None:
    for name in "abd":
        (tmp_path / name).symlink_to(labelled)
    failed = capbench(
        "-m",
        "hydra/launcher=submitit_slurm",
        "hydra.sweep.dir=sweep",
        "data=csv",
        "alphabet=digits",
        "data.root=a,b,c,d",
        *FAST,
    )
    assert failed.returncode == 2, failed.stderr
    assert "1 job of sweep failed; continue with resume_sweep=sweep" in failed.stderr
    (told,) = [line for line in failed.stderr.splitlines() if line.startswith("  2: ")]
    assert "data.root=c" in told and "data.root: c " in told
    log = Path(told.rpartition("(")[2].rstrip(")"))
    assert "capbench: data.root: c " in log.read_text()
    assert finished(tmp_path / "sweep").keys() == {*"013"}

    (tmp_path / "c").symlink_to(labelled)
    assert "4 runs" in assert_resumes(tmp_path / "sweep", with_jobs={"2"})


SHARED = ("trainer=ddp_cpu", "data.split={train:96,val:33,test:41}", "optim.epochs=2", "optim.batch_size=32")


def assert_one_whole_record(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    assert result["test/images"] == 41
    assert result["train/images"] == 2 * 96
    assert [row["filename"] for row in read_csv(folder / "predictions.csv")] == [f"test_{i}" for i in range(41)]
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
    return result


@pytest.mark.usefixtures("inside")
def test_two_slurm_tasks_train_one_run(tmp_path: Path) -> None:
    """Train in two tasks on one node by the launcher, and in one task on each of two nodes by srun."""
    arguments = (*SHARED, "trainer.progress=false")
    swept = capbench("-m", "hydra/launcher=submitit_slurm", "hydra.sweep.dir=sweep", "seed=1", *arguments)
    assert swept.returncode == 0, swept.stderr
    ours = [sys.executable, "-m", "capbench", *arguments, "trainer.devices=1", "trainer.nodes=2"]
    by_hand = said("srun", "--nodes=2", "--ntasks-per-node=1", *ours)
    assert by_hand.count("run folder:") == 1
    (folder,) = tmp_path.glob("runs/train/*")
    one_node, two_nodes = assert_one_whole_record(tmp_path / "sweep" / "0"), assert_one_whole_record(folder)
    assert metrics_of(one_node) == metrics_of(two_nodes)


@pytest.mark.usefixtures("inside")
def test_a_failed_slurm_task_ends_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """End one of two tasks: the other must not wait for it for half an hour, and its error is the one reported."""
    fault = [
        "import os",
        "if os.environ.get('SLURM_PROCID') == '1':",
        " os.write(1, b'lost its memory')",
        " os._exit(3)",
    ]
    (tmp_path / "sitecustomize.py").write_text("\n".join(fault))
    monkeypatch.setenv("PYTHONPATH", python_path(tmp_path))
    failed = capbench(
        "-m", "hydra/launcher=submitit_slurm", "hydra.sweep.dir=sweep", "seed=1", "trainer=ddp_cpu", *FAST
    )
    assert failed.returncode == 2
    name = (tmp_path / "sweep" / "0.job").read_text()
    assert f": lost its memory (sweep/.submitit/{name}/{name}_1_log.out)" in failed.stderr


@pytest.mark.usefixtures("inside")
def test_a_requeued_slurm_job_gives_the_same_metrics(tmp_path: Path, train: Train) -> None:
    """Requeue a job by hand, then by the signal that SLURM sends before a job's time is up.

    Between the two, the process that waits for the job is killed, and the resumed sweep finds the job in the queue.
    """
    folder = tmp_path / "sweep" / "0"
    long = (*STOCHASTIC, "optim.epochs=8", "seed=1")  # enough to be still running at the second interruption

    def begin(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "capbench", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def interrupt(sweep: subprocess.Popen[str], after: int, *how: str) -> int:
        """Interrupt the job after more epochs than these, and return how many were done."""

        def trained_on() -> bool:
            assert sweep.poll() is None, sweep.communicate()[0]
            return epochs_done(folder) > after

        def queued() -> bool:
            return said("squeue", "--noheader", "--format=%T", f"--jobs={name}").strip() == "PENDING"

        wait_until(trained_on, f"epoch {after + 1} of the job")
        name = (tmp_path / "sweep" / "0.job").read_text()
        said(*how, name)
        wait_until(queued, f"job {name} in the queue")
        assert not (folder / "result.json").exists(), "it was over before it was interrupted"
        return epochs_done(folder)

    sweep = begin("-m", "hydra/launcher=submitit_slurm", "hydra.sweep.dir=sweep", *long)
    done = interrupt(sweep, 0, "scontrol", "requeue")
    begun = (folder / "config.yaml").stat().st_mtime_ns
    sweep.kill()
    sweep.wait()
    sweep = begin("resume_sweep=sweep")
    interrupt(sweep, done, "scancel", "--signal=USR2")
    out, _ = sweep.communicate(timeout=DEADLINE)
    assert sweep.returncode == 0, out
    (log,) = tmp_path.glob("sweep/.submitit/*/*_0_log.out")
    assert log.read_text().count("Starting with JobEnvironment") == 3
    assert (folder / "config.yaml").stat().st_mtime_ns == begun
    alone = train(*long, at="alone")
    assert metrics_of(json.loads((folder / "result.json").read_text())) == metrics_of(alone.read_result())
    assert curve(folder) == curve(alone.path)
    assert (folder / "predictions.csv").read_text() == alone.predictions.read_text()
