"""One experiment from settings to record, as it reads: check, build, train, test, write down."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from tqdm import tqdm

from capbench.data.augment import Augment
from capbench.data.datamodule import Captchas
from capbench.data.material import Material
from capbench.data.seen import Seen
from capbench.data.sources.base import Source
from capbench.data.sources.folder import Folder
from capbench.data.views import View
from capbench.errors import DISK_FULL, Mistake, lines
from capbench.inference.reader import Reader
from capbench.label.panel import SelfTraining
from capbench.models import Model, PerCharacter
from capbench.models.committee import Committee
from capbench.render.style import Style
from capbench.report import table
from capbench.runs import Prediction, RunFolder
from capbench.settings import build, check, target_class
from capbench.sweep.results import worth
from capbench.sweep.study import Trial
from capbench.text import Alphabet, Codec
from capbench.train import record
from capbench.train.loggers import Destination
from capbench.train.optim import Optim
from capbench.train.recognizer import Recognizer
from capbench.train.trainer import Checkpoints, Curves, Hardware, Pruning, bar, callback
from capbench.types import CountOrZero, Seed

EXAMPLES = 3  # labels that a run shows before it begins


def schema(
    *,
    name: str,
    group: str | None,
    tags: list[str],
    seed: Seed,
    start: str | list[str] | None,
    trial: CountOrZero | None,
    cache: str | None,
    alphabet: Alphabet,
    style: Style,
    data: Source,
    view: View,
    augment: Augment,
    model: Model,
    optim: Optim,
    trainer: Hardware,
    logger: Destination,
    self_train: SelfTraining | None,
) -> None:
    """The settings of an experiment, by name and type; the check reads this signature."""


@dataclass
class Experiment:
    """Everything a training needs, built and found sound."""

    settings: dict[str, Any]
    material: Material
    codec: Codec
    data: Captchas
    recognizer: Recognizer
    optim: Optim
    hardware: Hardware
    destination: Destination
    begun: Seen | None
    """What was met of images by the runs that this one begins with; None where that is not known"""

    @classmethod
    def on(
        cls,
        material: Material,
        augment: Augment,
        optim: Optim,
        hardware: Hardware,
        destination: Destination,
        settings: dict[str, Any],
    ) -> Experiment:
        """What the settings describe, with a recogniser for this material that has learned nothing of it yet."""
        pl.seed_everything(settings["seed"], verbose=False)
        model, codec = build_model(settings["model"], material)
        begun: Seen | None = Seen()
        if settings["start"] is not None:
            begun = begin_with(settings["start"], model, codec)
        elif not optim.epochs and not model.in_one_pass:
            raise Mistake("optim.epochs: 0 teaches nothing; set at least 1, or say with start= which run is tested")
        if hardware.compile:
            model.compile()  # in place: the names of the weights stay
        data = Captchas(
            material,
            codec,
            augment,
            batch_size=optim.batch_size,
            workers=hardware.workers,
            seed=settings["seed"],
            whole_epochs=model.in_one_pass,
            epoch_images=None if model.in_one_pass else optim.epoch_images,
        )
        texts = {name: material.parts[name].texts for name in ("val", "test")}
        pose_numbers = _pose_numbers(material, model, hardware) if optim.poses else 0
        recognizer = Recognizer(model, codec, optim, texts, settings["seed"], pose_numbers)
        return cls(settings, material, codec, data, recognizer, optim, hardware, destination, begun)

    @property
    def trains(self) -> bool:
        """Whether it learns anything: without epochs, what it begins with is tested as it is."""
        return self.recognizer.model.in_one_pass or self.optim.epochs > 0

    def fold(self, number: int) -> Experiment:
        """The same with this fold as the test part."""
        hardware = replace(self.hardware, progress=False)  # one bar over all folds
        material = self.material.fold(number)
        return self.on(material, self.data.augment, self.optim, hardware, self.destination, self.settings)

    def trainer(self, folder: RunFolder, loggers: list[Logger]) -> pl.Trainer:
        return self.hardware.trainer(
            self.optim,
            folder.path,
            loggers,
            one_pass=self.recognizer.model.in_one_pass,
            validates=self.material.validates,
        )


def run(settings: dict[str, Any], folder: RunFolder, *, resumed: bool, sweeping: bool = False) -> float:
    """Train, test and record; returns exact accuracy on validation, or on test where folds leave no validation."""
    quieten()
    if resumed and folder.result.exists():
        _say(f"{folder.path} is finished already", *table.results(folder.read_result()).split("\n"))
        return worth(folder.read_result())
    experiment = prepare(settings, sweeping=sweeping)
    if not resumed and _leads():
        folder.begin(settings)
    failed = True
    try:
        with folder.held() if _leads() else nullcontext():
            folder.check_data(experiment.material.hash, writes=_leads())
            exact = train_and_record(experiment, folder)
        failed = False
        return exact
    except (KeyboardInterrupt, SystemExit):  # the latter is Lightning's answer to Ctrl-C
        where = os.path.relpath(folder.path)
        _say("", f"stopped; what was learned up to the last whole epoch is kept: go on with resume={where}")
        sys.exit(130)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise Mistake(
            f"{folder.path}: no room on the disk ({error.strerror}); what was written before is intact: "
            f"make room and go on with resume={folder.path}"
        ) from error
    finally:
        experiment.destination.close(failed)


def prepare(settings: dict[str, Any], *, sweeping: bool = False) -> Experiment:
    """Check the settings and build what they describe. Whatever is wrong with them is found here."""
    check(settings, schema)
    hardware: Hardware = build(settings["trainer"])
    if sweeping and hardware.relaunches:
        raise Mistake(
            "trainer: several processes cannot be started from within a sweep's own, each would run all of it; "
            "add hydra/launcher=processes, or give each job one device"
        )
    optim: Optim = build(settings["optim"])
    source: Source = build(settings["data"])
    view: View = build(settings["view"])
    augment: Augment = build(settings["augment"])
    material = Material(source, view, build(settings["alphabet"]), settings["cache"])
    if source.renewed and optim.epoch_images is not None:
        raise Mistake(
            "optim.epoch_images: fresh images never come again; say with data.split.train how many an epoch has"
        )
    if hardware.patience is not None and not material.validates:
        raise Mistake(
            "trainer.patience: there is no validation to wait for; set data.split.val, or trainer.patience=null"
        )
    experiment = Experiment.on(material, augment, optim, hardware, build(settings["logger"]), settings)
    _check_sharing(hardware, optim, material, experiment.recognizer.model)
    return experiment


def _check_sharing(hardware: Hardware, optim: Optim, material: Material, model: Model) -> None:
    """Several processes share every batch evenly, and each has something to validate and test."""
    processes = hardware.devices * hardware.nodes
    if processes == 1:
        return
    if material.folds:
        raise Mistake("trainer: folds are trained in one process; choose trainer=cpu or trainer=gpu")
    if model.in_one_pass:
        raise Mistake("trainer: what learns in one pass runs in one process; choose trainer=cpu or trainer=gpu")
    if optim.batch_size % processes:
        raise Mistake(
            f"optim.batch_size: {optim.batch_size} images cannot be shared evenly by {processes} processes; "
            f"choose a multiple of {processes}"
        )
    if optim.epoch_images is not None and optim.epoch_images < processes:
        raise Mistake(
            f"optim.epoch_images: {optim.epoch_images} images cannot be shared by {processes} processes; show more"
        )
    for name, part in material.parts.items():
        if len(part) < processes and (name != "val" or material.validates):
            raise Mistake(f"data.split.{name}: {len(part)} images are fewer than {processes} processes; add some")


def build_model(settings: dict[str, Any], material: Material) -> tuple[Model, Codec]:
    """The recogniser for this material, and the codec for its scores."""
    view = material.view
    over = target_class(settings).over
    codec = material.codec(over)
    if view.cuts and over == "time":
        raise Mistake("model: what reads over time reads whole images; choose view=whole, or another model")
    positions = 1 if view.cuts else codec.longest
    model: Model = build(settings, material.shape, positions, codec.classes)
    if view.cuts:
        model = PerCharacter(model)
    if over == "time":
        with torch.no_grad():
            steps = model.eval()(torch.zeros(1, *material.shape)).shape[1]
        model.train()
        if steps < 2 * codec.longest - 1:
            raise Mistake(
                f"view.size: gives {steps} steps of time and texts of {codec.longest} may need "
                f"{2 * codec.longest - 1}; make the view wider"
            )
    return model, codec


def _pose_numbers(material: Material, model: Model, hardware: Hardware) -> int:
    """How many numbers tell how a character was drawn, where that can be learned."""
    numbers = material.parts["train"].poses.shape[-1]
    if not numbers:
        raise Mistake(
            "optim.poses: only CapBench's renderer tells how characters were drawn; choose data=synthetic "
            "data.renderer=capbench, or optim.poses=0"
        )
    if not model.seen_channels:
        raise Mistake(
            "optim.poses: this model does not look at each character of a whole image; choose model=cnn or resnet "
            "with model.pool=attend and view=whole, or optim.poses=0"
        )
    if hardware.compile:
        raise Mistake("optim.poses: is not compiled; choose trainer.compile=false, or optim.poses=0")
    return numbers


def begin_with(start: str | list[str], model: Model, codec: Codec) -> Seen | None:
    """Give the recogniser what another run learned, or each member of a committee what one of several runs did.

    Returns what these runs have met of images, None where that is not known.
    """
    if isinstance(start, str):
        return _take(start, model, codec)
    body = model.model if isinstance(model, PerCharacter) else model
    if not isinstance(body, Committee):
        raise Mistake("start: several runs are a committee's; choose model=committee, or one run")
    if len(start) != len(body.members):
        raise Mistake(f"start: names {len(start)} runs for {len(body.members)} members; set model.size={len(start)}")
    seen = []
    for run, member in zip(start, body.members, strict=True):
        assert isinstance(member, Model)
        seen.append(_take(run, PerCharacter(member) if body is not model else member, codec))
    return Seen.by_all(seen)


def _take(start: str, model: Model, codec: Codec) -> Seen | None:
    folder = RunFolder(Path(start))
    known = Reader.of(folder)
    if model.in_one_pass:
        raise Mistake("start: what learns in one pass keeps nothing of another run; choose start=null")
    if known.codec.alphabet.symbols != codec.alphabet.symbols:
        raise Mistake(
            f"start: {start} reads {known.codec.alphabet.symbols!r}, this one {codec.alphabet.symbols!r}; "
            f"train it with the same alphabet"
        )
    try:
        model.load_state_dict(known.model.state_dict())
    except RuntimeError as error:
        raise Mistake(f"start: {start} has another model, view or data.length; train it with the same") from error
    return Seen.read(folder)


def train_and_record(experiment: Experiment, folder: RunFolder) -> float:
    """Train, test the best weights, and write down what came of it; returns exact accuracy on validation."""
    recognizer, data, material = experiment.recognizer, experiment.data, experiment.material
    leads = _leads()
    loggers = experiment.destination.open(folder.path, experiment.settings) if leads else []
    if leads:
        _introduce(experiment)
        record.draw_inputs(material, experiment.codec, data, folder)
    predictions = _test_by_folds(experiment, folder) if material.folds else None
    trainer = experiment.trainer(folder, loggers)
    trial = _trial(experiment, trainer, folder)
    _learn(experiment, trainer, folder)
    if material.validates:
        trainer.validate(recognizer, datamodule=data, verbose=False)
    if predictions is None:
        trainer.test(recognizer, datamodule=data, verbose=False)
        predictions = record.tested(material, recognizer)
    if not leads:
        return worth(recognizer.measured)
    curves, checkpoints = callback(trainer, Curves), callback(trainer, Checkpoints)
    story = record.write(
        experiment.settings, material, recognizer, curves, checkpoints, predictions, experiment.begun, folder
    )
    if trial is not None:
        story.result.update({"trial": trial.number, "pruned": trial.pruned})
        if trial.pruned is not None:
            _say(f"given up after epoch {trial.pruned}: the median of the search's other trials was better")
    experiment.destination.tell(story)
    folder.write_result(story.result)  # last: its presence says that the folder is whole
    where = os.path.relpath(folder.path)
    _say(*table.results(story.result).split("\n"))
    _say("", f"run folder: {where}", f"pictures:   {where}/{folder.pictures.name}")
    return worth(story.result)


def _trial(experiment: Experiment, trainer: pl.Trainer, folder: RunFolder) -> Trial | None:
    """Let the search that this run is a trial of end it early; without validation there is nothing to judge it by."""
    number = experiment.settings["trial"]
    if number is None:
        return None
    trial = Trial(folder.path, number)
    if experiment.material.validates:
        trainer.callbacks.append(Pruning(trial))  # type: ignore[attr-defined]
    return trial


def _learn(experiment: Experiment, trainer: pl.Trainer, folder: RunFolder) -> None:
    """Train from the last checkpoint on, if there is one, and take the best weights; without epochs keep what began."""
    recognizer = experiment.recognizer
    if not trainer.max_epochs:
        return
    last = folder.last if folder.last.exists() else None
    trainer.fit(recognizer, datamodule=experiment.data, ckpt_path=last, weights_only=True)
    best = torch.load(folder.best, map_location="cpu", weights_only=True)
    recognizer.load_state_dict(best["state_dict"])


def _test_by_folds(experiment: Experiment, folder: RunFolder) -> list[Prediction]:
    """Read each image with a recogniser that was trained without it; what was read before stays as it is."""
    material = experiment.material
    names = np.array([sample.name for sample in material.parts["test"].samples])
    read = {prediction.filename: prediction for prediction in folder.read_predictions()}
    epochs = 1 if experiment.recognizer.model.in_one_pass else experiment.optim.epochs
    with bar(material.folds * epochs, "folds", "epoch", wanted=experiment.hardware.progress) as shown:
        for number in range(material.folds):
            if not read.keys() >= set(names[material.fold_of == number].tolist()):
                for prediction in _test_fold(experiment.fold(number), folder.fold(number), shown):
                    read[prediction.filename] = prediction
                folder.write_predictions([read[name] for name in names.tolist() if name in read])
                shutil.rmtree(folder.fold(number).path)
            right = sum(prediction.text == prediction.answer for prediction in read.values())
            so_far = {"fold": f"{number + 1}/{material.folds}", "test/exact": f"{right / len(read):.4f}"}
            shown.set_postfix(so_far, refresh=False)
            shown.update((number + 1) * epochs - shown.n)
    shutil.rmtree(folder.fold(0).path.parent, ignore_errors=True)
    return folder.read_predictions()


def _test_fold(experiment: Experiment, folder: RunFolder, shown: tqdm) -> list[Prediction]:
    """What a recogniser reads of the images that this fold leaves out of its training."""
    folder.path.mkdir(parents=True, exist_ok=True)
    trainer = experiment.trainer(folder, [])
    trainer.callbacks.append(LambdaCallback(on_train_epoch_end=lambda *_: shown.update()))  # type: ignore[attr-defined]
    _learn(experiment, trainer, folder)
    trainer.test(experiment.recognizer, datamodule=experiment.data, verbose=False)
    return record.tested(experiment.material, experiment.recognizer)


def _leads() -> bool:
    """Whether this process is the only one, or the first of several: the one that writes."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _introduce(experiment: Experiment) -> None:
    """What was composed, and what of the data to know before it runs."""
    material, codec = experiment.material, experiment.codec
    for left_out in material.bad:
        _say(f"left out: {left_out}")
    for doubt in material.doubts:
        _say(f"doubtful: {doubt}")
    if material.unseen:
        _say(f"training never shows {material.unseen!r}: texts with them will count as mistakes")
    if isinstance(material.source, Folder):
        found = ", ".join(f"{sample.name} is {sample.text!r}" for sample in material.source.samples[:EXAMPLES])
        _say(f"labels: {found}, …")
    used = {name: len(part) for name, part in material.parts.items() if experiment.trains or name != "train"}
    sizes = ", ".join(f"{name} {count:,}" for name, count in used.items() if count)
    sizes += f" in {material.folds} folds" if material.folds else ""
    length = f"{codec.longest}" if codec.shortest == codec.longest else f"{codec.shortest} to {codec.longest}"
    model = experiment.settings["model"]["_target_"].rpartition(".")[2]
    size = sum(p.numel() for p in experiment.recognizer.model.parameters())
    _say(
        f"images: {sizes}; {length} of {len(codec.alphabet.symbols)} symbols; "
        f"view {'×'.join(map(str, material.shape))}; {model} with {size:,} parameters"
    )


@rank_zero_only
def _say(*told: str) -> None:
    print(lines(told), flush=True)


def quieten() -> None:
    """Lightning's greetings and hints say nothing about the experiment."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|torch\..*")
