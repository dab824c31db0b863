"""The README: its commands run, and the files that it names exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
import torch

from capbench.__main__ import VERBS
from tests.helpers.protocols import Cli, Train
from tests.helpers.repository import ROOT
from tests.helpers.waiting import DEADLINE

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(?:sh|bash)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "experiments").rglob("*.md"))]
OF_COMMANDS = re.compile(rf"(python -m capbench|{'|'.join(VERBS)}|[+~\"']*[\w./@]+=\S)")
OURS = [shlex.split(command)[3:] for command in COMMANDS if command.startswith("python -m capbench")]


def typed(page: Path) -> list[str]:
    """Return commands and settings on a page that a reader may paste into a shell: in blocks, and as code in a line."""
    text = page.read_text()
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [code for code in (*lines, *spans) if OF_COMMANDS.match(code)]


SMALLER = {
    "render": ["count=40"],
    "evaluate": [],
    "predict": [],
    "export": ["images=20"],
    "compare": [],
    "label": [],
    "bench": ["rounds=1"],
}


def test_the_readme_begins_with_make_run_and_make_test() -> None:
    assert BLOCKS[0].split("\n")[:2] == ["make run", "make test"] or [
        line.split("#")[0].strip() for line in BLOCKS[0].splitlines()
    ] == ["make run", "make test"]


def test_the_readme_shows_only_commands_of_capbench_make_and_wandb() -> None:
    assert len(OURS) >= 8
    others = [command for command in COMMANDS if not command.startswith("python -m capbench")]
    assert all(command.split()[0] in ("make", "wandb") for command in others)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
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
@pytest.mark.parametrize("arguments", OURS, ids=[" ".join(arguments) for arguments in OURS])
def test_every_command_of_the_readme_runs(arguments: list[str], cli: Cli, labelled: Path, train: Train) -> None:
    if any(argument.startswith("hydra/launcher=slurm") for argument in arguments):
        pytest.skip("needs a cluster: test_slurm.py starts one")
    if "trainer=gpu" in arguments and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    if "trainer=ddp_cpu" in arguments:
        pytest.skip("starts several processes: test_ddp.py runs it")
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
    elif "--help" not in arguments and "--cfg" not in arguments and not arguments[0].startswith("resume="):
        # A preset of debug= sets sizes of parts, which folds do not have.
        arguments += [] if any(a.startswith(("debug=", "data/split=")) for a in arguments) else ["debug=fast"]
        arguments += ["trainer.limit_batches=1", "optim.epochs=1", "trainer.progress=false"]
        arguments += ["view.size=[30,80]"] if "+experiment=resnet_62" in arguments else []
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


def test_the_python_of_the_readme_runs(trained: Path, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    image = next((labelled / "images").iterdir())
    exec(block.replace("runs/quickstart/…", str(trained)).replace("captcha.png", str(image)), {})
    text, confidence, *characters = capsys.readouterr().out.replace("(", "").replace(")", "").replace(",", "").split()
    assert len(text) == len(characters) == 4
    assert 0 < float(confidence) <= min(map(float, characters))


def test_every_experiment_is_in_the_table_of_the_readme() -> None:
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        assert f"| `{path.stem}`" in README


def test_every_file_linked_in_the_readme_exists() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_path_in_the_tree_of_the_readme_exists() -> None:
    (tree,) = re.findall(r"^```\n(conf/.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    place: list[str] = []
    for line in tree.splitlines():
        if line.lstrip().startswith("·"):  # modules, which tests/unit/test_house.py looks at
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip())[0].split()
        for name in names:
            path = ROOT.joinpath(*place[:depth], name.rstrip("/"))
            assert path.exists(), path
        place[depth:] = [names[0].rstrip("/")]
