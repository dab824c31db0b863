"""Run folders with generated results, for tests that need many: python -m tests.helpers.generated_runs DIR COUNT."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from capbench import metrics
from capbench.runs import Prediction, RunFolder
from tests.helpers.settings import composed

MODELS = {"cnn": 0.97, "crnn": 0.93, "mlp": 0.6, "knn": 0.4}  # share of the captchas that each model reads


def texts_of(images: int) -> list[str]:
    """Return the texts of test images, the same ones on each call."""
    return ["".join(row) for row in np.random.default_rng(1).choice(list("0123456789"), (images, 4))]


def fake(
    path: Path,
    settings: Mapping[str, Any],
    skill: float,
    texts: Sequence[str],
    names: Sequence[str] | None = None,
    **result: Any,
) -> RunFolder:
    """Write the folder that a training with these settings leaves, without weights and pictures.

    `skill` is the share of captchas that the run reads, about; `result` adds to or replaces entries of result.json.
    """
    folder = RunFolder(path)
    folder.begin(settings)
    _fill(folder, settings, skill, texts, names or [f"test_{number}" for number in range(len(texts))], result)
    return folder


def _fill(
    folder: RunFolder,
    settings: Mapping[str, Any],
    skill: float,
    texts: Sequence[str],
    names: Sequence[str],
    result: Mapping[str, Any],
) -> None:
    seed = settings["seed"]
    rng = np.random.default_rng([seed, int(skill * 1000)])
    hardness = np.random.default_rng(7).random(len(texts)) + rng.normal(0, 0.03, len(texts))
    right = hardness < skill
    answers = [
        text if good else text[:-1] + rng.choice(list("0123456789")) for text, good in zip(texts, right, strict=True)
    ]
    sure = np.where(right, 0.9 + 0.1 * rng.random(len(texts)), rng.random(len(texts)))
    folder.write_predictions(map(Prediction, names, texts, answers, sure.tolist()))
    _write_curve(folder.metrics, skill)
    exact = sum(map(str.__eq__, texts, answers))
    folder.write_result(
        {
            **{key: settings[key] for key in ("name", "group", "tags", "seed")},
            **{f"test/{name}": value for name, value in metrics.of_readings(texts, answers, sure.tolist()).items()},
            "test/exact_ci": metrics.wilson(exact, len(texts)),
            "test/images": len(texts),
            "train/seconds": 100 * skill + seed,
            "train/images": 20000,
            "train/images_per_second": 900.0,
            "params": int(300_000 * skill),
            "data/train": settings["data"]["train_size"] or 20000,
            "data/val": 2000,
            "data/hash": "0" * 64,
            "version/capbench": "0.1.0",
            "version/torch": "2.15.0",
            "git": "0" * 40,
            "machine": "x86_64",
            "command": f"python -m capbench seed={seed}",
            **result,
        }
    )


def _write_curve(path: Path, skill: float) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["epoch", "images", "seconds", "cpu_seconds", "val/exact", "val/loss", "train/exact", "train/loss"]
        )
        for epoch in range(1, 13):
            exact = skill * (1 - 0.6**epoch)
            writer.writerow([epoch, epoch * 1000, epoch * 8.5, epoch * 15.0, exact, 1 - exact, exact, 1.1 - exact])


def study(root: Path, images: int = 200, seeds: int = 3) -> Path:
    """Write runs of four recognisers with a few seeds each, and return the root folder."""
    texts = texts_of(images)
    for model, skill in MODELS.items():
        for seed in range(1, seeds + 1):
            fake(root / model / str(seed), composed(f"model={model}", f"seed={seed}"), skill, texts)
    return root


def many(root: Path, count: int, images: int = 1000) -> Path:
    """Write `count` runs: copies of a few that differ in seed, learning rate, amount of data and predictions."""
    texts = texts_of(images)
    sizes = [100, 1000, 10000]
    kinds = [(model, size) for model in MODELS for size in sizes]
    originals = []
    for model, size in kinds:
        settings = composed(f"model={model}", f"data.train_size={size}")
        skill = MODELS[model] * {100: 0.4, 1000: 0.8, 10000: 1.0}[size]
        originals.append(_Original(fake(root / "0" / f"{model}_{size}", settings, skill, texts)))
    for number in range(len(kinds), count):
        originals[number % len(kinds)].copy(root / str(number // 100) / str(number), number)
    return root


class _Original:
    """Content of a run's folder, read once for all its copies."""

    def __init__(self, folder: RunFolder) -> None:
        self.config = folder.config.read_text()
        self.metrics = folder.metrics.read_bytes()
        self.result = folder.read_result()
        self.predictions = folder.read_predictions()

    def copy(self, path: Path, number: int) -> None:
        """Write a copy with another seed and learning rate, and with some more mistakes."""
        path.mkdir(parents=True)
        seed, lr = number // 12 % 5 + 2, 1e-3 * (1 + number // 60)
        config = re.sub(r"(?m)^seed: .*$", f"seed: {seed}", re.sub(r"(?m)^  lr: .*$", f"  lr: {lr}", self.config))
        spoilt = np.random.default_rng(number).random(len(self.predictions)) < 0.05
        answers = [p.answer[::-1] if bad else p.answer for p, bad in zip(self.predictions, spoilt, strict=True)]
        right = sum(p.text == answer for p, answer in zip(self.predictions, answers, strict=True))
        (path / "config.yaml").write_text(config)
        (path / "metrics.csv").write_bytes(self.metrics)
        (path / "result.json").write_text(
            json.dumps({**self.result, "seed": seed, "test/exact": right / len(answers)}, indent=1)
        )
        with (path / "predictions.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Prediction._fields)
            writer.writerows(
                (p.filename, p.text, answer, p.confidence) for p, answer in zip(self.predictions, answers, strict=True)
            )


if __name__ == "__main__":
    many(Path(sys.argv[1]), int(sys.argv[2]))
