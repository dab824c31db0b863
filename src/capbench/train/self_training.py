"""Self-training on raw images without human labels.

Engines label the images, a recogniser is trained on the labels, and its readings help to label again.

A recogniser that was trained on a wrong label repeats the error. Therefore the images of a round are split into folds,
and each labelled image is relabelled by a recogniser that was not trained on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capbench.errors import Mistake
from capbench.label import label
from capbench.label.engines.trained import Trained
from capbench.label.panel import RUN
from capbench.runs import RunFolder
from capbench.settings import build, check
from capbench.text import Reading
from capbench.train import experiment


def run(settings: dict[str, Any], folder: RunFolder, *, resumed: bool) -> float:
    """Run all rounds; the last round trains in `folder`, the earlier ones in its subfolders. Return its exact accuracy.

    Finished rounds are skipped when resumed, and readings of the engines are reused in later rounds.
    """
    check(settings, experiment.schema)
    build(settings["self_train"])  # raises Mistake for settings that contradict each other, before any image is read
    plan = settings["self_train"]
    if not resumed:
        folder.begin(settings)
    exact = 0.0
    engines = plan["label"]["engines"]
    for number in range(1, plan["rounds"] + 1):
        last = number == plan["rounds"]
        labels = folder.path / f"labels_{number}.csv"
        if not labels.exists():
            panel, known = plan["label"], {}
            if number > 1:
                known = {RUN: _held_out(_round(folder, number - 1))}
                trained = {"_target_": f"{Trained.__module__}.Trained", "run": str(_round(folder, number - 1).path)}
                panel = {**panel, "engines": {RUN: trained, **engines}, "agree": plan["agree"]}
            print(f"round {number} of {plan['rounds']}: labelling", flush=True)
            with folder.held():
                _label(settings, panel, known, folder, labels)
        data = {**settings["data"], "labels": str(labels), **({} if last else {"split": plan["split"]})}
        print(f"round {number} of {plan['rounds']}: training", flush=True)
        training = folder if last else _round(folder, number)
        round_settings = {**settings, "data": data, "self_train": plan if last else None}
        if not last:
            round_settings["trial"] = None  # a search judges only the last round
            round_settings["doubts"] = False
        exact = experiment.run(round_settings, training, resumed=training.config.exists())
    return exact


def _round(folder: RunFolder, number: int) -> RunFolder:
    return RunFolder(folder.path / f"round_{number}")


def _held_out(round_: RunFolder) -> dict[str, Reading]:
    """Return a round's readings of images that it was not trained on.

    Each character gets the confidence of the whole text, which is a lower bound of its own.
    """
    return {
        prediction.filename: Reading(
            prediction.answer, prediction.confidence, (prediction.confidence,) * len(prediction.answer)
        )
        for prediction in round_.read_predictions()
    }


def _label(
    settings: dict[str, Any],
    panel: dict[str, Any],
    known: Mapping[str, Mapping[str, Reading]],
    folder: RunFolder,
    labels: Path,
) -> None:
    """Write the labels of this round; the file gets its final name only when complete."""
    out = folder.path / "labels.csv"
    summary = label.run(
        {
            "images": settings["data"]["root"],
            "out": str(out),
            "length": settings["data"]["length"],
            "corrections": None,
            "gold": None,
            "prompt": False,
            "alphabet": settings["alphabet"],
            "label": panel,
        },
        known,
    )
    print(summary, flush=True)
    if len(out.read_text(encoding="utf-8").splitlines()) < 2:
        raise Mistake(
            f"self_train: the engines agree on no image of {settings['data']['root']}; make label.agree less strict"
        )
    shutil.copy(folder.path / "labels" / "report.json", labels.with_suffix(".json"))
    shutil.copy(out, labels.with_suffix(".part"))
    labels.with_suffix(".part").replace(labels)
