"""Folder of a run: the files that it holds, and the numbers that do not depend on the machine's speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.tables import read_csv

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
MEASURED = {"train/seconds", "train/cpu_seconds", "train/images_per_second", "command"}


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result without times and command, for runs that should be equal otherwise."""
    return {key: value for key, value in result.items() if key not in MEASURED}


def curve(folder: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv without their times."""
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "cpu_seconds")}
        for row in read_csv(folder / "metrics.csv")
    ]


def epochs_done(folder: Path) -> int:
    """Return how many epochs of a run are written down."""
    return len(curve(folder)) if (folder / "metrics.csv").exists() else 0
