"""Reading of run folders: each damaged one is listed with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from capbench.compare import folders
from capbench.errors import Mistake
from tests.helpers.generated_runs import fake, study, texts_of
from tests.helpers.settings import composed


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return fake(tmp_path / "runs" / "whole", composed(), 0.9, texts_of(20)).path


def reasons(root: Path) -> dict[str, str]:
    return dict(folders.read(root)[1])


def test_a_run_is_read_with_the_settings_of_its_file(whole: Path) -> None:
    (run,), left_out = folders.read(whole.parent)
    assert (run.name, left_out) == ("whole", [])
    settings = yaml.safe_load((whole / "config.yaml").read_text())
    assert run.settings["optim.lr"] == settings["optim"]["lr"]
    assert run.settings["data.split.train"] == settings["data"]["split"]["train"]
    assert run.settings["style.noise.1.count"] == "[1, 1]"
    assert (run.settings["model"], run.settings["data"], run.settings["style"]) == ("CNN", "Synthetic", "Style")
    assert run.settings["alphabet.symbols"] == "0123456789"
    assert not any(key.startswith(("data.style", "data.alphabet")) for key in run.settings)


def test_the_folder_of_a_single_run_can_be_given(whole: Path) -> None:
    assert [run.name for run in folders.read(whole)[0]] == ["whole"]


DAMAGES = {
    "result.json": {
        b"{": "result.json is not valid JSON",
        b"[" * 100_000: "result.json is not valid JSON",
        b"[]": "result.json has no results",
        b"{}": "test/exact is None, which is not a number from 0 to 1",
        b'{"test/exact": NaN}': "test/exact is nan, which is not a number from 0 to 1",
        b'{"test/exact": 1' + b"0" * 40 + b"}": "which is not a number from 0 to 1",
        b'{"test/exact": 1' + b"0" * 400 + b"}": "result.json is not valid JSON (a number of 401 signs)",
        b'{"a": ' * 40
        + b"1"
        + b"}" * 40: "result.json is not valid JSON (lists and mappings are nested more than 32 deep",
        b'{"test/exact": 1, "test/images": "all"}': "test/images is 'all', which is not a positive whole number",
        b"\xff": "result.json is not UTF-8 text",
        b" " * (1 << 20) + b"{}": "result.json has over 1,048,576 bytes",
    },
    "config.yaml": {
        b"": "config.yaml has no settings",
        b"- a\n": "config.yaml has no settings",
        b"model: [": "config.yaml is not valid YAML",
        b"model: !!python/object/apply:os.system [exit]\n": "config.yaml is not valid YAML",
        b"a: &a [1]\nb: [*a, *a]\n": "config.yaml is not valid YAML (",
        b"a: [&a [1], *a]\n": "config.yaml is not valid YAML (it holds an alias, which CapBench never writes)",
        b"a: {b: &b [1], c: [*b, *b]}\n": "config.yaml is not valid YAML (it holds an alias",
        b"a: " + b"[" * 100_000: "config.yaml is not valid YAML (lists and mappings are nested more than 32 deep",
        b"a: " + b"{a: " * 100_000: "config.yaml is not valid YAML (lists and mappings are nested more than 32 deep",
        b"a:\n  " + b"- " * 100_000: "config.yaml is not valid YAML (lists and mappings are nested more than 32 deep",
        b"a: !!set {b}\n": "config.yaml is not valid YAML (could not determine a constructor",
        b"a: !!timestamp x\n": "config.yaml is not valid YAML (could not determine a constructor",
        b"a: !!bool x\n": "config.yaml is not valid YAML (",
        b"a: 1" + b":1" * 100_000: "config.yaml is not valid YAML (a number of 200,001 signs)",
        b"a: 0x" + b"f" * 100_000: "config.yaml is not valid YAML (a number of 100,002 signs)",
        b"\xff": "config.yaml is not UTF-8 text",
    },
}


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [(file, content, reason) for file, damages in DAMAGES.items() for content, reason in damages.items()],
    ids=lambda value: str(value)[:30],
)
def test_a_run_with_damaged_files_is_listed_with_its_reason(
    file: str, content: bytes, reason: str, whole: Path
) -> None:
    (whole / file).write_bytes(content)
    assert reason in reasons(whole.parent)["whole"]


FILES = ["config.yaml", "result.json", "predictions.csv", "metrics.csv"]


@pytest.mark.parametrize("file", FILES)
def test_a_run_with_a_link_out_of_its_folder_is_listed(file: str, whole: Path, tmp_path: Path) -> None:
    (whole / file).rename(tmp_path / "elsewhere")
    (whole / file).symlink_to("../../elsewhere")
    assert f"{file}: leads out of the run's folder" in reasons(whole.parent)["whole"]
    (whole / file).unlink()
    (whole / file).symlink_to("/dev/zero")
    assert f"{file}: leads out of the run's folder" in reasons(whole.parent)["whole"]


@pytest.mark.parametrize("file", FILES)
def test_a_run_with_a_pipe_or_folder_in_place_of_a_file_is_listed(file: str, whole: Path) -> None:
    (whole / file).unlink()
    os.mkfifo(whole / file)
    assert f"{file}: is not a regular file" in reasons(whole.parent)["whole"]
    (whole / file).rename(whole / "pipe")
    (whole / file).symlink_to("pipe")
    assert f"{file}: is not a regular file" in reasons(whole.parent)["whole"]
    (whole / file).unlink()
    (whole / file).mkdir()
    assert f"{file}: is not a regular file" in reasons(whole.parent)["whole"]


@pytest.mark.parametrize("file", FILES)
def test_a_run_with_a_huge_file_is_listed(file: str, whole: Path) -> None:
    with (whole / file).open("ab") as content:
        content.truncate(2**40)  # a sparse file, which takes no room on the disk
    assert "bytes, more than any that CapBench writes" in reasons(whole.parent)["whole"]


def test_links_within_the_folder_of_a_run_are_followed(whole: Path) -> None:
    for file in FILES:
        (whole / file).rename(whole / f"kept_{file}")
        (whole / file).symlink_to(f"kept_{file}")
    assert [run.name for run in folders.read(whole.parent)[0]] == ["whole"]


def test_an_unfinished_run_is_listed(whole: Path) -> None:
    (whole / "result.json").unlink()
    assert reasons(whole.parent)["whole"].startswith(
        "is unfinished, as it has no result.json; continue it with resume="
    )
    (whole / "config.yaml").rename(whole / "result.json")
    assert reasons(whole.parent)["whole"] == "has no config.yaml"


def test_an_evaluation_is_listed_as_no_run(whole: Path) -> None:
    elsewhere = whole.parent / "on_other_data"
    elsewhere.mkdir()
    (elsewhere / "config.yaml").write_text("run: runs/whole\npart: test\n")
    (elsewhere / "result.json").write_text('{"run": "runs/whole", "test/exact": 1.0, "test/images": 3}')
    assert reasons(whole.parent) == {"on_other_data": "is an evaluation of runs/whole, not a training"}


def test_folders_inside_a_run_are_no_runs(whole: Path) -> None:
    for inside in ("wandb/offline-run-1/files", "evaluations/1", "folds/0"):
        (whole / inside).mkdir(parents=True)
        (whole / inside / "config.yaml").write_text("a: 1\n")
    (whole / "round_1").mkdir()
    (whole / "round_1" / "config.yaml").write_text("a: 1\n")
    assert list(reasons(whole.parent)) == ["whole/round_1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_run_without_read_permission_is_listed(whole: Path) -> None:
    (whole / "result.json").chmod(0)
    assert "Permission denied" in reasons(whole.parent)["whole"]


def test_control_characters_in_the_name_of_a_run_are_replaced(whole: Path) -> None:
    whole.rename(os.fsdecode(os.fsencode(whole.parent) + b"/\x1b[31m\xff"))
    assert [run.name for run in folders.read(whole.parent)[0]] == ["�[31m�"]


def test_a_missing_folder_of_runs_is_refused() -> None:
    with pytest.raises(Mistake, match="^runs: nowhere is not a folder"):
        folders.read(Path("nowhere"))


def test_compare_does_not_import_torch(tmp_path: Path) -> None:
    study(tmp_path / "runs", images=40, seeds=1)
    code = (
        "import sys; sys.argv = ['capbench', 'compare']\n"
        "from capbench.__main__ import main; main(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert Path("report/index.html").exists()
