"""Labels of each round of a self-training beside gold labels: python experiments/labels/rounds.py RUN SET/labels.csv.

`strict` is the largest coverage with a precision of 0.99: a threshold on the confidence is chosen on one half of the
images, and measured on the other half.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

WANTED = 0.992  # precision on the half for the choice: a margin above the 0.99 wanted on the other half


def labels(path: Path) -> dict[str, tuple[str, float]]:
    """Return labels in lower case and their confidences, by file name."""
    with path.open(newline="") as file:
        return {
            row["filename"]: (row["label"].lower(), float(row.get("confidence") or 1)) for row in csv.DictReader(file)
        }


def main(run: Path, gold: dict[str, tuple[str, float]]) -> None:
    """Print coverage and precision of each round."""
    half = dict(zip(gold, np.random.default_rng(0).permutation(len(gold)) % 2 == 0, strict=True))
    for path in sorted(run.glob("labels_*.csv")):
        found = labels(path)
        right = np.array([text == gold[name][0] for name, (text, _) in found.items()])
        sure = np.array([confidence for _, confidence in found.values()])
        chosen_on = np.array([half[name] for name in found])
        order = np.flatnonzero(chosen_on)[np.argsort(-sure[chosen_on], kind="stable")]
        enough = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= WANTED)
        floor = sure[order[enough[-1]]] if len(enough) else 2.0
        passed = ~chosen_on & (sure >= floor)
        strict = (
            f"{passed.sum() / (len(gold) - sum(half.values())):.3f} at {right[passed].mean():.4f} (from {floor:.3f} on)"
        )
        print(f"{path.stem}: {len(found) / len(gold):.3f} of {len(gold)}, {right.mean():.4f} right; strict {strict}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), labels(Path(sys.argv[2])))
