"""Network access of every verb: none looks up a name or sends a packet to another machine."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from capbench.__main__ import VERBS
from tests.helpers import network

SMALL = (
    "data.split={train:48,val:16,test:16}",
    "optim.epochs=1",
    "optim.batch_size=16",
    "trainer.limit_batches=2",
    "trainer.progress=false",
)
COMMANDS = {
    "train": SMALL,  # with the default logger
    "train a sweep": ("-m", "seed=1,2", *SMALL),
    "train a search": (
        "-m", "hydra/sweeper=search", "optim.lr=interval(1e-3,1e-2)", "hydra.sweeper.trials=2", *SMALL,
    ),
    "train itself": (
        "+experiment=self_train", "data.root=RAW", "data.length=4", "self_train.rounds=1",
        "optim.epochs=1", "optim.batch_size=4", "trainer.limit_batches=2", "trainer.progress=false",
    ),
    "evaluate": ("evaluate", "run=RUN", "data=csv", "data.root=LABELLED", "part=all"),
    "predict": ("predict", "run=RUN", "images=LABELLED/images", "out=answers.csv"),
    "label": ("label", "images=RAW/images", "out=labels.csv", "alphabet=digits", "length=4"),
    "export": ("export", "run=RUN", "out=model.onnx"),
    "render": ("render", "count=20", "out=drawn"),
    "compare": ("compare", "runs=RUN", "out=report"),
    "bench": ("bench", "rounds=1", "images=64", "only=train", *SMALL),
}  # fmt: skip
PLACES = re.compile("RUN|LABELLED|RAW")
SERVE = """
import subprocess, sys, urllib.request
run, image = sys.argv[1:]
served = subprocess.Popen([sys.executable, "-m", "capbench", "serve", f"run={run}", "port=0"], stdout=subprocess.PIPE, text=True)
try:
    address = served.stdout.readline().split()[-1]
    request = urllib.request.Request(address + "/read", open(image, "rb").read(), {"Content-Type": "image/png"})
    urllib.request.urlopen(request, timeout=60)
finally:
    served.terminate()
    served.wait(60)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(network.missing() is not None, reason=network.missing() or ""),
    pytest.mark.skipif(
        importlib.util.find_spec("rapidocr") is None, reason="needs every extra: make test installs them"
    ),
]


def test_every_verb_is_tested_for_network_access() -> None:
    assert {name.split()[0] for name in COMMANDS} | {"serve"} == VERBS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_verb_accesses_the_network(name: str, trained: Path, labelled: Path, raw: Path, tmp_path: Path) -> None:
    folders = {"RUN": trained, "LABELLED": labelled, "RAW": raw}
    arguments = [PLACES.sub(lambda place: str(folders[place[0]]), part) for part in COMMANDS[name]]
    assert reached(tmp_path, "-m", "capbench", *arguments) == []


def test_serve_does_not_access_the_network(trained: Path, labelled: Path, tmp_path: Path) -> None:
    image = next((labelled / "images").iterdir())
    assert reached(tmp_path, "-c", SERVE, str(trained), str(image)) == []


def reached(tmp_path: Path, *arguments: str) -> list[str]:
    """Run Python with these arguments, check that it ends well, and return the hosts that it accessed."""
    (tmp_path / "watch").mkdir()
    done, told = network.reached(tmp_path / "watch", sys.executable, *arguments)
    assert done.returncode == 0, done.stderr
    return told


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 443), timeout=0.1)",
         {"socket.connect ('192.0.2.1', 443)", "packet of protocol 6 to 192.0.2.1 port 443"}),
        ("import socket; socket.getaddrinfo('capbench.example', 80)", {"socket.getaddrinfo 'capbench.example'"}),
        ("import ctypes; ctypes.CDLL(None).gethostbyname(b'capbench.example')", set()),
    ],
)  # fmt: skip
def test_network_access_is_recorded(code: str, seen: set[str], tmp_path: Path) -> None:
    (tmp_path / "watch").mkdir()
    _, told = network.reached(tmp_path / "watch", sys.executable, "-c", code)
    assert seen <= set(told)
    assert any(line.startswith("packet of protocol") for line in told)
