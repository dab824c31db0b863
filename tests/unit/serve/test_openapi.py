"""The OpenAPI description, held against a real server by schemathesis."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

import requests  # noqa: E402

from capbench.serve.process import Served  # noqa: E402
from tests.helpers.graphs import graph  # noqa: E402
from tests.helpers.repository import ROOT, python_path  # noqa: E402
from tests.helpers.waiting import DEADLINE  # noqa: E402

TOKEN = "right"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(graph(tmp_path_factory.mktemp("graphs") / "small.onnx", any_size=True), f"token={TOKEN}") as server:
        yield server


def test_openapi_describes_every_path_and_the_page_loads_nothing_else(server: Served) -> None:
    home = f"http://127.0.0.1:{server.port}"
    document = requests.get(f"{home}/openapi.json", timeout=DEADLINE).json()
    assert set(document["paths"]) == {"/", "/read", "/health", "/metrics", "/openapi.json"}
    assert set(document["paths"]["/read"]["post"]["responses"]) == {
        "200",
        "400",
        "401",
        "408",
        "413",
        "403",
        "415",
        "422",
        "503",
    }
    page = requests.get(home, timeout=DEADLINE)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "") and "https://" not in page.text


HOOKS = """
import base64
import schemathesis
from schemathesis.specs.openapi.formats import Binary
from hypothesis import strategies as st
from tests.helpers.graphs import picture

image = st.integers(0, 50).map(picture)
schemathesis.openapi.format("byte", image.map(lambda file: base64.b64encode(file).decode()))
schemathesis.openapi.format("binary", image.map(Binary))
schemathesis.openapi.format("alphabet", st.sampled_from(["digits", "0123", "9"]))
schemathesis.openapi.format("length", st.sampled_from(["4", "4-4", "04"]))
"""
# Too many images give status 413.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 405, 413, 415, 422]
positive_data_acceptance.expected-statuses = [200]
"""


@pytest.mark.slow
def test_the_server_conforms_to_its_openapi_description(server: Served, tmp_path: Path) -> None:
    """Send valid requests, whose images are all readable, and invalid ones, which must be refused."""
    pytest.importorskip("schemathesis")
    (tmp_path / "hooks.py").write_text(HOOKS)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    home = f"http://127.0.0.1:{server.port}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{home}/openapi.json", "--checks", "all"),
            *("--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "300", "--generation-deterministic"),
            *("--no-color", "--continue-on-failure", "--request-timeout", "30"),
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": python_path(tmp_path, ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    (asked,) = re.findall(r"([\d,]+) generated", done.stdout)
    assert int(asked.replace(",", "")) > 300
    assert requests.get(f"{home}/health", timeout=DEADLINE).status_code == 200
