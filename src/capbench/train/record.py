"""Record of a training: predictions, weights, pictures and result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from capbench import metrics
from capbench.data.datamodule import Captchas
from capbench.data.loading import Views
from capbench.data.material import Material, Part, Request
from capbench.data.seen import Seen, Tested, met
from capbench.report import pictures
from capbench.runs import Prediction, RunFolder, provenance
from capbench.text import Codec
from capbench.train.callbacks import Checkpoints, Curves
from capbench.train.loggers import RunReport
from capbench.train.recognizer import Recognizer

PICTURED = 16


def write(
    settings: dict[str, Any],
    material: Material,
    recognizer: Recognizer,
    curves: Curves,
    checkpoints: Checkpoints,
    predictions: list[Prediction],
    begun: Seen | None,
    folder: RunFolder,
) -> RunReport:
    """Write everything but `result.json` into the folder; return the results.

    `begun` holds the images that the starting runs have met.
    """
    seen = None if begun is None else begun.after(material, len(curves.rows))
    if seen is not None:
        seen.write(folder)
    pairs = metrics.confusions([p.text for p in predictions], [p.answer for p in predictions])
    views = _Pictures(material.parts["test"])
    folder.write_weights(recognizer.model.state_dict())
    folder.write_predictions(predictions)
    drawn = [
        folder.pictures / "inputs.png",
        *([pictures.curves(folder.pictures / "curves.png", folder.metrics)] if curves.rows else []),
        pictures.confusion(folder.pictures / "confusion.png", pairs),
        _draw_errors(predictions, views, folder),
    ]
    result = {
        **{key: settings[key] for key in ("name", "group", "tags", "seed")},
        **_measured(recognizer, curves, checkpoints, predictions),
        # With folds, each image is read by a recogniser that was not trained on it.
        **_met(begun if material.folds else seen, material, predictions),
        "test/confused": metrics.most_confused(pairs),
        **_size_of(material, recognizer),
        **_learned(material, len(curves.rows), seen),
        **provenance(),
    }
    return RunReport(result, predictions, views, pairs, drawn)


def tested(material: Material, recognizer: Recognizer) -> list[Prediction]:
    """Return the predictions for the test part; with limited batches, for its first images only."""
    samples, texts = material.parts["test"].samples, recognizer.texts["test"]
    return [
        Prediction(sample.name, text, reading.text, reading.confidence)
        for sample, text, reading in zip(samples, texts, recognizer.readings, strict=False)
    ]


def _measured(
    recognizer: Recognizer, curves: Curves, checkpoints: Checkpoints, predictions: Sequence[Prediction]
) -> dict[str, Any]:
    texts, answers = [p.text for p in predictions], [p.answer for p in predictions]
    measured = metrics.of_readings(texts, answers, [p.confidence for p in predictions])
    own = metrics.of_own(recognizer.own_metrics, texts, answers)
    right = sum(text == answer for text, answer in zip(texts, answers, strict=True))
    return {
        # Training metrics of the last epoch, beside those of the best weights: the gap shows overfitting.
        **{name: value for row in curves.rows[-1:] for name, value in row.items() if name.startswith("train/")},
        **{name: value for name, value in recognizer.measured.items() if not name.startswith("train/")},
        **{f"test/{name}": value for name, value in {**measured, **own}.items()},
        "test/exact_ci": metrics.wilson(right, len(predictions)),
        "test/images": len(predictions),
        **{f"{part}/confused": pairs for part, pairs in recognizer.confused.items()},
        "train/seconds": round(curves.seconds, 2),
        "train/cpu_seconds": round(curves.cpu_seconds, 2),
        "train/images": curves.images,
        "train/images_per_second": round(curves.images_per_second, 1),
        "train/epochs": len(curves.rows),
        "best/epoch": checkpoints.best_epoch,
    }


def _learned(material: Material, epochs: int, seen: Seen | None) -> dict[str, Any]:
    """Return the number of training images, and of each fold's.

    Without epochs, the number is that of the images which the starting runs learned from, None if unknown.
    """
    part = material.parts["train"]
    count: int | None = len(part) * (epochs if part.renewed else 1)
    in_fold: int | None = material.fold_train
    if not epochs:
        count = in_fold = None if seen is None else len(seen.learned)
    return {"data/train": count, **({"data/fold_train": in_fold} if material.folds else {})}


def _met(seen: Seen | None, material: Material, predictions: Sequence[Prediction]) -> dict[str, Any]:
    places = material.parts["test"].places[: len(predictions)]  # with limited batches, the first images only
    tested = Tested(material.source, material.kept, places)
    return met(seen, tested, [p.text == p.answer for p in predictions]) | {"test/truth": material.source.truth}


def _size_of(material: Material, recognizer: Recognizer) -> dict[str, Any]:
    codec = recognizer.codec
    return {
        "params": sum(p.numel() for p in recognizer.model.parameters()),
        "alphabet": codec.alphabet.symbols,
        "length": [codec.shortest, codec.longest],
        "view/shape": list(material.shape),
        **{f"data/{name}": len(part) for name, part in material.parts.items() if name != "train"},
        **({"data/folds": material.folds} if material.folds else {}),
        "data/bad": len(material.bad),
        "data/hash": material.hash,
    }


class _Pictures:
    """Images of a part by number, each [height, width, channel]; cut characters stand side by side."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def __getitem__(self, number: int) -> np.ndarray:
        return _side_by_side(self._part.views[self._part.places[number]])


def _side_by_side(view: np.ndarray) -> np.ndarray:
    return np.array(view) if view.ndim == 3 else np.concatenate(list(view), axis=1)


def draw_inputs(material: Material, codec: Codec, data: Captchas, folder: RunFolder) -> None:
    """Write a sheet of training views after augmentation, with their labels."""
    part = material.parts["train"]
    numbers = np.arange(min(PICTURED, len(part)))
    batch = Views(part, codec, data.augment, data.seed)[Request(0, numbers)]
    views = [_side_by_side(np.moveaxis(view, -3, -1)) for view in batch.views.numpy()]
    captions = codec.spell(batch.targets.numpy())
    pictures.sheet(folder.pictures / "inputs.png", views, captions, "inputs of the recogniser")


def _draw_errors(predictions: Sequence[Prediction], views: _Pictures, folder: RunFolder) -> Path:
    """Write a sheet of the wrong predictions that have the highest confidence."""
    wrong = [i for i, p in enumerate(predictions) if p.text != p.answer]
    worst = sorted(wrong, key=lambda i: -predictions[i].confidence)[:PICTURED]
    captions = [f"{p.text} read as {p.answer or '∅'} ({p.confidence:.2f})" for p in (predictions[i] for i in worst)]
    of_all = f"of {len(predictions):,} test images"
    title = f"worst errors, {len(wrong):,} {of_all}" if wrong else f"no error {of_all}"
    return pictures.sheet(folder.pictures / "errors.png", [views[i] for i in worst], captions, title, pictures.WRONG)
