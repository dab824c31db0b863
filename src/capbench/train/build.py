"""Construction of an experiment's parts from checked settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import StringConstraints
from pytorch_lightning.callbacks import DeviceStatsMonitor, LearningRateMonitor
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from capbench import metrics
from capbench.compare.ranking import LESS_IS_BETTER
from capbench.data.augment import Augment
from capbench.data.datamodule import Captchas
from capbench.data.material import Material
from capbench.data.seen import Seen
from capbench.errors import Mistake, first_line
from capbench.metrics import Metric
from capbench.models import Model, PerCharacter
from capbench.runs import RunFolder
from capbench.settings import OrOf, build, target_class
from capbench.text import Codec
from capbench.train.loggers import Logging, NoLogging
from capbench.train.optim import Optim
from capbench.train.recognizer import Recognizer
from capbench.train.start import begin_with
from capbench.train.trainer import TrainerSettings

OF_LIGHTNING = OrOf("pytorch_lightning.callbacks")
Callbacks = dict[str, Annotated[pl.Callback, OF_LIGHTNING]]
"""Callbacks of Lightning or of the user's own, by names of the user's choice."""
Metrics = dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], Metric]
"""Metrics of the user's own, by the names that they have in metrics.csv and result.json."""


@dataclass
class Experiment:
    """Parts of one training, built from checked settings."""

    settings: dict[str, Any]
    material: Material
    codec: Codec
    data: Captchas
    recognizer: Recognizer
    optim: Optim
    trainer_settings: TrainerSettings
    logging: Logging
    begun: Seen | None
    """Images met by the runs that `start` names; None where these runs have no record of them."""

    @classmethod
    def on(
        cls,
        material: Material,
        augment: Augment,
        optim: Optim,
        trainer_settings: TrainerSettings,
        logging: Logging,
        settings: dict[str, Any],
    ) -> Experiment:
        """Build the experiment on loaded material.

        The recogniser is untrained, or has the weights of the runs that `start` names.
        """
        pl.seed_everything(settings["seed"], verbose=False)
        model, codec = build_model(settings["model"], material)
        begun: Seen | None = Seen()
        if settings["start"] is not None:
            begun = begin_with(settings["start"], model, codec)
        elif optim.epochs == 0 and not model.gradient_free:
            raise Mistake("optim.epochs: 0 trains nothing; set at least 1, or give start=RUN to test that run")
        if trainer_settings.compile:
            model.compile()  # in place, so that the names of the weights do not change
        data = Captchas(
            material,
            codec,
            augment,
            batch_size=optim.batch_size,
            workers=trainer_settings.workers,
            seed=settings["seed"],
            whole_epochs=model.gradient_free,
            epoch_images=None if model.gradient_free else optim.shown(material),
        )
        texts = {name: material.parts[name].texts for name in ("val", "test")}
        pose_numbers = pose_count(material, model, trainer_settings) if optim.poses else 0
        own_metrics = build_metrics(settings.get("metrics") or {})
        recognizer = Recognizer(model, codec, optim, texts, settings["seed"], pose_numbers, own_metrics)
        return cls(settings, material, codec, data, recognizer, optim, trainer_settings, logging, begun)

    @property
    def trains(self) -> bool:
        """True if the experiment trains; without epochs the starting weights are tested unchanged."""
        return self.recognizer.model.gradient_free or self.optim.epochs != 0

    def fold(self, number: int) -> Experiment:
        """Return the same experiment, newly built, with fold `number` as the test part."""
        trainer_settings = replace(self.trainer_settings, progress=False)  # a single progress bar covers all folds
        material = self.material.fold(number)
        return self.on(material, self.data.augment, self.optim, trainer_settings, self.logging, self.settings)

    def half(self, number: int, optim: Optim) -> Experiment:
        """Return the same experiment, newly built, with half `number` of the training images as the test part."""
        material = self.material.half(number)
        return self.on(material, self.data.augment, optim, self.trainer_settings, self.logging, self.settings)

    def trainer(self, folder: RunFolder, loggers: list[Logger]) -> pl.Trainer:
        """Return the Lightning Trainer that writes into `folder` and logs to `loggers`."""
        return self.trainer_settings.trainer(
            self.optim,
            folder.path,
            loggers,
            list(build_callbacks(self.settings).values()),
            gradient_free=self.recognizer.model.gradient_free,
            validates=self.material.validates,
        )


def build_callbacks(settings: dict[str, Any]) -> dict[str, pl.Callback]:
    """Return new callbacks, since each Trainer needs its own; raise Mistake where Lightning refuses one."""
    built = {}
    for name, callback in (settings.get("callbacks") or {}).items():
        try:
            built[name] = build(callback, or_of=OF_LIGHTNING)
        except (MisconfigurationException, TypeError, ValueError) as error:
            raise Mistake(f"callbacks.{name}: is refused by Lightning ({first_line(error)}); mend it") from error
    return built


def build_metrics(settings: dict[str, Any]) -> dict[str, Metric]:
    """Return the user's own metrics; raise Mistake where one has a name that CapBench uses."""
    used = {*metrics.of_readings("a", "a", [1.0]), *LESS_IS_BETTER, "exact_ci", "exact_unseen"}
    used |= {"confused", "images", "taught", "truth", "validated"}
    for name in settings:
        if name in used or name.startswith("position_"):
            raise Mistake(f"metrics.{name}: is a name that CapBench uses; choose another")
    return {name: build(metric) for name, metric in settings.items()}


def check_callbacks(
    settings: dict[str, Any], trainer_settings: TrainerSettings, logging: Logging, material: Material
) -> None:
    """Raise Mistake if a callback needs a logger, validation images or a package, and there is none."""
    for name, callback in build_callbacks(settings).items():
        if isinstance(callback, LearningRateMonitor | DeviceStatsMonitor) and isinstance(logging, NoLogging):
            raise Mistake(f"callbacks.{name}: needs a logger; choose logger=csv or logger=wandb")
        watches_cpu = settings["callbacks"][name].get("cpu_stats")
        watches_cpu = trainer_settings.device == "cpu" if watches_cpu is None else watches_cpu
        if isinstance(callback, DeviceStatsMonitor) and watches_cpu and find_spec("psutil") is None:
            raise Mistake(
                f"callbacks.{name}: watches the CPU by psutil, which is missing; python -m pip install psutil"
            )
        watched = getattr(callback, "monitor", None) or ""
        if watched.startswith("val/") and not material.validates:
            raise Mistake(f"callbacks.{name}.monitor: {watched} needs validation images; set data.split.val")


def check_sharing(trainer_settings: TrainerSettings, optim: Optim, material: Material, model: Model) -> None:
    """Raise Mistake if several processes cannot train: folds, a gradient-free model, uneven batches, small parts."""
    processes = trainer_settings.devices * trainer_settings.nodes
    if optim.minutes is not None and material.folds:
        raise Mistake("minutes: folds are trained for a number of epochs; set optim.epochs and minutes=null")
    if processes == 1:
        return
    if material.folds:
        raise Mistake("trainer: folds are trained in one process; choose trainer=cpu or trainer=gpu")
    if optim.minutes is not None:
        raise Mistake(
            "minutes: is measured by one process; choose trainer=cpu or gpu, or set optim.epochs and minutes=null"
        )
    if model.gradient_free:
        raise Mistake("trainer: a gradient-free model runs in one process; choose trainer=cpu or trainer=gpu")
    if optim.batch_size % processes:
        raise Mistake(
            f"optim.batch_size: {optim.batch_size} images cannot be shared evenly by {processes} processes; "
            f"choose a multiple of {processes}"
        )
    if isinstance(optim.epoch_images, int) and optim.epoch_images < processes:
        raise Mistake(
            f"optim.epoch_images: {optim.epoch_images} images cannot be shared by {processes} processes; show more"
        )
    for name, part in material.parts.items():
        if len(part) < processes and (name != "val" or material.validates):
            raise Mistake(f"data.split.{name}: {len(part)} images are fewer than {processes} processes; add some")


def build_model(settings: dict[str, Any], material: Material) -> tuple[Model, Codec]:
    """Return the recogniser for this material, and the codec for its scores."""
    view = material.view
    over = target_class(settings).over
    codec = material.codec(over)
    if view.cuts and over == "time":
        raise Mistake("model: a model that reads over time needs whole images; choose view=whole, or another model")
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


def pose_count(material: Material, model: Model, trainer_settings: TrainerSettings) -> int:
    """Return the count of numbers that describe a character's pose; raise Mistake where poses cannot be learned."""
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
    if trainer_settings.compile:
        raise Mistake("optim.poses: is not compiled; choose trainer.compile=false, or optim.poses=0")
    return numbers
