"""One experiment from settings to record: check, build, train, test, write."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import Any

from capbench.data.augment import Augment
from capbench.data.material import Material
from capbench.data.sources.base import Source
from capbench.data.views import View
from capbench.errors import DISK_FULL, Mistake
from capbench.label.panel import SelfTraining
from capbench.models import Model
from capbench.render.style import Style
from capbench.report import table
from capbench.runs import RunFolder
from capbench.settings import build, check
from capbench.sweep.results import worth
from capbench.text import Alphabet
from capbench.train import doubts, record
from capbench.train.build import Callbacks, Experiment, Metrics, check_callbacks, check_sharing
from capbench.train.callbacks import Checkpoints, Curves, callback
from capbench.train.choose import choose
from capbench.train.closing import advice, commands
from capbench.train.console import introduce, is_rank_zero, quieten, say
from capbench.train.duration import Duration
from capbench.train.fit import learn, test_by_folds, trial_of
from capbench.train.loggers import Logging
from capbench.train.optim import Optim
from capbench.train.trainer import TrainerSettings
from capbench.types import CountOrZero, Positive, Seed


def schema(
    *,
    name: str,
    group: str | None,
    tags: list[str],
    seed: Seed,
    start: str | list[str] | None,
    trial: CountOrZero | None,
    cache: str | None,
    minutes: Positive | None = None,
    alphabet: Alphabet,
    style: Style,
    data: Source,
    view: View,
    augment: Augment,
    model: Model,
    optim: Optim,
    trainer: TrainerSettings,
    logger: Logging,
    callbacks: Callbacks | None = None,
    metrics: Metrics | None = None,
    self_train: SelfTraining | None,
    doubts: bool = False,
) -> None:
    """Names and types of an experiment's settings; `check` reads this signature."""


def run(settings: dict[str, Any], folder: RunFolder, *, resumed: bool, sweeping: bool = False) -> float:
    """Train, test and record; return exact accuracy on validation, or on test where folds leave no validation."""
    quieten()
    if resumed and folder.result.exists():
        say(f"{folder.path} is finished already", *table.results(folder.read_result()).split("\n"))
        return worth(folder.read_result())
    experiment = _begun(settings, folder, resumed=resumed, sweeping=sweeping)
    failed = True
    try:
        with folder.held() if is_rank_zero() else nullcontext():
            folder.check_data(experiment.material.hash, writes=is_rank_zero())
            exact = train_and_record(experiment, folder)
        failed = False
        return exact
    except (KeyboardInterrupt, SystemExit):  # Lightning turns Ctrl-C into SystemExit
        where = os.path.relpath(folder.path)
        say("", f"stopped; the last whole epoch is kept: continue with resume={where}")
        sys.exit(130)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise Mistake(
            f"{folder.path}: no room on the disk ({error.strerror}); what was written before is intact: "
            f"make room and continue with resume={folder.path}"
        ) from error
    finally:
        experiment.logging.close(failed)


def _begun(settings: dict[str, Any], folder: RunFolder, *, resumed: bool, sweeping: bool) -> Experiment:
    """Return the experiment in its folder, which has the settings before the images are looked at and read.

    So a training that is killed meanwhile can be resumed. One that is refused leaves nothing.
    """
    begins = is_rank_zero() and not resumed
    if begins:
        folder.begin(settings)
    try:
        chosen = choose(settings)
        experiment = prepare(chosen, sweeping=sweeping)
    except BaseException:
        if begins:
            folder.abandon()
        raise
    if is_rank_zero() and chosen != settings:
        folder.settle(chosen)
    return experiment


def prepare(settings: dict[str, Any], *, sweeping: bool = False) -> Experiment:
    """Check the settings and build the experiment; raise Mistake for any setting that is wrong."""
    check(settings, schema)
    trainer_settings: TrainerSettings = build(settings["trainer"])
    if sweeping and trainer_settings.relaunches:
        raise Mistake(
            "trainer: a job of a sweep cannot start several processes, because each would run the whole sweep; "
            "add hydra/launcher=processes, or give each job one device"
        )
    optim: Optim = build(settings["optim"])
    source: Source = build(settings["data"])
    view: View = build(settings["view"])
    augment: Augment = build(settings["augment"])
    material = Material(source, view, build(settings["alphabet"]), settings["cache"])
    if source.renewed and isinstance(optim.epoch_images, int):
        raise Mistake(
            "optim.epoch_images: does not apply to fresh images; set the number of images of an epoch with data.split.train"
        )
    if trainer_settings.patience is not None and not material.validates:
        raise Mistake("trainer.patience: needs validation images; set data.split.val, or trainer.patience=null")
    logging: Logging = build(settings["logger"])
    check_callbacks(settings, trainer_settings, logging, material)
    if settings.get("doubts"):
        doubts.check(material, trainer_settings.devices * trainer_settings.nodes)
        optim = doubts.without_halves(optim)
    experiment = Experiment.on(material, augment, optim, trainer_settings, logging, settings)
    check_sharing(trainer_settings, optim, material, experiment.recognizer.model)
    return experiment


def train_and_record(experiment: Experiment, folder: RunFolder) -> float:
    """Train, test the best weights, write the record; return exact accuracy on validation, or on test without it."""
    recognizer, data, material = experiment.recognizer, experiment.data, experiment.material
    leads = is_rank_zero()
    loggers = experiment.logging.open(folder.path, experiment.settings) if leads else []
    if leads:
        introduce(experiment)
        record.draw_inputs(material, experiment.codec, data, folder)
    predictions = test_by_folds(experiment, folder) if material.folds else None
    trainer = experiment.trainer(folder, loggers)
    trial, duration = trial_of(experiment, trainer, folder), Duration(experiment)
    trainer.callbacks.append(duration)  # type: ignore[attr-defined]
    learn(experiment, trainer, folder)
    if material.validates:
        trainer.validate(recognizer, datamodule=data, verbose=False)
    if predictions is None:
        trainer.test(recognizer, datamodule=data, verbose=False)
        predictions = record.tested(material, recognizer)
    if not leads:
        return worth(recognizer.measured)
    curves, checkpoints = callback(trainer, Curves), callback(trainer, Checkpoints)
    report = record.write(
        experiment.settings, material, recognizer, curves, checkpoints, predictions, experiment.begun, folder
    )
    report.result["train/precision"] = experiment.trainer_settings.used_precision
    if trial is not None:
        report.result.update({"trial": trial.number, "pruned": trial.pruned})
        if trial.pruned is not None:
            say(f"stopped early after epoch {trial.pruned}: the median of the other trials was better")
    doubtful = None
    if experiment.settings.get("doubts"):
        doubtful = doubts.find(experiment, build(experiment.settings["optim"]), folder)
        report.result["data/doubtful"] = len(doubtful.found)
    experiment.logging.report(report)
    folder.write_result(report.result)  # written last: its presence marks a finished run
    where = os.path.relpath(folder.path)
    told = advice(experiment, curves.rows)
    say(*table.results(report.result).split("\n"), *([""] if told else []), *told)
    duration.correct()
    if doubtful is not None:
        doubts.tell(doubtful, folder)
    say("", f"run folder:  {where}", f"pictures:    {where}/{folder.pictures.name}")
    say(*commands(where, experiment.settings))
    return worth(report.result)
