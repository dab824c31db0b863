"""Load and attacks of experiments/serving, run briefly: their checks pass, and fail where they should."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

from capbench.export.graph import Character, Read  # noqa: E402
from tests.helpers.graphs import graph  # noqa: E402
from tests.helpers.repository import ROOT  # noqa: E402

SERVING = ROOT / "experiments" / "serving"


def load(path: Path, *settings: str) -> dict[str, Any]:
    command = [sys.executable, str(SERVING / "load.py"), str(path), *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_load_experiment_measures_throughput_and_status_codes(tmp_path: Path) -> None:
    path = graph(tmp_path / "small.onnx")
    figures = load(path, "--only", "together", "--seconds", "5", "--any-speed")
    assert figures["together"]["one image a request"]["together"] > 0
    figures = load(path, "--only", "mixed", "--seconds", "10")
    assert set(figures["mixed"]["requests"]) >= {"200", "400", "405", "413", "415", "422"}
    assert figures["mixed"]["images"] > 0


@pytest.mark.slow
def test_honest_requests_are_answered_during_attacks(attacks: ModuleType, tmp_path: Path) -> None:
    """Run every attack at a tenth of its strength and allow 30 seconds instead of one: the machine may be busy."""
    path = graph(tmp_path / "small.onnx")
    rows = load(path, "--only", "attacked", "--seconds", "15", "--within", "30", "--strength", "0.1")["attacked"]
    assert [row["attack"] for row in rows] == ["none", *attacks.ATTACKS, "all together"]
    assert all(row["requests"] > 0 and row["soon"] >= 0.95 and row["memory_mib"] <= 1024 for row in rows)
    assert all(row["connections"] > 0 for row in rows[1:])


@pytest.fixture
def attacked(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SERVING)
    return importlib.import_module("attacked")


@pytest.fixture
def attacks(attacked: ModuleType) -> ModuleType:
    return importlib.import_module("attacks")


def test_each_mark_of_the_attack_experiment_can_be_missed(attacked: ModuleType) -> None:
    read = Read("12", 0.9, [Character("1", 0.9, "2", 0.1), Character("2", 0.9, "1", 0.1)])
    characters = [{"confidence": one.confidence} for one in read.characters]
    right = {"text": "12", "confidence": 0.9, "characters": characters}
    good, other = (json.dumps({"images": [{"readings": [right | {"text": text}]}]}) for text in ("12", "21"))

    def faults(late: int, *answers: tuple[float, int | None, str]) -> list[str]:
        in_time = 100 - late - len(answers)
        told = [(0, *answer) for answer in (*[(0.5, 200, good)] * in_time, *[(1.5, 200, good)] * late, *answers)]
        trial = attacked.judged(told, [read], ("silent",), 1.0, 2**20, {}, [])
        assert trial.row()["requests"] == 100
        return trial.faults

    assert faults(late=5) == []
    assert faults(late=6) == ["silent: 94.0% of the honest requests were answered within 1 s; 95% are wanted"]
    assert "94.0%" in faults(4, (0.1, 503, "busy"), (0.1, None, "ConnectionResetError: "))[0]
    assert faults(0, (0.1, 200, other)) == [f"silent: another answer than without a server: {other}"]
