"""Shared fixtures and helpers: small labelled sets, composed settings, runs, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
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


def save_captchas(
    folder: Path, count: int, symbols: str = "0123456789", length: int = 4, seed: int = 5, look: tuple[str, ...] = ()
) -> list[str]:
    """Write a labelled folder of rendered captchas, images/ and labels.csv, and return their texts."""
    from PIL import Image

    from capbench.render.painter import Painter

    renderer = Painter(style(*look), symbols, length, length, seed)
    (folder / "images").mkdir(parents=True)
    texts = []
    lines = ["filename,label,confidence"]
    for i in range(count):
        pixels, text = renderer.sample(i)
        Image.fromarray(pixels).save(folder / "images" / f"{i}_{text}.png")
        texts.append(text)
        lines.append(f"images/{i}_{text}.png,{text},{(i % 10) / 10}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return texts


def readable(folder: Path, count: int) -> Path:
    """Write a labelled folder of four-digit captchas in the style that OCR engines read best, and return it."""
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    save_captchas(folder, count, look=("style=strokes",))
    return folder


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


def composed(*overrides: str) -> dict[str, Any]:
    """Return the plain settings of a training, composed as on the command line."""
    import hydra

    from capbench.cli.compose import with_presets_last
    from capbench.settings import conf_dir, plain

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plain(hydra.compose("train", with_presets_last(list(overrides))))


def style(*overrides: str) -> Any:
    """Return a style, composed and checked as on the command line."""
    from capbench.render.style import Style
    from capbench.settings import build, check

    settings = composed(*overrides)["style"]
    check(settings, Style, "style")
    return build(settings)


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Any]:
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
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Any]]:
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

    yield call


def capbench(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own.

    LOCAL_RANK is removed from the environment: left over from an earlier test, it would make the process a second rank.
    """
    options.setdefault("env", {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"})
    return subprocess.run(
        [sys.executable, "-m", "capbench", *arguments], capture_output=True, text=True, timeout=400, **options
    )


def finished(sweep: Path) -> dict[str, int]:
    """Return the sweep's jobs that have a result, each with the time of the result in nanoseconds."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


def assert_goes_on(sweep: Path, with_jobs: set[str]) -> str:
    """Resume a sweep, check that exactly these jobs are run, and return the output."""
    before = finished(sweep)
    done = capbench(f"resume_sweep={sweep.name}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished before") == len(before)
    after = finished(sweep)
    assert after.keys() - before.keys() == with_jobs
    assert before.items() <= after.items()
    return done.stdout


def wait_for_the_end_of(group: int) -> None:
    """Wait until a process group whose leader was killed has ended."""
    for _ in range(400):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("processes outlived the one that started them")


RUN_FOLDER = {
    "config.yaml",
    "result.json",
    "metrics.csv",
    "predictions.csv",
    "model.safetensors",
    "seen.safetensors",
    "checkpoints",
    "pictures",
}
FAST = ("debug=fast", "trainer.progress=false")
