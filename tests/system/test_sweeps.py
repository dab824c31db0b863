"""Hydra's multirun: each job leaves a complete run and one W&B run, and returns a value that a sweeper can use."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback

from capbench.sweep import results as sweeps
from capbench.sweep.launcher import Job
from capbench.sweep.slurm_job import Attempt
from capbench.utils.locks import held
from capbench.utils.overrides import for_shell, quoted
from hydra_plugins import capbench_slurm
from hydra_plugins.capbench_processes import Processes
from tests.helpers.command import capbench
from tests.helpers.protocols import Cli
from tests.helpers.runs import RUN_FOLDER
from tests.helpers.sweeps import assert_resumes, finished
from tests.helpers.waiting import wait_until


class Recording(Callback):
    """Hydra callback that keeps the return values of jobs, which a searching sweeper is given."""

    returned: ClassVar[list[Any]] = []

    def on_job_end(self, config: Any, job_return: Any, **_: Any) -> None:
        self.returned.append(job_return.return_value)


def test_a_sweep_of_four_jobs_leaves_four_complete_runs(cli: Cli, tmp_path: Path) -> None:
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
        assert {path.name for path in result.parent.iterdir()} == RUN_FOLDER | {"wandb"}
        (offline,) = (result.parent / "wandb").glob("offline-run-*/run-*.wandb")
        identities.add(offline.stem)
    assert len(identities) == 4
    assert len(Recording.returned) == 4
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in Recording.returned)


def test_a_failed_job_is_reported_and_the_others_run(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("-m", "optim.lr=-1,0.01", "debug=fast", "trainer.progress=false")
    assert code == 2
    (sweep,) = tmp_path.glob("runs/train/*")
    assert f"capbench: 1 job of {sweep.relative_to(tmp_path)} failed; continue with resume_sweep=" in err
    assert "optim.lr: -1 is not accepted" in err
    assert [path.parent.name for path in sweep.glob("*/result.json")] == ["1"]


@pytest.mark.slow
def test_a_resumed_sweep_keeps_finished_jobs(cli: Cli, tmp_path: Path) -> None:
    again = ["-m", "seed=1,2", "debug=fast", "trainer.progress=false", "hydra.sweep.dir=sweep"]
    assert cli(*again)[0] == 0
    (tmp_path / "sweep" / "1" / "result.json").unlink()
    kept = (tmp_path / "sweep" / "0" / "result.json").stat().st_mtime_ns
    code, _, err = cli("resume_sweep=sweep")
    assert code == 0, err
    assert (tmp_path / "sweep" / "1" / "result.json").exists()
    assert (tmp_path / "sweep" / "0" / "result.json").stat().st_mtime_ns == kept
    code, _, err = cli(*again, "optim.lr=0.001")
    assert code == 2
    assert "sweep/0: holds a run of other settings" in err


def test_resume_sweep_without_a_sweep_is_refused(cli: Cli, tmp_path: Path) -> None:
    for there in ("nowhere", "."):
        code, _, err = cli(f"resume_sweep={there}")
        assert code == 2
        assert f"resume_sweep: {there} is not a sweep's folder" in err


NAMES = ["größe", "sw(2)", "[4]", "it's", 'a "b"', "a,b", "x=1", "{a:1}", "back\\slash", "null", "two words"]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_override_is_parsed_back(name: str) -> None:
    parser = OverridesParser.create()
    for override in (quoted("hydra.run.dir", name), *shlex.split(for_shell("hydra.run.dir", name))):
        assert parser.parse_override(override).value() == name


@pytest.mark.parametrize("name", ["größe", "sw(2)", "it's"])
def test_a_name_that_needs_quotes_is_refused_with_the_quoted_form(name: str, cli: Cli) -> None:
    code, _, err = cli("seed=1", f"name={name}")
    assert (code, err.count("\n")) == (2, 1)
    assert f"name={name}: cannot be read" in err
    right = err.rpartition("if it is text, write ")[2]
    assert cli(*shlex.split(right), "--cfg", "job")[0] == 0


@pytest.mark.slow
def test_a_sweep_in_a_folder_of_any_name_is_run_and_resumed(tmp_path: Path) -> None:
    name = "it's größe (2) [4]"
    sweep = tmp_path / name
    done = capbench(
        "-m", "hydra/launcher=processes", quoted("hydra.sweep.dir", name), "seed=1,2", "debug=fast", "trainer.progress=false"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert finished(sweep).keys() == {"0", "1"}
    (sweep / "1" / "result.json").unlink()
    assert_resumes(sweep, with_jobs={"1"})


def test_a_running_sweep_is_not_resumed_by_another_process(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    plan = tmp_path / "sweep" / sweeps.PLAN
    plan.touch()
    with held(plan, "r+b", "is free"):
        code, _, err = cli("resume_sweep=sweep")
        assert (code, err) == (2, "capbench: sweep: another process is running this sweep; wait until it ends\n")
        for launcher in ("basic", "processes"):
            code, _, err = cli("-m", "seed=1,2", "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", "debug=fast")
            assert code == 2
            assert "sweep: another process is running this sweep; wait until it ends" in err
        assert not finished(tmp_path / "sweep")


def process_of(job: str) -> int | None:
    """Return the process in this folder whose command line holds the argument `job`, or None."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            here = (process / "cwd").readlink() == Path.cwd()
            if here and job.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                return int(process.name)
    return None


@pytest.mark.slow
def test_failed_and_killed_jobs_do_not_stop_others_and_are_resumed(labelled: Path, tmp_path: Path) -> None:
    """Run six jobs of which one finds no data and one is killed; the resumed sweep runs these two alone."""
    for name in "abdef":
        (tmp_path / name).symlink_to(labelled)
    arguments = ["-m", "hydra/launcher=processes", "hydra.sweep.dir=sweep", "data=csv", "alphabet=digits",
                 "data.root=a,b,c,d,e,f", "debug=fast", "trainer.progress=false"]  # fmt: skip
    command = [sys.executable, "-m", "capbench", *arguments]
    sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    job = quoted("hydra.run.dir", "sweep/4")
    wait_until(lambda: sweep.poll() is not None or process_of(job) is not None, "the process of job 4")
    fifth = process_of(job)
    assert fifth is not None, "the sweep ended before job 4 began"
    os.kill(fifth, signal.SIGKILL)
    _, err = sweep.communicate()
    assert sweep.returncode == 2
    assert "2 jobs of sweep failed; continue with resume_sweep=sweep" in err
    assert re.search(r"2: .*data\.root=c .*: data\.root: c .*\(sweep/2\.log\)", err)
    assert re.search(r"4: .*data\.root=e .*: killed by SIGKILL \(sweep/4\.log\)", err)
    assert finished(tmp_path / "sweep").keys() == {*"0135"}

    (tmp_path / "c").symlink_to(labelled)
    assert_resumes(tmp_path / "sweep", with_jobs={"2", "4"})


def test_ddp_within_a_sweep_in_one_process_is_refused(cli: Cli) -> None:
    code, _, err = cli("-m", "seed=1,2", "trainer=ddp_cpu", "debug=fast")
    assert code == 2
    assert "add hydra/launcher=processes" in err


@pytest.mark.slow
def test_ddp_within_a_sweep_in_own_processes_trains(tmp_path: Path) -> None:
    done = capbench(
        "-m",
        "hydra/launcher=processes",
        "hydra.sweep.dir=sweep",
        "trainer=ddp_cpu",
        "seed=1,2",
        "debug=fast",
        "trainer.progress=false",
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.parent.name for path in tmp_path.glob("sweep/*/result.json")) == ["0", "1"]


def test_each_process_of_a_sweep_gets_its_own_gpus() -> None:
    launcher = Processes(at_once=2, gpus=2)
    assert [launcher._devices(slot)["CUDA_VISIBLE_DEVICES"] for slot in (0, 1)] == ["0,1", "2,3"]
    assert Processes(at_once=1, gpus=0)._devices(0) == {}


@pytest.mark.slow
def test_a_learning_curve_ends_with_a_forecast(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli(
        "+experiment=learning_curve", "data.train_size=16,32,48", "seed=1", "debug=fast", "trainer.progress=false"
    )
    assert code == 0, err
    assert re.search(r"^labelled images for 0\.5: ", out, flags=re.MULTILINE)
    (sweep,) = tmp_path.glob("runs/learning_curve/*")
    assert {path.name for path in sweep.iterdir()} == {"0", "1", "2", "multirun.yaml", "report"}
    assert {path.name for path in (sweep / "report").iterdir()} == {"index.html", "report.md", "runs.csv"}
    assert "labelled images for 0.5: " in (sweep / "report" / "report.md").read_text().replace("\\", "")


@pytest.mark.parametrize(("option", "gpus"), [("processes", 0), ("gpus", 1)])
def test_launchers_are_composed_and_misspelt_keys_are_refused(option: str, gpus: int, cli: Cli) -> None:
    code, out, err = cli(f"hydra/launcher={option}", "--cfg", "hydra", "-p", "hydra.launcher")
    assert code == 0, err
    assert f"gpus: {gpus}" in out and "at_once: " in out
    code, _, err = cli("-m", f"hydra/launcher={option}", "hydra.launcher.at_ones=2", "seed=1,2")
    assert code == 2
    assert "hydra.launcher.at_ones: is not a setting (value '2')" in err


def a_slurm_whose_sbatch(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, script in {"sbatch": does, "srun": "exit 1"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("overrides", "asked"),
    [
        (["hydra/launcher=submitit_slurm"], {"nodes=1", "ntasks-per-node=1", "requeue", "time=60"}),
        (["hydra/launcher=submitit_slurm", "trainer=ddp_cpu"], {"nodes=1", "ntasks-per-node=2"}),
        (["hydra/launcher=slurm_gpu", "trainer=gpu"], {"nodes=1", "ntasks-per-node=1", "gpus-per-node=1"}),
        (
            ["hydra/launcher=slurm_gpus", "trainer=ddp", "trainer.devices=4", "hydra.launcher.partition=there"],
            {"nodes=1", "ntasks-per-node=4", "gpus-per-node=4", "cpus-per-task=8", "partition=there"},
        ),
        (
            ["hydra/launcher=slurm_nodes", "trainer=ddp", "trainer.devices=8", "trainer.nodes=3"],
            {"nodes=3", "ntasks-per-node=8", "gpus-per-node=8", "exclusive", "requeue"},
        ),
    ],
)
def test_slurm_is_asked_for_the_resources_of_the_trainer(
    overrides: list[str], asked: set[str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # sbatch keeps the script that it is given.
    refuses = 'cp "$1" script; echo "sbatch: error: Invalid partition name specified" >&2; exit 1'
    a_slurm_whose_sbatch(refuses, tmp_path, monkeypatch)
    code, _, err = cli("-m", *overrides)
    assert code == 2
    refused = "hydra.launcher: SLURM rejects the jobs: sbatch: error: Invalid partition name specified"
    assert f"capbench: {refused}" in err
    lines = (tmp_path / "script").read_text().splitlines()
    given = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert asked <= given
    (srun,) = [line for line in lines if line.startswith("srun")]
    assert "--kill-on-bad-exit=1" in srun
    assert ("--cpus-per-task=8" in srun) == ("cpus-per-task=8" in given)


def test_more_jobs_than_a_slurm_array_holds_become_several_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capbench_slurm, "LARGEST_ARRAY", 2)
    a_slurm_whose_sbatch('echo >>calls; echo "Submitted batch job $(wc -l <calls)"', tmp_path, monkeypatch)
    jobs = [Job(number, f"seed={number}", tmp_path, tmp_path / str(number), [f"seed={number}"]) for number in range(5)]
    launcher = capbench_slurm.Slurm(submitit_folder=str(tmp_path / ".submitit/%j"), max_num_timeout=1, timeout_min=1)
    queued = {"1_0": jobs[0], "1_1": jobs[1], "2_0": jobs[2], "2_1": jobs[3], "3": jobs[4]}
    assert launcher._submitted(jobs) == queued
    assert [(tmp_path / f"{number}.job").read_text() for number in range(5)] == list(queued)


def test_a_missing_slurm_or_submitit_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = ("-m", "hydra/launcher=submitit_slurm", "seed=1,2")
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli(*sweep)[2].endswith("there is no SLURM here (no sbatch); choose hydra/launcher=processes\n")
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert cli(*sweep)[2].endswith("submitit is not installed; python -m pip install 'capbench[slurm]'\n")
    assert "hydra.launcher.tasks: is not a setting" in cli(*sweep, "hydra.launcher.tasks=2")[2]


@pytest.mark.parametrize("again", [False, True])
def test_a_requeued_job_resumes_its_run(again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["submitit"])
    if again:
        monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    attempt = Attempt(["seed=2"], tmp_path / "0")
    attempt()
    assert sys.argv[1:] == ["seed=2"]
    attempt.folder.mkdir()
    (attempt.folder / "config.yaml").touch()
    attempt()
    assert sys.argv[1:] == ([f"resume={attempt.folder}"] if again else ["seed=2"])


def test_slurm_tasks_that_differ_from_devices_are_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "3")
    code, _, err = cli("trainer=ddp_cpu", "debug=fast")
    assert (code, err) == (
        2,
        "capbench: trainer.devices: 2×1 processes are wanted, but SLURM started 3 tasks; start one for each process\n",
    )


@pytest.mark.slow
def test_an_experiment_with_a_sweep_runs_it_once(tmp_path: Path) -> None:
    arguments = (
        "+experiment=learning_curve",
        "data.train_size=16,32",
        "seed=1",
        "debug=fast",
        "trainer.progress=false",
    )
    done = capbench(*arguments, "hydra/launcher=processes", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("result.json")) == [
        "sweep/0/result.json",
        "sweep/1/result.json",
    ]
    again = capbench("resume_sweep=sweep")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 2
