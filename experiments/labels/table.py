"""Coverage and precision of each engine and each rule: python experiments/labels/table.py SETS OUT.

SETS holds a folder for each set, with gold labels in its labels.csv; OUT holds the output of `capbench label
out=OUT/SET.csv`. Disputed symbols, with which no label is accepted, and a threshold on the confidence are chosen on one
half of the images, such that 0.99 of the accepted labels are right, and measured on the other half.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np

WANTED = 0.992  # precision on the half for the choice: a margin above the 0.99 wanted on the other half
ENOUGH = 0.2  # exact accuracy below which an engine adds nothing to an agreement
COLUMNS = ["set", "who", "images", "coverage", "precision", "precision_of_symbols", "images_per_second",
           "disputed", "floor", "coverage_at_0.99", "precision_there"]  # fmt: skip

Read = list[tuple[str, float]]


def answers(images: Path, out: Path) -> tuple[list[str], dict[str, Read]]:
    """Return the gold texts, and by engine each image's text and confidence."""
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


def agreed(some: list[Read], most: int) -> Read:
    """Return the text that at least `most` engines read, or an empty one, with their mean confidence."""
    texts = []
    for readings in zip(*some, strict=True):
        groups: dict[str, list[float]] = {}
        for text, sure in readings:
            groups.setdefault(text, []).append(sure)
        text, sure = max(groups.items(), key=lambda group: (len(group[1]), sum(group[1])))
        texts.append((text, float(np.mean(sure))) if len(sure) >= most else ("", 0.0))
    return texts


def measured(gold: list[str], read: Read, half: np.ndarray) -> list[str]:
    """Return the cells of a row: coverage and precision, then the strict choice and its coverage and precision."""
    texts, sure = [text for text, _ in read], np.array([confidence for _, confidence in read])
    taken = np.array([len(text) == len(true) for text, true in zip(texts, gold, strict=True)])
    right = np.array([text == true for text, true in zip(texts, gold, strict=True)])
    symbols = [
        (a, b) for text, true, t in zip(texts, gold, taken, strict=True) if t for a, b in zip(text, true, strict=True)
    ]
    disputed, floor = strict(gold, texts, sure, taken & half)
    passed = ~half & taken & (sure >= floor) & np.array([disputed.isdisjoint(text) for text in texts])
    return [
        f"{taken.mean():.3f}",
        f"{right[taken].mean():.4f}" if taken.any() else "",
        f"{np.mean([a == b for a, b in symbols]):.4f}" if symbols else "",
        "".join(sorted(disputed)),
        f"{floor:.3f}" if passed.any() else "",
        f"{passed.sum() / (~half).sum():.3f}",
        f"{right[passed].mean():.4f}" if passed.any() else "",
    ]


def strict(gold: list[str], texts: list[str], sure: np.ndarray, of: np.ndarray) -> tuple[set[str], float]:
    """Return the disputed symbols and the threshold with the largest coverage at the wanted precision.

    Symbols are added one by one, the one with the largest share of errors first.
    """
    right = np.array([text == true for text, true in zip(texts, gold, strict=True)])
    disputed: set[str] = set()
    best: tuple[int, set[str], float] = (0, set(), 2.0)
    left = of.copy()
    while left.any():
        order = np.flatnonzero(left)[np.argsort(-sure[left], kind="stable")]
        share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(share >= WANTED)
        if len(enough) and enough[-1] >= best[0]:
            best = (int(enough[-1]) + 1, set(disputed), float(sure[order[enough[-1]]]))
        seen = Counter(symbol for n in order for symbol in texts[n])
        wrong = Counter(a for n in order for a, b in zip(texts[n], gold[n], strict=True) if a != b)
        if not wrong:
            break
        disputed.add(max(wrong, key=lambda symbol: wrong[symbol] / seen[symbol]))
        left &= np.array([disputed.isdisjoint(text) for text in texts])
    return best[1], best[2]


def main(sets: Path, outs: Path) -> None:
    """Write and print results.csv."""
    with (Path(__file__).parent / "results.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for out in sorted(path for path in outs.iterdir() if (path / "report.json").is_file()):
            gold, found = answers(sets / out.name, out)
            speeds = json.loads((out / "report.json").read_text())["engines"]
            half = np.random.default_rng(0).permutation(len(gold)) % 2 == 0
            rows = dict(found)
            whole = {who: read for who, read in found.items() if exact(gold, read) >= ENOUGH}
            for one, other in combinations(whole, 2):
                rows[f"{one} and {other}"] = agreed([whole[one], whole[other]], 2)
            for most in range(2, len(whole) + 1):
                if len(whole) > 2:
                    rows[f"{most} of {', '.join(whole)}"] = agreed(list(whole.values()), most)
            for who, read in rows.items():
                coverage, precision, symbols, *rest = measured(gold, read, half)
                speed = f"{speeds[who]['images_per_second']:.0f}" if who in speeds else ""
                row = [out.name, who, len(gold), coverage, precision, symbols, speed, *rest]
                writer.writerow(row)
                print(*row, sep="  ")


def exact(gold: list[str], read: Read) -> float:
    """Return the share of texts that are right."""
    return float(np.mean([text == true for (text, _), true in zip(read, gold, strict=True)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
