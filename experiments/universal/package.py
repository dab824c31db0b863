"""Puts a finished run of the universal reader into the package: python experiments/universal/package.py RUN."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import yaml

from capbench.runs import PACKAGED, RunFolder

KEPT = ("metrics.csv", "model.safetensors", "predictions.csv", "seen.safetensors")
COMMAND = "python -m capbench +experiment=universal"


def main(run: RunFolder) -> None:
    """Copy what a reader needs and what a person asks for, without the paths of the machine that trained it."""
    PACKAGED.mkdir(exist_ok=True)
    settings = run.settings() | {"cache": "~/.cache/capbench"}
    (PACKAGED / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    result = run.read_result() | {"command": COMMAND}
    del result["git"]  # of a working copy that nobody else has
    (PACKAGED / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for name in KEPT:
        shutil.copyfile(run.path / name, PACKAGED / name)
    shutil.copyfile(run.pictures / "curves.png", PACKAGED / "curves.png")


if __name__ == "__main__":
    main(RunFolder(Path(sys.argv[1])))
