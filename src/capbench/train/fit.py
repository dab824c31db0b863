"""Training loops: one training, resumed if it has a checkpoint; a trial of a search; each fold."""

from __future__ import annotations

import shutil

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from tqdm import tqdm

from capbench.errors import Mistake, first_line
from capbench.runs import Prediction, RunFolder
from capbench.sweep.study import Trial
from capbench.train import record
from capbench.train.build import Experiment
from capbench.train.callbacks import Pruning
from capbench.train.duration import Duration
from capbench.train.progress import bar


def trial_of(experiment: Experiment, trainer: pl.Trainer, folder: RunFolder) -> Trial | None:
    """Return the search's trial for this run, or None where no search started the run.

    If there is validation, add the callback that lets the search prune the run.
    """
    number = experiment.settings["trial"]
    if number is None:
        return None
    trial = Trial(folder.path, number)
    if experiment.material.validates:
        trainer.callbacks.append(Pruning(trial))  # type: ignore[attr-defined]
    return trial


def learn(experiment: Experiment, trainer: pl.Trainer, folder: RunFolder) -> None:
    """Train from the last checkpoint, if any, and load the best weights; with zero epochs keep the starting weights."""
    recognizer = experiment.recognizer
    if not trainer.max_epochs:
        return
    last = folder.last if folder.last.exists() else None
    try:
        trainer.fit(recognizer, datamodule=experiment.data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise Mistake(f"trainer: Lightning refuses trainer.extra or callbacks ({first_line(error)})") from error
    best = torch.load(folder.best, map_location="cpu", weights_only=True)
    recognizer.load_state_dict(best["state_dict"])


def test_by_folds(experiment: Experiment, folder: RunFolder) -> list[Prediction]:
    """Return a prediction for each image by a recogniser trained without that image.

    Folds that were predicted before an interruption are skipped.
    """
    material = experiment.material
    names = np.array([sample.name for sample in material.parts["test"].samples])
    read = {prediction.filename: prediction for prediction in folder.read_predictions()}
    untrained = [n for n in range(material.folds) if not read.keys() >= set(names[material.fold_of == n].tolist())]
    epochs = 1 if experiment.recognizer.model.gradient_free else experiment.optim.epochs or 0
    with bar(material.folds * epochs, "folds", "epoch", wanted=experiment.trainer_settings.progress) as shown:
        for number in range(material.folds):
            if number in untrained:
                fold = experiment.fold(number)
                # The first tells the duration of all, with the training on all images that comes after the folds.
                told = [Duration(fold, len(untrained) + 1)] if number == untrained[0] else []
                for prediction in _test_fold(fold, folder.fold(number), [*told, _counts(shown)]):
                    read[prediction.filename] = prediction
                folder.write_predictions([read[name] for name in names.tolist() if name in read])
                shutil.rmtree(folder.fold(number).path)
            right = sum(prediction.text == prediction.answer for prediction in read.values())
            so_far = {"fold": f"{number + 1}/{material.folds}", "test/exact": f"{right / len(read):.4f}"}
            shown.set_postfix(so_far, refresh=False)
            shown.update((number + 1) * epochs - shown.n)
    shutil.rmtree(folder.fold(0).path.parent, ignore_errors=True)
    return folder.read_predictions()


def _counts(shown: tqdm) -> pl.Callback:
    """Return the callback that moves the bar on after each epoch."""
    return LambdaCallback(on_train_epoch_end=lambda *_: shown.update())


def _test_fold(experiment: Experiment, folder: RunFolder, callbacks: list[pl.Callback]) -> list[Prediction]:
    """Train on the other folds and return the predictions for this fold."""
    folder.path.mkdir(parents=True, exist_ok=True)
    trainer = experiment.trainer(folder, [])
    trainer.callbacks.extend(callbacks)  # type: ignore[attr-defined]
    learn(experiment, trainer, folder)
    trainer.test(experiment.recognizer, datamodule=experiment.data, verbose=False)
    return record.tested(experiment.material, experiment.recognizer)
