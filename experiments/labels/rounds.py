"""What each round of a self-training labelled, beside gold: python experiments/labels/rounds.py RUN SET/labels.csv."""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def labels(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["filename"]: row["label"] for row in csv.DictReader(file)}


def main(run: Path, gold: dict[str, str]) -> None:
    for path in sorted(run.glob("labels_*.csv")):
        found = labels(path)
        right = sum(text == gold[name].lower() for name, text in ((n, t.lower()) for n, t in found.items()))
        print(
            f"{path.stem}: {len(found)} of {len(gold)} ({len(found) / len(gold):.4f}), {right / len(found):.4f} right"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), labels(Path(sys.argv[2])))
