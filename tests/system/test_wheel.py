"""The wheel, installed in an empty environment and run outside the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers import pages
from tests.helpers.repository import ROOT

SHIPPED = (".css", ".jinja", ".js", ".png", ".py", ".safetensors", ".svg")


@pytest.mark.slow
def test_a_wheel_runs_the_quickstart_outside_the_repository(tmp_path: Path) -> None:
    def call(*command: str | Path) -> str:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not in this environment: make test puts it there")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", ROOT)
    (wheel,) = (tmp_path / "dist").glob("capbench-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "capbench/py.typed" in names
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.suffix in SHIPPED}
    assert len({Path(name).suffix for name in files}) == len(SHIPPED)
    assert files <= set(names)
    call(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    call(uv, "pip", "install", "--quiet", "--python", python, "--constraint", ROOT / "constraints.txt", wheel)
    (first_lines,) = pages.blocks(pages.README, "python")
    assert len(call(python, "-c", first_lines).split()[0]) == 5
    out = call(python.with_name("capbench"), "+experiment=quickstart", "debug=fast", "logger=wandb")
    assert "test/exact is" in out
    (result,) = tmp_path.glob("runs/quickstart/*/result.json")
    assert (result.parent / "pictures" / "errors.png").exists()
