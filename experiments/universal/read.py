"""The universal reader beside OCR engines on labelled sets.

    python experiments/universal/read.py READER OUT SET…   # OUT/SET.READER.csv: filename,text,answer; an existing one is kept
    python experiments/universal/read.py table OUT         # a row for each set

READER is rapidocr, ddddocr, ddddocr_old, or a run, such as universal. All read all images of a set, and are told its
alphabet without case and the lengths of its texts. The p is of McNemar's exact test against the best engine: of the
images that one of the two reads right and the other does not, how many are whose. MOST=400 in the environment takes 400
images of each set, in a shuffled order.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from capbench import images
from capbench.compare.statistics import mcnemar
from capbench.images.folder import Files
from capbench.label.engines.base import Engine, Read, Unread
from capbench.label.engines.networks import Dddd, Rapid
from capbench.label.engines.trained import Trained
from capbench.text import Alphabet

OURS = "universal"
ENGINES = ("rapidocr", "ddddocr", "ddddocr_old")


def labelled(files: Files) -> list[tuple[str, str]]:
    """Return the names of a set's images and their texts in lower case."""
    table = io.StringIO(files.read("labels.csv").decode("utf-8-sig"))
    rows = [(row["filename"], row["label"].lower()) for row in csv.DictReader(table)]
    most = int(os.environ.get("MOST", len(rows)))
    return [rows[number] for number in np.random.default_rng(1).permutation(len(rows))[:most]]


def engine_of(reader: str, length: list[int]) -> Engine:
    """Return the engine that a word of the command line names."""
    if reader == "rapidocr":
        return Rapid(length=length)
    if reader in ENGINES:
        return Dddd(beta=reader == "ddddocr", length=length)
    return Trained(run=reader, length=length)


def answer(read: Read, content: bytes) -> str:
    """Return the text that is read in an image; an empty one where there is none."""
    try:
        return read(images.decode(content)).text
    except Unread:
        return ""


def read_set(reader: str, path: Path, out: Path) -> None:
    """Write the answers of one reader for one set."""
    files = Files(str(path), "set")
    rows = labelled(files)
    alphabet = Alphabet(symbols="".join(sorted({symbol for _, text in rows for symbol in text})), fold="lower")
    lengths = [len(text) for _, text in rows]
    read = engine_of(reader, [min(lengths), max(lengths)]).open(alphabet)
    answers = [(name, text, answer(read, files.read(name))) for name, text in tqdm(rows, f"{path.stem} {reader}")]
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filename", "text", "answer"])
        writer.writerows(answers)


def right(path: Path) -> dict[str, bool]:
    """Return which images a file of answers has right, by name."""
    with path.open(newline="") as file:
        return {row["filename"]: row["text"] == row["answer"] for row in csv.DictReader(file)}


def table(out: Path) -> None:
    """Print a row of Markdown for each set that the universal reader and all engines have read."""
    print(f"| set | images | {OURS} | {' | '.join(ENGINES)} | only {OURS} right | only the best engine right | p |")
    print("|---|---|---|---|---|---|---|---|---|")
    shares: list[list[float]] = []
    for path in sorted(out.glob(f"*.{OURS}.csv")):
        name = path.name.removesuffix(f".{OURS}.csv")
        ours, *theirs = (right(out / f"{name}.{reader}.csv") for reader in (OURS, *ENGINES))
        best = max(theirs, key=lambda read: sum(read.values()))
        only = [sum(ours[image] > best[image] for image in ours), sum(best[image] > ours[image] for image in ours)]
        shares.append([sum(read.values()) / len(read) for read in (ours, *theirs)])
        cells = [name, f"{len(ours):,}", *(f"{share:.3f}" for share in shares[-1]), *only, f"{mcnemar(*only):.1e}"]
        print(f"| {' | '.join(map(str, cells))} |")
    means = [f"{sum(column) / len(column):.3f}" for column in zip(*shares, strict=True)]
    print(f"| mean | | {' | '.join(means)} | | | |")


def main(reader: str, out: Path, sets: list[Path]) -> None:
    """Read each set, or print the table."""
    torch.set_num_threads(1)
    if reader == "table":
        table(out)
    for path in sets:
        answers = out / f"{path.stem}.{Path(reader).name}.csv"
        if not answers.exists():
            read_set(reader, path, answers)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(path) for path in sys.argv[3:]])
