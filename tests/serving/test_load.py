"""The load that experiments/serving/load.py gives, for a moment: its checks hold, and can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

from tests.conftest import ROOT  # noqa: E402
from tests.serving.service import graph  # noqa: E402


@pytest.mark.slow
def test_a_moment_of_load(tmp_path: Path) -> None:
    path = graph(tmp_path / "small.onnx")
    script = ROOT / "experiments" / "serving" / "load.py"
    command = [sys.executable, str(script), str(path), "--seconds", "15", "--any-speed"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["mixed"]["requests"]) >= {"200", "400", "405", "413", "415", "422"}
    assert figures["mixed"]["images"] > 0 and figures["together"]["one image a request"]["together"] > 0
