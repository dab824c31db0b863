"""Study of the search for wrong labels: 2 % of a set's labels are replaced by wrong ones, and how many are found?

python experiments/doubts/planted.py DIR writes, for clean-4digit.zip and gradient-4alnum.zip in DIR, the labels with the
planted ones, trains, and puts a row for each threshold into results.csv. Those found that were not planted are printed.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]
from study import write  # noqa: E402

SETS = ("clean-4digit", "gradient-4alnum")
SHARE = 0.02
SEED = 1
MINUTES = 3
RATIOS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
CONFIDENCES = (0.5, 0.7, 0.9, 0.95, 0.99, 0.999)

Row = dict[str, str | float]
Labels = dict[str, str]


def labels_of(root: Path) -> Labels:
    """Return the labels of a zip file by file name."""
    with zipfile.ZipFile(root) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("labels.csv"))
        rows = list(csv.DictReader(archive.read(name).decode("utf-8-sig").splitlines()))
    return {name.removesuffix("labels.csv") + row["filename"]: row["label"] for row in rows}


def planted(labels: Labels) -> Labels:
    """Return the wrong labels by file name: one symbol of each is replaced by a random other one of the alphabet."""
    draw = np.random.default_rng(SEED)
    symbols = sorted({symbol for text in labels.values() for symbol in text})
    wrong = {}
    for name in sorted(draw.choice(sorted(labels), round(SHARE * len(labels)), replace=False).tolist()):
        text, place = labels[name], int(draw.integers(len(labels[name])))
        other = draw.choice([symbol for symbol in symbols if symbol != text[place]])
        wrong[name] = f"{text[:place]}{other}{text[place + 1 :]}"
    return wrong


def train(root: Path, labels: Labels, run: Path) -> list[dict[str, str]]:
    """Train on a set with these labels; return the rows of held_out.csv."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "labels.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([("filename", "label"), *labels.items()])
        settings = (
            "+experiment=folder", "data=csv", f"data.root={root}", f"data.labels={table}", f"minutes={MINUTES}",
            "trainer.threads=1", "trainer.progress=false", "logger=none", f"hydra.run.dir={run}",
        )  # fmt: skip
        subprocess.run([sys.executable, "-m", "capbench", *settings], check=True)
    with (run / "held_out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def judged(rows: list[dict[str, str]], wrong: Labels) -> Iterator[Row]:
    """Yield precision and recall for each threshold of the ratio, and of the confidence of a reading alone."""
    differ = [row for row in rows if row["label"] != row["reading"]]
    for by, thresholds in (("ratio below", RATIOS), ("confidence above", CONFIDENCES)):
        for threshold in thresholds:
            found = [row["filename"] for row in differ if _is_found(row, by, threshold)]
            right = sum(name in wrong for name in found)
            yield {
                "by": by, "threshold": threshold, "found": len(found), "planted": right,
                "precision": round(right / max(len(found), 1), 4), "recall": round(right / len(wrong), 4),
            }  # fmt: skip


def _is_found(row: dict[str, str], by: str, threshold: float) -> bool:
    return float(row["ratio"]) < threshold if by == "ratio below" else float(row["confidence"]) > threshold


def main(folder: Path, only: str = "") -> None:
    """Judge each set, and write all rows."""
    for name in (name for name in SETS if name.startswith(only)):
        root = folder / f"{name}.zip"
        labels = labels_of(root)
        wrong = planted(labels)
        run = Path("runs") / "doubts" / name
        rows = train(root, labels | wrong, run)
        write(HERE / f"{name}.csv", list(judged(rows, wrong)))
        with (run / "doubtful.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row["filename"] not in wrong:
                    print("not planted:", *row.values())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
