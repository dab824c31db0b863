"""The universal reader beside OCR engines on labelled sets: python experiments/universal/read.py RUN OUT SET…

All read the same images of a set, and are told its alphabet without case and the lengths of its texts. MOST=400 in the
environment reads the first 400 images of each set in a shuffled order. The p is of McNemar's exact test against the
best engine: of the images that one of the two reads right and the other does not, how many are whose.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from capbench import images
from capbench.compare.statistics import mcnemar
from capbench.images.folder import Files
from capbench.label.engines.base import Read, Unread
from capbench.label.engines.networks import Dddd, Rapid
from capbench.label.engines.trained import Trained
from capbench.text import Alphabet

ENGINES = ("rapidocr", "ddddocr", "ddddocr_old")
COLUMNS = ["set", "images", "symbols", "universal", *ENGINES, "universal_only", "engine_only", "p"]


def labelled(files: Files) -> list[tuple[str, str]]:
    """Return the names of a set's images and their texts in lower case."""
    table = io.StringIO(files.read("labels.csv").decode("utf-8-sig"))
    rows = [(row["filename"], row["label"].lower()) for row in csv.DictReader(table)]
    order = np.random.default_rng(1).permutation(len(rows))[: int(os.environ.get("MOST", len(rows)))]
    return [rows[number] for number in sorted(order.tolist())]


def right(read: Read, files: Files, rows: list[tuple[str, str]], shown: str) -> np.ndarray:
    """Return which images are read without a mistake, bool [image]."""
    found = np.zeros(len(rows), bool)
    for number, (name, text) in enumerate(tqdm(rows, shown, leave=False)):
        try:
            found[number] = read(images.decode(files.read(name))).text == text
        except Unread:
            continue
    return found


def row_of(run: str, path: str) -> list[object]:
    """Return the row of one set."""
    files = Files(path, "set")
    rows = labelled(files)
    alphabet = Alphabet(symbols="".join(sorted({symbol for _, text in rows for symbol in text})), fold="lower")
    lengths = [len(text) for _, text in rows]
    told = [min(lengths), max(lengths)]
    readers = {
        "universal": Trained(run=run, length=told),
        "rapidocr": Rapid(length=told),
        "ddddocr": Dddd(beta=True, length=told),
        "ddddocr_old": Dddd(beta=False, length=told),
    }
    found = {name: right(engine.open(alphabet), files, rows, name) for name, engine in readers.items()}
    best = max((found[name] for name in ENGINES), key=np.sum)
    ours, theirs = int((found["universal"] & ~best).sum()), int((best & ~found["universal"]).sum())
    shares = [f"{found[name].mean():.4f}" for name in readers]
    return [Path(path).stem, len(rows), len(alphabet.symbols), *shares, ours, theirs, f"{mcnemar(ours, theirs):.1e}"]


def main(run: str, out: str, sets: list[str]) -> None:
    """Write a row for each set."""
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for path in sets:
            row = row_of(run, path)
            writer.writerow(row)
            file.flush()
            print(*row)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
