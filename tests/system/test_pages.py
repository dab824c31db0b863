"""Every command and Python block in README.md and below docs/ is run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch

from capbench.__main__ import VERBS
from tests.helpers import pages
from tests.helpers.protocols import Cli, Train
from tests.helpers.repository import ROOT
from tests.helpers.waiting import DEADLINE

OF_COMMANDS = re.compile(rf"(python -m capbench|{'|'.join(VERBS)}|[+~\"']*[\w./@]+=\S)")
FIRST = {command: page for page in reversed(pages.PAGES) for command in reversed(pages.commands(page))}
OURS = [(page, command) for command, page in FIRST.items() if command.startswith("python -m capbench")]
FUZZING = [(page, command) for command, page in FIRST.items() if command.startswith("python -m tests.fuzz")]
NOT_RUN = (  # first words of commands that change this machine, need a person or an account, or are tested elsewhere
    *("make", ". .venv/bin/activate", "mkdir"),
    *("wandb leet", "wandb login", "wandb sync"),
)
ELSEWHERE = {
    "hydra/launcher=slurm_gpu": "needs a cluster: test_slurm.py starts one",
    "trainer=ddp_cpu": "starts several processes: test_ddp.py runs it",
    "+experiment=universal": "needs fonts that make fonts installs: test_configs.py trains it with bundled ones",
    "+experiment=self_train": "needs images that engines read: test_self_training.py runs it",
}
SMALLER = {
    "render": ["count=40"],
    "evaluate": [],
    "predict": [],
    "export": ["images=20"],
    "compare": [],
    "label": [],
    "bench": ["rounds=1"],
}


def named(cases: list[tuple[Path, str]]) -> Any:
    """Return the parametrisation of a test by page and command."""
    ids = [f"{pages.name_of(page)}: {command}" for page, command in cases]
    return pytest.mark.parametrize("command", [command for _, command in cases], ids=ids)


def typed(page: Path) -> list[str]:
    """Return commands and settings on a page that a reader may paste into a shell: in blocks, and as code in a line."""
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", pages.prose(page))]
    return [code for code in (*pages.lines_of_shell(page), *spans) if OF_COMMANDS.match(code)]


def test_the_pages_show_only_commands_that_tests_know() -> None:
    assert len(OURS) >= 30
    known = {command for _, command in (*OURS, *FUZZING)}
    for command, page in FIRST.items():
        assert command in known or command.startswith(NOT_RUN), f"{page}: {command}"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("page", pages.ALL, ids=pages.name_of)
def test_commands_on_a_page_mean_the_same_to_bash_and_zsh(shell: str, page: Path, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here: make system installs it")
    lines = typed(page)
    shows = "shows() { printf '%s\\n' \"$@\" =; }\n"  # an argument is a line, = ends a command
    script = shows + "\n".join(f"shows {line}" for line in lines)
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for line, seen in zip(lines, done.stdout.split("\n=\n"), strict=False):
        assert seen.split("\n") == shlex.split(line, comments=True)


@pytest.mark.slow
@named(OURS)
def test_every_command_of_a_page_runs(command: str, cli: Cli, labelled: Path, train: Train) -> None:
    arguments = shlex.split(command)[3:]
    for argument, reason in ELSEWHERE.items():
        if argument in arguments:
            pytest.skip(reason)
    if {"trainer=gpu", "+experiment=resnet_62_gpu"} & {*arguments} and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    arguments = [argument.replace("DIR", str(labelled)) for argument in arguments]
    if any("RUN" in argument for argument in arguments):
        run = train("debug=fast", "trainer.progress=false").path
        arguments = [re.sub(r"RUN\d?", str(run), a.replace("RUNS", str(run.parent))) for a in arguments]
    if arguments[0] == "serve":  # runs until it is stopped
        serves(arguments)
        return
    if arguments[0] in SMALLER:
        arguments = [*arguments, *SMALLER[arguments[0]]]
        arguments += ["data.split.test=16"] if "data.renderer=captcha" in arguments else []
    elif (
        not {"--help", "--help-all"} & {*arguments}
        and "--cfg" not in arguments
        and not arguments[0].startswith("resume=")
    ):
        # A preset of debug= sets sizes of parts, which folds do not have.
        arguments += [] if any(a.startswith(("debug=", "data/split=")) for a in arguments) else ["debug=fast"]
        arguments += ["trainer.limit_batches=1", "optim.epochs=1", "trainer.progress=false"]
        arguments += ["view.size=[30,80]"] if "+experiment=resnet_62_gpu" in arguments else []
        arguments += ["hydra.sweeper.trials=2"] if "+experiment=search_cnn_4" in arguments else []
    code, _, err = cli(*arguments)
    assert code == 0, err


def serves(arguments: list[str]) -> None:
    """Check that a server with these arguments, at a free port, serves its page."""
    pytest.importorskip("uvicorn", reason="needs the extra serve: make test installs it")
    from capbench.serve.process import Served

    run, *settings = (argument for argument in arguments[1:] if not argument.startswith("port="))
    with (
        Served(run.removeprefix("run="), *settings) as server,
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=DEADLINE) as page,
    ):
        assert b"Read captchas" in page.read()


@pytest.mark.slow
@named(FUZZING)
def test_every_command_of_the_fuzzing_runs(command: str) -> None:
    _, *arguments = shlex.split(re.sub(r"count=\d+", "count=3", command))
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def python_of(page: str, *changes: tuple[str, str]) -> str:
    """Return the only Python block of a page, with its names replaced by those of a test."""
    (block,) = pages.blocks(ROOT / page, "python")
    for old, new in changes:
        assert old in block
        block = block.replace(old, new)
    return block


@pytest.mark.parametrize("page", ["docs/how-to/read-images.md", "docs/how-to/read-with-what-you-know.md"])
def test_the_python_that_reads_with_a_run(
    page: str, trained: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next((labelled / "images").iterdir())
    exec(python_of(page, ("runs/quickstart/…", str(trained)), ("captcha.png", str(image))), {})
    text, confidence, *characters = capsys.readouterr().out.replace("(", "").replace(")", "").replace(",", "").split()
    assert len(text) == len(characters) == 4
    assert 0 < float(confidence) <= min(map(float, characters))


@pytest.mark.slow
def test_the_python_that_reads_with_a_graph(trained: Path, labelled: Path, cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export: make test installs it")
    graph = tmp_path / "model.onnx"
    code, _, err = cli("export", f"run={trained}", f"out={graph}", "images=20")
    assert code == 0, err
    image = next((labelled / "images").iterdir())
    printed: list[Any] = []
    exec(
        python_of("docs/how-to/export.md", ("model.onnx", str(graph)), ("captcha.png", str(image))),
        {"print": lambda *what: printed.append(what)},
    )
    ((text, confidence),) = printed
    assert len(text) == 4
    assert 0 < confidence <= 1
