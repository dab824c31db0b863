"""What each engine and each rule buys, from labelled folders: python experiments/labels/table.py SETS OUT > table.

SETS holds a folder for each set, with gold in its labels.csv; OUT what `capbench label out=OUT/SET.csv` left. A floor
of confidence is chosen on one half of the images, such that 0.99 of what it lets pass is right, and measured on the other.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

WANTED = 0.99
COLUMNS = ["set", "who", "images", "coverage", "precision", "precision_of_symbols", "images_per_second",
           "coverage_at_0.99", "precision_there"]  # fmt: skip


def answers(images: Path, out: Path) -> tuple[list[str], dict[str, list[tuple[str, float]]]]:
    """Gold texts, and by engine each image's text and confidence."""
    report = json.loads((out / "report.json").read_text())
    engines = list(report["engines"])
    fold = {"lower": str.lower, "upper": str.upper}.get(report["settings"]["alphabet"]["fold"], str)
    read: dict[str, dict[str, tuple[str, float]]] = {}
    order: list[str] = []
    for line in map(json.loads, (out / "readings.jsonl").open()):
        if line["engine"] not in order:
            order.append(line["engine"])
        read.setdefault(line["image"], {})[line["engine"]] = (line["text"], line["confidence"])
    gold, found = [], {engine: [] for engine in engines}
    with (images / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            known = read[hashlib.sha256((images / row["filename"]).read_bytes()).hexdigest()[:32]]
            gold.append(fold(row["label"]))
            for engine, key in zip(engines, order, strict=True):
                found[engine].append(known[key])
    return gold, found


def agreed(some: list[list[tuple[str, float]]], most: int) -> list[tuple[str, float]]:
    """The text that `most` engines read alike, with the mean of their confidences; none: an empty one."""
    texts = []
    for readings in zip(*some, strict=True):
        groups: dict[str, list[float]] = {}
        for text, sure in readings:
            groups.setdefault(text, []).append(sure)
        text, sure = max(groups.items(), key=lambda group: (len(group[1]), sum(group[1])))
        texts.append((text, float(np.mean(sure))) if len(sure) >= most else ("", 0.0))
    return texts


def measured(gold: list[str], read: list[tuple[str, float]], half: np.ndarray) -> list[str]:
    """Coverage and precision; and both at the floor that the first half of the images asks for, on the second."""
    texts, sure = [text for text, _ in read], np.array([confidence for _, confidence in read])
    taken = np.array([len(text) == len(true) for text, true in zip(texts, gold, strict=True)])
    right = np.array([text == true for text, true in zip(texts, gold, strict=True)])
    symbols = [
        (a, b) for text, true, t in zip(texts, gold, taken, strict=True) if t for a, b in zip(text, true, strict=True)
    ]
    order = np.flatnonzero(half & taken)[np.argsort(-sure[half & taken], kind="stable")]
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share >= WANTED)
    floor = sure[order[enough[-1]]] if len(enough) else 2.0
    passed = ~half & taken & (sure >= floor)
    return [
        f"{taken.mean():.3f}",
        f"{right[taken].mean():.4f}" if taken.any() else "",
        f"{np.mean([a == b for a, b in symbols]):.4f}" if symbols else "",
        f"{passed.sum() / (~half).sum():.3f}",
        f"{right[passed].mean():.4f}" if passed.any() else "",
    ]


def main(sets: Path, outs: Path) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for out in sorted(path for path in outs.iterdir() if (path / "report.json").is_file()):
        gold, found = answers(sets / out.name, out)
        speeds = json.loads((out / "report.json").read_text())["engines"]
        half = np.random.default_rng(0).permutation(len(gold)) % 2 == 0
        rows = dict(found)
        for one, other in combinations(found, 2):
            rows[f"{one} and {other}"] = agreed([found[one], found[other]], 2)
        for most in range(2, len(found) + 1):
            if len(found) > 2:
                rows[f"{most} of {len(found)}"] = agreed(list(found.values()), most)
        for who, read in rows.items():
            coverage, precision, symbols, sure_coverage, sure_precision = measured(gold, read, half)
            speed = f"{speeds[who]['images_per_second']:.0f}" if who in speeds else ""
            writer.writerow(
                [out.name, who, len(gold), coverage, precision, symbols, speed, sure_coverage, sure_precision]
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
