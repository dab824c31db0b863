"""Lightning Trainer built from the settings under `trainer`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from capbench.errors import Mistake, first_line, nearest
from capbench.settings import check
from capbench.train.callbacks import WATCHED, Averaging, Checkpoints, Curves, WholeCheckpoints
from capbench.train.clock import Clock
from capbench.train.optim import Optim
from capbench.train.progress import Progress
from capbench.types import Count, CountOrZero

PROFILERS: dict[str, Any] = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
"""Lightning's profilers by name; each writes a text into the run's folder."""

SET_ELSEWHERE = {
    "accelerator": "set trainer.accelerator",
    "barebones": "it would leave neither checkpoints nor metrics; drop it",
    "callbacks": "choose callbacks=",
    "check_val_every_n_epoch": "each epoch ends with a validation, which tells the best weights; drop it",
    "default_root_dir": "set hydra.run.dir",
    "deterministic": "equal seeds give equal numbers; drop it",
    "devices": "set trainer.devices",
    "enable_checkpointing": "the weights of a run are those of a checkpoint; drop it",
    "enable_model_summary": "add pytorch_lightning.callbacks.ModelSummary to callbacks",
    "enable_progress_bar": "set trainer.progress",
    "fast_dev_run": "it would leave no checkpoint; choose debug=fast",
    "gradient_clip_val": "set optim.clip",
    "limit_predict_batches": "no training predicts by the Trainer; drop it",
    "limit_test_batches": "set trainer.limit_batches",
    "limit_train_batches": "set trainer.limit_batches",
    "limit_val_batches": "set trainer.limit_batches",
    "logger": "choose logger=",
    "max_epochs": "set optim.epochs",
    "max_steps": "a training ends with a whole epoch; set optim.epochs and optim.epoch_images",
    "max_time": "set minutes",
    "model_registry": "it would send checkpoints to another machine; drop it",
    "num_nodes": "set trainer.nodes",
    "num_sanity_val_steps": "validation begins with the first epoch's end; drop it",
    "overfit_batches": "choose debug=overfit",
    "plugins": "checkpoints and SLURM need those of CapBench; drop it",
    "precision": "set trainer.precision",
    "reload_dataloaders_every_n_epochs": "the loaders know the epoch; drop it",
    "strategy": "set trainer.strategy",
    "use_distributed_sampler": "CapBench shares each batch between the processes; drop it",
    "val_check_interval": "each epoch ends with a validation, which tells the best weights; drop it",
}
"""Arguments of the Trainer that CapBench sets itself, and what to do instead."""


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """Settings of the Trainer: devices, precision, threads, data loader workers, and limits.

    `extra` are further arguments of Lightning's Trainer, by its own names.
    """

    accelerator: Literal["auto", "cpu", "gpu", "mps"]
    devices: Count
    nodes: Count
    strategy: Literal["single", "ddp"]
    backend: Literal["gloo", "nccl"] | None
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
    threads: Count | None
    workers: CountOrZero
    compile: bool
    patience: Count | None
    limit_batches: Count | None
    progress: bool
    extra: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.strategy == "single" and (self.devices > 1 or self.nodes > 1):
            raise Mistake(f"trainer.strategy: single runs on one device, not {self.devices}×{self.nodes}; set ddp")
        if self.device == "mps" and (self.devices > 1 or not torch.backends.mps.is_available()):
            raise Mistake(
                f"trainer.accelerator: {self.devices} GPUs of Apple are wanted, and this machine has "
                f"{int(torch.backends.mps.is_available())}; try trainer=auto"
            )
        if self.device == "gpu":
            there = torch.cuda.device_count()
            if there < self.devices:
                raise Mistake(
                    f"trainer.devices: {self.devices} GPUs are wanted, but this machine has {there}; try trainer=cpu"
                )
        if SLURMEnvironment.detect() and (tasks := int(os.environ["SLURM_NTASKS"])) != self.devices * self.nodes:
            raise Mistake(
                f"trainer.devices: {self.devices}×{self.nodes} processes are wanted, but SLURM started {tasks} tasks; "
                "start one for each process"
            )
        self._check_extra()

    def _check_extra(self) -> None:
        """Raise Mistake for an argument that CapBench sets itself, that Lightning does not know, or of another type."""
        extra = self.extra or {}
        for name in extra:
            if name in SET_ELSEWHERE:
                raise Mistake(f"trainer.extra.{name}: is set by CapBench; {SET_ELSEWHERE[name]}")
        check(extra, pl.Trainer, "trainer.extra")
        profiler = extra.get("profiler")
        if profiler is not None and profiler not in PROFILERS:
            raise Mistake(f"trainer.extra.profiler: {profiler!r} is not a profiler; {nearest(profiler, PROFILERS)}")

    @property
    def device(self) -> str:
        """Kind of device that `accelerator` names; for `auto`, that of the GPU that there is, else the CPU."""
        if self.accelerator != "auto":
            return self.accelerator
        if torch.cuda.device_count():
            return "gpu"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    @property
    def used_precision(self) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
        """Precision that `precision` names; for `auto`, mixed with bf16 where the device multiplies it in hardware."""
        if self.precision != "auto":
            return self.precision
        if self.device == "gpu":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:  # torch has no public question for what a processor does by itself
            fast = self.device == "cpu" and (
                torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
            )
        return "bf16-mixed" if fast else "32-true"

    @property
    def relaunches(self) -> bool:
        """True if Lightning starts this program again for the other processes."""
        return self.strategy == "ddp" and self.devices > 1

    def trainer(
        self,
        optim: Optim,
        folder: Path,
        loggers: list[Logger],
        chosen: Sequence[pl.Callback] = (),
        *,
        gradient_free: bool,
        validates: bool,
    ) -> pl.Trainer:
        """Return the Trainer that writes into `folder`, with the callbacks that the user has `chosen` beside CapBench's own.

        `gradient_free` is True for gradient-free models, which train for one epoch; `validates` is False without validation.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        # Deterministic torch also fills all uninitialised memory, which makes a small network three times slower.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        clock = None if optim.minutes is None or gradient_free else Clock(optim.minutes, self.patience)
        callbacks: list[pl.Callback] = [Progress(self.progress, clock)] if self.progress else []
        callbacks += [] if clock is None else [clock]
        if optim.ema and not gradient_free:
            callbacks.append(Averaging(decay=optim.ema))
        if self.patience is not None and clock is None:
            callbacks.append(EarlyStopping(WATCHED, mode="max", patience=self.patience))
        callbacks += [*chosen, Curves(folder / "metrics.csv"), Checkpoints(folder / "checkpoints")]
        arguments = self._arguments(optim, folder, gradient_free=gradient_free, validates=validates)
        # Some callbacks call for a logger, and only the run itself has one: no fold has, nor a process of another rank.
        logger = loggers or ([DummyLogger()] if chosen else False)
        try:
            return pl.Trainer(**arguments, logger=logger, callbacks=callbacks)
        except (MisconfigurationException, RuntimeError, TypeError, ValueError) as error:
            raise Mistake(f"trainer: Lightning refuses trainer.extra or callbacks ({first_line(error)})") from error

    def _arguments(self, optim: Optim, folder: Path, *, gradient_free: bool, validates: bool) -> dict[str, Any]:
        """Return the arguments of the Trainer, except for loggers and callbacks."""
        return dict(
            accelerator=self.device,
            devices=self.devices,
            num_nodes=self.nodes,
            strategy=DDPStrategy(process_group_backend=self.backend) if self.strategy == "ddp" else "auto",
            precision=self.used_precision,
            max_epochs=1 if gradient_free else -1 if optim.epochs is None else optim.epochs,
            gradient_clip_val=optim.clip or None if not gradient_free else None,
            limit_train_batches=self.limit_batches,
            limit_val_batches=self.limit_batches if validates else 0,
            limit_test_batches=self.limit_batches,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # CapBench's sampler splits each batch between the processes
            deterministic="warn",
            plugins=[WholeCheckpoints(), *_environment()],
            default_root_dir=folder,
            enable_checkpointing=True,
            enable_model_summary=False,
            enable_progress_bar=self.progress,
            **self._further(folder),
        )

    def _further(self, folder: Path) -> dict[str, Any]:
        """Return the arguments that `extra` holds; a profiler, given by name, writes into the folder."""
        further = dict(self.extra or {})
        if further.get("profiler") is not None:
            further["profiler"] = PROFILERS[further["profiler"]](dirpath=folder, filename="profile")
        return further


def _environment() -> list[SLURMEnvironment]:
    """Return Lightning's SLURM plugin if SLURM started the processes.

    A requeued job resumes from its last complete epoch, which gives the same numbers; Lightning's own requeue would
    save in the middle of an epoch.
    """
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
