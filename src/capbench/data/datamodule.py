"""LightningDataModule with loaders for the training, validation and test parts."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from capbench.data.augment import Augment
from capbench.data.loading import Batch, Batches, PrefetchingLoader, Views
from capbench.data.material import Material
from capbench.text import Codec


class Captchas(pl.LightningDataModule):
    """Loaders for the three parts; `batch_size` counts the images of one step over all devices."""

    def __init__(
        self,
        material: Material,
        codec: Codec,
        augment: Augment,
        *,
        batch_size: int,
        workers: int,
        seed: int,
        whole_epochs: bool,
        epoch_images: int | None = None,
    ) -> None:
        super().__init__()
        self.material = material
        self.codec = codec
        self.augment = augment
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.whole_epochs = whole_epochs
        self.epoch_images = epoch_images

    def _loader(self, name: str) -> DataLoader[Batch]:
        assert self.trainer is not None
        part = self.material.parts[name]
        training = name == "train"
        ranks = self.trainer.world_size
        batches = Batches(
            len(part),
            self.batch_size,
            self.seed if training else None,
            self.whole_epochs or not training,
            self.trainer.global_rank,
            ranks,
            self.epoch_images if training else None,
        )
        # On a CPU, a thread that draws images would only take cores from the training.
        apart = self.trainer.strategy.root_device.type != "cpu"
        kind = PrefetchingLoader if part.renewed and apart and self.workers == 0 else DataLoader
        return kind(
            Views(part, self.codec, self.augment if training else None, self.seed),
            batch_size=None,
            sampler=batches,
            num_workers=self.workers,
            persistent_workers=self.workers > 0 and training,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the training part, augmented and shuffled anew for each epoch."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the validation part, in order."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the test part, in order."""
        return self._loader("test")
