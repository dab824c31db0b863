"""Run folders that name classes outside CapBench: refused, and nothing imported, until the user trusts the package."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

import capbench
from capbench import trust
from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.serve.opening import graphs_of
from tests.helpers import own_parts
from tests.helpers.own_parts import LOGGER, NETWORK, VIEW, written
from tests.helpers.protocols import Cli
from tests.helpers.settings import FAST

MODELS = "capbench.models"
BAIT = {"_target_": "bait.parts.Network"}
CHARACTERS = {"_target_": "capbench.data.views.Characters", "channel": "grey", "boxes": None, "size": [20, 20]}
ALIAS = "&a {_target_: bait.parts.Network}"
"""A YAML anchor; `*a` names the same settings again."""


@pytest.fixture(autouse=True)
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """File that is there once the package `bait` has been imported, by whatever process."""
    package = tmp_path / "site" / "bait"
    package.mkdir(parents=True)
    imported = package / "imported"
    for module in ("__init__", "parts", "views"):
        (package / f"{module}.py").write_text(f"import pathlib\npathlib.Path({str(imported)!r}).touch()\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=":")
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    yield imported
    assert not imported.exists()
    assert not [name for name in sys.modules if name.partition(".")[0] == "bait"]


def stranger(trained: Path, folder: Path, **parts: Any) -> Path:
    """Return a copy of a run with other parts in its settings."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("evaluations"))
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **parts}))
    return folder


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "class": ({"model": BAIT}, r"model\._target_: bait\.parts\.Network .* trust=bait"),
    "class of the package itself": ({"view": {"_target_": "bait.View"}}, r"view\._target_: bait\.View .* trust=bait"),
    "partial": ({"model": BAIT | {"_partial_": True}}, r"model\._partial_: True is not accepted"),
    "nested in an ensemble": (
        {"model": {"_target_": f"{MODELS}.ensemble.Ensemble", "member": BAIT | {"_partial_": True}}},
        r"model\.member\._target_: bait\.parts\.Network .* trust=bait",
    ),
    "nested twice": (
        {"model": {"_target_": f"{MODELS}.committee.Committee", "size": 2, "member": {
            "_target_": f"{MODELS}.ensemble.Ensemble", "_partial_": True, "member": BAIT | {"_partial_": True}}}},
        r"model\.member\.member\._target_: bait\.parts\.Network .* trust=bait",
    ),
    "cleaning step": (
        {"view": CHARACTERS | {"clean": [{"_target_": "bait.parts.Step"}], "cut": "equal"}},
        r"view\.clean\.0\._target_: bait\.parts\.Step .* trust=bait",
    ),
    "cutter": (
        {"view": CHARACTERS | {"clean": [], "cut": {"_target_": "bait.parts.Cutter"}}},
        r"view\.cut\._target_: bait\.parts\.Cutter .* trust=bait",
    ),
    "in place of a plain value": (
        {"alphabet": {"_target_": "capbench.text.Alphabet", "symbols": BAIT, "fold": None}},
        r"alphabet\.symbols\._target_: bait\.parts\.Network is not accepted; alphabet\.symbols takes plain data",
    ),
    "through a module of CapBench": (
        {"model": {"_target_": f"{MODELS}.base.bait.parts.Network"}}, r"model\._target_: .* is not a class that CapBench"
    ),
    "re-export of CapBench": (
        {"model": {"_target_": f"{MODELS}.base.nn.Module"}}, r"model\._target_: .* is not a class that CapBench"
    ),
    "re-export of CapBench's own class": (
        {"model": {"_target_": f"{MODELS}.cnn.Residual"}}, r"model\._target_: .* it is defined in capbench\.models\.blocks"
    ),
    "class of Lightning": (
        {"model": {"_target_": "pytorch_lightning.callbacks.Timer"}}, r"model\._target_: .* trust=pytorch_lightning"
    ),
    "function of Python": ({"model": {"_target_": "os.system"}}, r"model\._target_: .*; choose an option of model=$"),
    "name in disguise": ({"model": {"_target_": "capbench/../bait.parts.Network"}}, "is not a class that CapBench builds"),
    "name that looks alike": ({"model": {"_target_": "саpbench.models.cnn.CNN"}}, "is not a class that CapBench builds"),
    "list of names": ({"model": {"_target_": ["bait.parts.Network"]}}, "is not a class that CapBench builds"),
}  # fmt: skip


@pytest.mark.parametrize("trusted", [(), ("yaml", "bai", "baits", "Bait")], ids=["nothing", "others"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_folders_build_and_import_nothing(
    case: str, trusted: tuple[str, ...], trained: Path, tmp_path: Path
) -> None:
    parts, match = HOSTILE[case]
    folder = stranger(trained, tmp_path / "stranger", **parts)
    before = set(sys.modules)
    with pytest.raises(Mistake, match=rf"config\.yaml: {match}" if match[0] != "i" else match) as told:
        capbench.load(folder, trust=trusted)
    assert "\n" not in str(told.value)
    assert {name for name in set(sys.modules) - before if not name.startswith("capbench.")} == set()


def test_an_alias_to_an_outside_class_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = stranger(trained, tmp_path / "stranger")
    config = folder / "config.yaml"
    config.write_text(f"more: {ALIAS}\n" + re.sub(r"(?ms)^model:.*?(?=^\w)", "model: *a\n", config.read_text()))
    with pytest.raises(Mistake, match=r"config\.yaml: is not YAML \(it holds an alias"):
        capbench.load(folder)


def test_a_run_cannot_say_that_it_is_trusted(trained: Path, tmp_path: Path) -> None:
    folder = stranger(trained, tmp_path / "stranger", model=BAIT, trust=["bait"])
    with pytest.raises(Mistake, match=r"trust=bait"):
        capbench.load(folder)


def test_every_verb_says_which_package_would_have_to_be_trusted(trained: Path, tmp_path: Path, cli: Cli) -> None:
    folder = stranger(trained, tmp_path / "runs" / "stranger", model=BAIT, data=dict(BAIT))
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), np.zeros((60, 160, 3), np.uint8))
    for arguments in (
        ("predict", f"run={folder}", f"images={images}"),
        ("evaluate", f"run={folder}", "data.split={train:1,val:1,test:4}"),
        ("export", f"run={folder}", "out=model.onnx"),
        ("serve", f"run={folder}", "port=0"),
        (*FAST, "logger=none", f"start={folder}"),
        (f"resume={folder}",),
        (f"model._target_={BAIT['_target_']}",),
    ):
        if arguments[0].startswith("resume"):
            (folder / "result.json").unlink()
        code, _, err = cli(*arguments)
        assert (code, len(err.splitlines())) == (2, 1), (arguments, err)
        assert re.search(r"bait\.parts\.Network is not a class that CapBench builds; .* trust=bait$", err), err


def test_compare_leaves_out_a_run_of_an_outside_class_and_says_why(trained: Path, tmp_path: Path, cli: Cli) -> None:
    stranger(trained, tmp_path / "runs" / "stranger", model=BAIT)
    stranger(trained, tmp_path / "runs" / "known")
    code, out, _ = cli("compare", "runs=runs")
    assert code == 0
    assert re.search(r"stranger\W.*model\._target_: bait\.parts\.Network .*trust=bait", out), out
    code, out, _ = cli("compare", "runs=runs", "trust=[bait]")  # it reads tables, and imports nothing of the run
    assert code == 0 and "Network" in out and "left out" not in out


@pytest.fixture
def own_run(tmp_path: Path, cli: Cli) -> Iterator[RunFolder]:
    """Run of a network, a view, a source and a logger that lie outside CapBench, trained by the command line."""
    for group, part in (("model", NETWORK), ("view", VIEW), ("logger", LOGGER), ("data", written(tmp_path / "texts"))):
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "own.yaml").write_text(yaml.safe_dump(part))
    own = ("--config-dir", "conf", "model=own", "view=own", "logger=own", "data=own", "trainer.progress=false")
    with own_parts.importable():
        code, _, err = cli(*own, "optim.epochs=2", "optim.batch_size=4", "hydra.run.dir=runs/own", "trust=[own_parts]")
        assert code == 0, err
        yield RunFolder(tmp_path / "runs" / "own")


def test_a_run_of_own_parts_serves_every_verb(
    own_run: RunFolder, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = own_run.read_result()["command"]
    assert recorded.startswith("CAPBENCH_TRUST=own_parts python -m capbench --config-dir conf ")
    assert "trust" not in own_run.settings()
    assert (own_run.path / "lines" / "metrics.csv").exists()
    with pytest.raises(Mistake, match=r"trust=own_parts"):
        capbench.load(own_run.path)
    assert capbench.load(own_run.path, trust=["own_parts"]).read(np.zeros((24, 64, 3), np.uint8)).text.isdigit()
    (tmp_path / "images").mkdir()
    cv2.imwrite("images/0.png", np.zeros((24, 64, 3), np.uint8))
    own = ("--config-dir", "conf", "data=own")
    for arguments in (
        ("predict", "run=runs/own", "images=images"),
        ("evaluate", "run=runs/own", *own),
        ("export", "run=runs/own", "out=model.onnx"),
        ("compare", "runs=runs", "pictures=all"),
        (*own, "model=own", "view=own", "logger=none", "optim.epochs=1", "trainer.progress=false", "start=runs/own"),
    ):
        code, _, err = cli(*arguments, "trust=[own_parts]")
        assert code == 0, (arguments, err)
    monkeypatch.setenv("PYTHONPATH", str(own_parts.OUTSIDE), prepend=":")
    with trust.trusting_everywhere(["own_parts"]), graphs_of(["runs/own"]) as (path,):  # exported by another process
        assert path.stat().st_size
