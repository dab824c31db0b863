"""The example of a package outside CapBench: its commands are run where CapBench is an installed wheel."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.helpers import pages
from tests.helpers.repository import ROOT
from tests.helpers.tables import read_csv

EXAMPLE = ROOT / "examples" / "own_recogniser"
SMALL = {"render": ["count=200"], "--config-dir": ["optim.epochs=2", "trainer.progress=false"], "export": ["images=20"]}
"""Overrides by a command's first argument that make it small."""
TRUSTED = "trust=own_recogniser"
SERVED = """
import json, sys, urllib.request
from pathlib import Path
from capbench.serve.process import Served

image = next(Path("few/images").iterdir()).read_bytes()
for run in ("runs/own", "own.onnx"):
    with Served(run, sys.argv[1]) as server:
        asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/read", image, {"Content-Type": "image/png"})
        print(json.load(urllib.request.urlopen(asked))["images"][0]["readings"][0]["text"])
"""

pytestmark = [pytest.mark.slow]


class Place:
    """Environment with the wheel of CapBench, and a copy of the example as its working folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "own_recogniser"
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns("runs", "captchas", "build"))
        self.python = root / "venv" / "bin" / "python"
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # read by pip as no isolation: what builds is there
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "CAPBENCH_CACHE": str(root / "cache"),
        }
        self.call(sys.executable, "-m", "venv", "--without-pip", root / "venv")
        # What CapBench needs is taken from this environment; a path in a .pth file is not searched for .pth files, so
        # that an editable CapBench is not found there.
        (library,) = (root / "venv").glob("lib/python*/site-packages")
        (library / "needed.pth").write_text(sysconfig.get_path("purelib"))
        self.call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", root / "dist", ROOT)
        (wheel,) = (root / "dist").glob("capbench-*.whl")
        self.call(self.python, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed", wheel)

    def call(self, *command: str | Path) -> str:
        """Run a command that must succeed, and return what it prints."""
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, cwd=self.folder, env=self.environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def capbench(self, *arguments: str) -> str:
        """Run the command line of the installed wheel."""
        return self.call(self.python.with_name("capbench"), *arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place where the four commands of the README have been run."""
    place = Place(tmp_path_factory.mktemp("example"))
    commands = pages.commands(EXAMPLE / "README.md")
    assert [command.split()[0] for command in commands] == ["python", "capbench", "capbench", "capbench"]
    for command in commands:
        first, *arguments = shlex.split(command)
        place.call(place.python.with_name(first), *arguments, *SMALL.get(arguments[0], []))
    return place


def test_the_commands_of_the_readme_train_and_export_with_the_installed_wheel(place: Place) -> None:
    where = place.call(place.python, "-c", "import capbench, own_recogniser; print(capbench.__file__)")
    assert Path(where).is_relative_to(place.python.parents[1])
    run = place.folder / "runs" / "own"
    assert {"result.json", "model.safetensors"} <= {path.name for path in run.iterdir()}
    assert (place.folder / "own.onnx").stat().st_size
    assert "own_recogniser.network.Network" in (run / "config.yaml").read_text()


def test_the_example_is_swept_resumed_read_with_and_served_as_ours_are(place: Place) -> None:
    own = ("--config-dir", "conf", "+experiment=own", "optim.epochs=1", "trainer.progress=false", TRUSTED)
    place.capbench("-m", *own, "model.width=4,8", "hydra.sweep.dir=runs/sweep", "hydra/launcher=processes")
    assert len([*(place.folder / "runs" / "sweep").glob("*/result.json")]) == 2
    assert (place.folder / "runs" / "sweep" / "report" / "index.html").exists()
    (place.folder / "runs" / "own" / "result.json").unlink()
    place.capbench("resume=runs/own", TRUSTED)
    place.capbench("render", "count=3", "style=clean", "out=few")
    place.capbench("predict", "run=runs/own", "images=few/images", TRUSTED)
    assert [row["error"] for row in read_csv(place.folder / "answers.csv")] == ["", "", ""]
    served = place.call(place.python, "-c", SERVED, TRUSTED).split()
    assert len(served) == 2 and served[0] == served[1]


def test_a_typo_and_a_lack_of_trust_are_refused(place: Place) -> None:
    own = (place.python.with_name("capbench"), "--config-dir", "conf", "+experiment=own")
    for arguments, told in (
        (["+model.widht=4", TRUSTED], "model.widht: is not a setting (value 4); did you mean model.width "),
        ([], "trust its package: trust=own_recogniser"),
    ):
        done = subprocess.run(
            [*own, *arguments], capture_output=True, text=True, cwd=place.folder, env=place.environment
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert told in done.stderr


def test_the_types_of_the_installed_wheel_reach_the_example(place: Place) -> None:
    place.call(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", place.python, place.folder / "own_recogniser"
    )
