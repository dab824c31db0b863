"""Lightning Trainer built from the settings under `trainer`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.strategies import DDPStrategy

from capbench.errors import Mistake
from capbench.train.callbacks import WATCHED, Averaging, Checkpoints, Curves, Progress, WholeCheckpoints
from capbench.train.optim import Optim
from capbench.types import Count, CountOrZero


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """Settings of the Trainer: devices, precision, threads, data loader workers, and limits."""

    accelerator: Literal["cpu", "gpu"]
    devices: Count
    nodes: Count
    strategy: Literal["single", "ddp"]
    backend: Literal["gloo", "nccl"] | None
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    threads: Count | None
    workers: CountOrZero
    compile: bool
    patience: Count | None
    limit_batches: Count | None
    progress: bool

    def __post_init__(self) -> None:
        if self.strategy == "single" and (self.devices > 1 or self.nodes > 1):
            raise Mistake(f"trainer.strategy: single runs on one device, not {self.devices}×{self.nodes}; set ddp")
        if self.accelerator == "gpu":
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

    @property
    def relaunches(self) -> bool:
        """True if Lightning starts this program again for the other processes."""
        return self.strategy == "ddp" and self.devices > 1

    def trainer(
        self, optim: Optim, folder: Path, loggers: list[Logger], *, gradient_free: bool, validates: bool
    ) -> pl.Trainer:
        """Return the Trainer that writes into `folder`.

        `gradient_free` is True for gradient-free models, which train for one epoch; `validates` is False without validation.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        # Deterministic torch also fills all uninitialised memory, which makes a small network three times slower.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        callbacks: list[pl.Callback] = [Progress(self.progress)] if self.progress else []
        if optim.ema and not gradient_free:
            callbacks.append(Averaging(decay=optim.ema))
        if self.patience is not None:
            callbacks.append(EarlyStopping(WATCHED, mode="max", patience=self.patience))
        callbacks += [Curves(folder / "metrics.csv"), Checkpoints(folder / "checkpoints")]
        return pl.Trainer(
            accelerator=self.accelerator,
            devices=self.devices,
            num_nodes=self.nodes,
            strategy=DDPStrategy(process_group_backend=self.backend) if self.strategy == "ddp" else "auto",
            precision=self.precision,
            max_epochs=1 if gradient_free else optim.epochs,
            gradient_clip_val=optim.clip or None if not gradient_free else None,
            limit_train_batches=self.limit_batches,
            limit_val_batches=self.limit_batches if validates else 0,
            limit_test_batches=self.limit_batches,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # CapBench's sampler splits each batch between the processes
            deterministic="warn",
            logger=loggers or False,
            callbacks=callbacks,
            plugins=[WholeCheckpoints(), *_environment()],
            default_root_dir=folder,
            enable_checkpointing=True,
            enable_model_summary=False,
            enable_progress_bar=self.progress,
        )


def _environment() -> list[SLURMEnvironment]:
    """Return Lightning's SLURM plugin if SLURM started the processes.

    A requeued job resumes from its last complete epoch, which gives the same numbers; Lightning's own requeue would
    save in the middle of an epoch.
    """
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
