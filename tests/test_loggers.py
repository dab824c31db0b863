"""What an offline W&B run holds, read back from its file."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

BLOCK, HEADER = 32768, 7


def records(path: Path) -> Iterator[Record]:
    """The file is a log of blocks (LevelDB's format, after a header of seven bytes); a record may span several."""
    content = path.read_bytes()
    place, whole = HEADER, b""
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        whole += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # full, or the last piece
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def whole_log(path: Path) -> list[Record]:
    """W&B's own process may still be writing when the run has ended: wait for the last record."""
    deadline = time.monotonic() + 30
    while True:
        known = list(records(path))
        if any(record.WhichOneof("record_type") == "exit" for record in known):
            return known
        assert time.monotonic() < deadline, "the log has no end"
        time.sleep(0.1)


def test_a_run_tells_wandb_everything(train: Callable[..., Any]) -> None:
    folder = train(
        "+experiment=quickstart",
        "debug=fast",
        "logger=wandb",
        "logger.weights=true",
        "trainer.progress=false",
        "group=a_study",
        "tags=[one,two]",
    )
    (path,) = (folder.path / "wandb").glob("offline-run-*/run-*.wandb")
    known = whole_log(path)
    run = next(record.run for record in known if record.WhichOneof("record_type") == "run")
    assert run.run_group == "a_study"
    assert list(run.tags) == ["one", "two"]
    assert run.project == "capbench"
    assert run.display_name == f"quickstart/{folder.path.name}"
    settings = {item.key or item.nested_key[0]: item.value_json for item in run.config.update}
    assert json.loads(settings["seed"]) == 1
    assert json.loads(settings["model"])["widths"] == [40, 64]

    history: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in known:
        kind = record.WhichOneof("record_type")
        if kind == "history":
            history |= {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        if kind == "summary":
            summary |= {"/".join(item.nested_key) or item.key: item.value_json for item in record.summary.update}
    assert {"train/loss", "train/exact", "val/loss", "val/exact", "epoch"} <= set(history)
    assert any(key.startswith("test/predictions") for key in history)
    assert any(key.startswith("pictures/confusion") for key in history)
    for table in ("test/gallery", "test/confusion", "test/calibration"):
        assert any(key.startswith(table) for key in history), table
    assert float(summary["best/exact"]) == folder.read_result()["val/exact"]
    assert summary["git"] and int(summary["best/epoch"]) == 1
    kept = [name for record in known for name in re.findall(rb"model-\w+", record.SerializeToString())]
    assert kept, "the weights are no artifact"


@pytest.mark.parametrize(
    ("environment", "mode"),
    [({}, "offline"), ({"WANDB_API_KEY": "k" * 40}, "online"), ({"WANDB_MODE": "disabled"}, "disabled")],
)
def test_wandb_is_offline_unless_the_user_says_otherwise(
    environment: dict[str, str], mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from capbench import loggers

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked: dict[str, Any] = {}

    class Asked:
        def __init__(self, **arguments: Any) -> None:
            asked.update(arguments)

        def define_metric(self, *_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(wandb, "init", Asked)
    monkeypatch.setattr(loggers, "WandbLogger", lambda experiment: experiment)
    loggers.Wandb(project="p", gallery=0, weights=False).open(tmp_path, {"name": "n", "group": None, "tags": []})
    assert asked["mode"] == mode


def test_csv_logs_into_the_run_folder(train: Callable[..., Any]) -> None:
    folder = train("debug=fast", "logger=csv", "trainer.progress=false")
    assert "val/exact" in (folder.path / "csv" / "metrics.csv").read_text()
