"""Fixtures that all tests share: an own place for each test, small labelled sets, runs, and the command line."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.helpers.captchas import save_captchas, save_readable_captchas
from tests.helpers.protocols import Cli, Train
from tests.helpers.settings import FAST, composed

if TYPE_CHECKING:
    from capbench.runs import RunFolder

os.environ["HYDRA_FULL_ERROR"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests themselves run in parallel

# The same examples each time, without a deadline, since the machine may be busy.
hypothesis.settings.register_profile(
    "tests", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the longest tests to the beginning; at the end they would keep one core busy and the others idle."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, offline, with a cache that only this test session uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path_factory.getbasetemp() / "wandb"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled folder of 160 four-digit captchas."""
    folder = tmp_path_factory.mktemp("labelled")
    save_captchas(folder, 160)
    return folder


@pytest.fixture(scope="session")
def labelled_zip(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Zip file of the folder `labelled`."""
    path = tmp_path_factory.mktemp("zipped") / "labelled.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(labelled.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(labelled))
    return path


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled folder of 40 captchas that OCR engines read well."""
    return save_readable_captchas(tmp_path_factory.mktemp("raw"), 40)


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Function that runs a training in this process and returns its folder."""
    from capbench.runs import RunFolder
    from capbench.train import experiment

    def run(*overrides: str, at: str = "run") -> RunFolder:
        folder = RunFolder(tmp_path / at)
        experiment.run(composed(*overrides), folder, resumed=False)
        return folder

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of a small network on four digits; tests must not change it."""
    from capbench.runs import RunFolder
    from capbench.train import experiment

    folder = RunFolder(tmp_path_factory.mktemp("trained") / "run")
    experiment.run(composed(*FAST, "logger=none", "cache=null"), folder, resumed=False)
    return folder.path


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Function that runs the command line in this process and returns exit code, standard output and standard error."""
    from capbench.__main__ import main

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["capbench", *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call
