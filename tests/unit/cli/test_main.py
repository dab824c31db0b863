"""The command line: it answers without heavy imports, and a mistake is one line and leaves no files."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from capbench import __main__ as main_module
from capbench.cli import verbs
from tests.helpers.command import capbench
from tests.helpers.generated_runs import study
from tests.helpers.protocols import Cli


def modules_after(code: str) -> set[str]:
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(printed.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy() -> None:
    after = modules_after("sys.argv = ['capbench', '--help']\nfrom capbench.__main__ import main\nmain()")
    assert not after & {"torch", "numpy", "hydra", "omegaconf", "PIL", "pytorch_lightning"}


def test_help_of_a_verb_imports_nothing_heavy() -> None:
    after = modules_after("sys.argv = ['capbench', 'train', '--help']\nfrom capbench.__main__ import main\nmain()")
    assert not after & {"torch", "numpy", "hydra", "PIL", "pytorch_lightning"}


def test_composing_settings_does_not_import_torch() -> None:
    after = modules_after("sys.argv = ['capbench', '--cfg', 'job']\nfrom capbench.__main__ import main\nmain()")
    assert "hydra" in after
    assert not after & {"torch", "numpy", "pytorch_lightning"}


def test_help_names_every_verb(cli: Cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    assert all(verb in out for verb in main_module.VERBS)


def test_the_module_runs_as_a_program() -> None:
    done = capbench("trian")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "capbench: trian: is not a verb; did you mean train?\n",
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["render", "count=2"]])
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_closed_output_pipe_ends_the_command_silently(arguments: list[str], buffering: str, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "capbench", *arguments],
        stdout=writes,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        # A slow drawing would show a progress bar.
        env=os.environ | {"PYTHONUNBUFFERED": buffering, "TQDM_DISABLE": "1"},
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_letters_outside_the_encoding_of_the_terminal_are_escaped(tmp_path: Path) -> None:
    done = capbench("compare", "runs='größe→'", env={**os.environ, "PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("capbench: runs: größe\\u2192 is not a folder")
    done = capbench("--cfg", "job", "name='→'", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    assert "name: \\u2192" in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_does_not_stop_the_command(closed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m capbench render count=2 out=out {closed}', sys.executable],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "out" / "labels.csv").read_text().splitlines()) == 3


def test_a_full_disk_is_an_error_of_one_line(tmp_path: Path) -> None:
    study(tmp_path / "runs", images=40, seeds=2)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))

    done = capbench("compare", "runs=runs", "out=report", preexec_fn=limit)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("capbench: ")
    assert "no room on the disk" in done.stderr


def test_a_broken_pipe_of_a_worker_process_is_raised(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_verb: str, _arguments: list[str]) -> None:
        raise BrokenPipeError("a helper process ended")

    monkeypatch.setattr(verbs, "main", broken)
    with pytest.raises(BrokenPipeError, match="a helper process ended"):
        cli("render")


MISTAKES = [
    (["optim.lrr=1"], "optim.lrr: is not a setting (value '1'); did you mean optim.lr"),
    (["+optim.lrr=1"], "optim.lrr: is not a setting (value 1); did you mean optim.lr"),
    (["modle=cnn"], "modle: is not a setting (value 'cnn'); did you mean model"),
    (["model=cnnn"], "model=cnnn: is not an option; did you mean cnn"),
    (["+experiment=resnet62"], "experiment=resnet62: is not an option; did you mean resnet_62 or resnet_62_gpu?"),
    (["debug=quick"], "debug=quick: is not an option; choose from fast, overfit"),
    (["+seed=1"], "seed: is a setting already; drop the + before it"),
    (["+model=knn"], "model: is a setting already; drop the + before it"),
    (["optim.lr.x=1"], "optim.lr.x: is not a setting (value '1'); did you mean optim.lr"),
    (["model={k:1}"], "model.k: is not a setting; did you mean"),
    (["expermient=cnn_4"], "expermient: is not a setting (value 'cnn_4'); did you mean experiment?"),
    (["hydra.job.nam=x"], "hydra.job.nam: is not a setting (value 'x'); did you mean hydra.job.name"),
    (["data/split=folds"], "data/split: is not a setting (value 'folds'); did you mean data.split"),
    (["~modle"], "modle: is not a setting (value ''); did you mean model?"),
    (
        ["name=a,b"],
        """name=a,b: has several values; add -m to run each, or write "name='a,b'" if it is one text""",
    ),
    (["style.noise.9.count=3"], "style.noise[9]: list index out of range"),
    (["seed=range(a,b)"], "seed=range(a,b): cannot be read (mismatch type argument start"),
    (["optim.lr=-1"], "optim.lr: -1 is not accepted; input should be greater than 0"),
    (["optim.epochs=2.5"], "optim.epochs: 2.5 is not accepted; input should be a valid integer"),
    (["optim.epochs=true"], "optim.epochs: True is not accepted"),
    (["optim.kind=adamm"], "optim.kind: 'adamm' is not accepted; input should be 'adamw', 'adam'"),
    (["model.widths=3"], "model.widths: 3 is not accepted; input should be a valid list"),
    (["model.widths=[3,x]"], "model.widths: [3, 'x'] is not accepted"),
    (["view.size=[60]"], "view.size: [60] is not accepted"),
    (["seed=null"], "seed: None is not accepted"),
    (["~optim.lr"], "optim.lr: must be given; Optim needs it"),
    (["data=csv"], "data.root: must be given; add data.root=… to the command"),
    (["model._target_=os.system"], "model._target_: os.system is not a class that CapBench builds"),
    (["model._target_=capbench.data.store.os.system"], "is not a class that CapBench builds"),
    (["model._target_=capbench.train.optim.Optim"], "model._target_: capbench.train.optim.Optim is not a Model"),
    (["data.root=x"], "data.root: is not a setting"),
    (["optim.lr=[1"], "cannot be read"),
    (["trainer.devices=2"], "trainer.strategy: single runs on one device, not 2×1; set ddp"),
    (["model=knn", "trainer=ddp_cpu", "view=characters"], "trainer: a gradient-free model runs in one process"),
    (["trainer=ddp_cpu", "optim.batch_size=33"], "optim.batch_size: 33 images cannot be shared evenly by 2 processes"),
    (["trainer=ddp_cpu", "optim.epoch_images=1"], "optim.epoch_images: 1 images cannot be shared by 2 processes"),
    (["trainer=ddp_cpu", "data.split.val=1"], "data.split.val: 1 images are fewer than 2 processes"),
    (["model=crnn", "view=characters"], "model: a model that reads over time needs whole images"),
    (["model=crnn", "view.size=[32,20]"], "view.size: gives 5 steps of time and texts of 4 may need 7"),
    (["data.train_size=99"], "data.train_size: 99 is more than data.split.train=40"),
    (["data.split.val=0.5"], "data.split.val: 0.5 is not a count"),
    (["alphabet=auto"], "alphabet.symbols: auto reads the alphabet from labels, and there are none"),
    (["cache=/proc/nowhere"], "cache: /proc/nowhere cannot be written"),
    (["--config-dir", "nowhere/at/all"], "not found"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_in_train_is_one_line_and_leaves_no_files(
    arguments: list[str], message: str, cli: Cli, tmp_path: Path
) -> None:
    small = [] if arguments[0].startswith(("data=", "--", "debug")) else ["data.split={train:40,val:9,test:9}"]
    if arguments[0] == "data.split.val=0.5":
        small = []
    code, out, err = cli(*small, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("capbench: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_capbench_trace_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    done = capbench("modle=cnn", env={**os.environ, "CAPBENCH_TRACE": "1"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
