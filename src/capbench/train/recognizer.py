"""LightningModule around any model: loss, optimiser and metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn import functional as F

from capbench import metrics
from capbench.data.loading import Batch
from capbench.decoding import untold
from capbench.errors import Mistake
from capbench.models import Model
from capbench.models.blocks import PoseHead
from capbench.text import Codec, Reading
from capbench.train.clock import Clock
from capbench.train.optim import PARTS, Optim


class _Seen(NamedTuple):
    """Tensors of one step kept until the epoch ends; they stay on the device, so that no step waits for a copy."""

    numbers: torch.Tensor
    targets: torch.Tensor
    best: torch.Tensor
    probability: torch.Tensor | None
    loss: torch.Tensor


class Recognizer(pl.LightningModule):
    """LightningModule that trains and measures one model.

    `measured` holds the last value of every metric, `confused` each part's most confused symbols, `readings` the
    answers of the last validation or test.
    """

    def __init__(
        self,
        model: Model,
        codec: Codec,
        optim: Optim,
        texts: dict[str, list[str]],
        seed: int,
        pose_numbers: int = 0,
        own_metrics: Mapping[str, metrics.Metric] | None = None,
    ) -> None:
        """Wrap `model`; `texts` are the true texts of each part, in image order.

        With `pose_numbers` above 0 a head learns that many numbers that describe a character's pose. `own_metrics` are
        measured beside CapBench's.
        """
        super().__init__()
        # Convolutions in channels-last memory format run markedly faster on CPUs.
        self.model = model.to(memory_format=torch.channels_last)
        self.pose_head = PoseHead(model.seen_channels, pose_numbers) if pose_numbers else None
        self.codec = codec
        self.optim = optim
        self.texts = {part: [codec.alphabet.folded(text) for text in known] for part, known in texts.items()}
        self.seed = seed
        self.own_metrics = own_metrics or {}
        self.readings: list[Reading] = []
        self.measured: dict[str, float] = {}
        self.confused: dict[str, list[tuple[str, str, int]]] = {}
        self._seen: list[_Seen] = []
        self._of_training: list[_Seen] = []
        # Gradient-free models have nothing to optimise.
        self.automatic_optimization = not model.gradient_free

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return scores [image, position or time, class] of uint8 views [image, ...view]."""
        return self.model(self._as_model_takes(views))

    @staticmethod
    def _as_model_takes(views: torch.Tensor) -> torch.Tensor:
        images = views.float() / 255
        return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of scores [image, position or time, class] against targets [image, position].

        The model's own loss, if it has one; else cross-entropy over positions, CTC over time.
        """
        own = self.model.loss(scores, targets)
        if own is not None:
            return own
        if self.codec.over == "positions":
            return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), label_smoothing=self.optim.label_smoothing)
        lengths = (targets != self.codec.blank).sum(1)
        steps = torch.full_like(lengths, scores.shape[1])
        log_probability = scores.float().log_softmax(-1).transpose(0, 1)
        loss = F.ctc_loss(log_probability, targets, steps, lengths, self.codec.blank, zero_infinity=True)
        if self.optim.label_smoothing:
            # The same label smoothing towards the uniform distribution as cross-entropy's, at each time step.
            loss = torch.lerp(loss, -log_probability.mean(), self.optim.label_smoothing)
        return loss

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if batch_idx:
            return
        # Each epoch has its own random stream, so that a resumed run gives the same numbers as an uninterrupted one.
        # The seed is set at the first batch, not at the epoch's start, since data loaders draw random numbers when
        # they start, more of them with workers.
        stream = np.random.SeedSequence([self.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(stream.generate_state(1)[0]))

    def training_step(self, batch: Batch, _: int) -> torch.Tensor | None:
        """Return the loss of one batch, with the pose loss if poses are learned; None for a gradient-free model."""
        if self.model.gradient_free:
            self.model.learn(batch.views.float() / 255, batch.targets)
            return None
        if self.pose_head is None:
            scores, of_poses = self(batch.views), None
        else:
            scores, seen = self.model.with_seen(self._as_model_takes(batch.views))
            of_poses = self.pose_loss(self.pose_head(seen), batch.poses)
        loss = self.loss(scores, batch.targets)
        self._seen.append(
            _Seen(batch.numbers, batch.targets, scores.detach().argmax(-1).to(torch.int16), None, loss.detach())
        )
        return loss if of_poses is None else loss + self.optim.poses * of_poses

    @staticmethod
    def pose_loss(given: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of poses [image, position, number].

        Targets past the end of a text are NaN and skipped.
        """
        drawn = ~poses.isnan()
        return F.mse_loss(given[drawn], poses[drawn])

    def validation_step(self, batch: Batch, _: int) -> None:
        """Record the best classes, their probabilities and the loss of one batch."""
        scores = self(batch.views)
        best, highest = map(torch.from_numpy, untold.best(self.codec, scores.float().softmax(-1).cpu().numpy()))
        self._seen.append(
            _Seen(batch.numbers, batch.targets, best.to(torch.int16), highest, self.loss(scores, batch.targets))
        )

    test_step = validation_step

    def on_train_epoch_end(self) -> None:
        if not self._seen:
            return
        trained = self._seen
        self._finish("train")
        if not torch.stack([weights.isfinite().all() for weights in self.parameters()]).all():
            raise self._diverged(trained)

    def on_validation_epoch_start(self) -> None:
        # Validation runs before the training epoch ends, so the training steps' tensors are set aside.
        self._of_training, self._seen = self._seen, []

    def on_validation_epoch_end(self) -> None:
        self._finish("val")
        self._seen = self._of_training

    def on_test_epoch_end(self) -> None:
        self._finish("test")

    def _finish(self, part: str) -> None:
        """Compute and log the metrics of `part` from the recorded steps of all ranks."""
        seen, self._seen = self._seen, []
        numbers = torch.cat([s.numbers for s in seen])
        best = torch.cat([s.best for s in seen])
        weights = torch.tensor([len(s.numbers) for s in seen], dtype=torch.float64)
        losses = torch.stack([s.loss for s in seen]).double().cpu()
        targets = torch.cat([s.targets for s in seen]).cpu().numpy()
        read = best.cpu().numpy().astype(np.int64)
        columns: list[Any] = [numbers.cpu().numpy(), targets, read, float(losses @ weights)]
        if part != "train":
            columns.append(torch.cat([s.probability for s in seen if s.probability is not None]).cpu().numpy())
        numbers, targets, best, loss, *rest = self._of_all_ranks(columns)
        if not math.isfinite(loss):
            raise self._diverged(seen if part == "train" else self._of_training)
        order = np.argsort(numbers, kind="stable")
        # Training texts are decoded from the targets, since fresh images have new texts in each epoch. Texts of the
        # other parts may hold symbols outside the alphabet, which targets cannot express.
        if part == "train":
            texts = self.codec.spell(targets[order])
        else:
            texts = [self.texts[part][number] for number in numbers[order]]
        if rest:
            self.readings = self.codec.read(best[order], rest[0][order])
            answers = [reading.text for reading in self.readings]
            measured = metrics.of_readings(texts, answers, [reading.confidence for reading in self.readings])
        else:
            answers = self.codec.texts(best[order])
            measured = metrics.scores(texts, answers)
        measured |= {"loss": loss / len(numbers), **metrics.of_own(self.own_metrics, texts, answers)}
        named = {f"{part}/{name}": value for name, value in measured.items()}
        self.measured |= named
        self.confused[part] = metrics.most_confused(metrics.confusions(texts, answers))
        self.log_dict(named)

    def _diverged(self, trained: list[_Seen]) -> Mistake:
        """Return a Mistake that names the first step of this epoch whose loss was not finite, if any."""
        lost = [step for step, seen in enumerate(trained, 1) if not seen.loss.isfinite()]
        where = f"at step {lost[0]}" if lost else f"after step {len(trained)}"
        clip = f"an optim.clip below {self.optim.clip}" if self.optim.clip else "optim.clip=1"
        return Mistake(
            f"optim.lr: the training diverged in epoch {self.current_epoch + 1}, {where} of {len(trained)}: "
            f"the loss is infinite or NaN; set a value below {self.optim.lr}, or {clip}"
        )

    def _of_all_ranks(self, columns: list[Any]) -> list[Any]:
        if self.trainer.world_size == 1:
            return columns
        gathered: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(gathered, columns)
        return [
            np.concatenate(column) if isinstance(column[0], np.ndarray) else sum(column)
            for column in zip(*gathered, strict=True)
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["confused"] = self.confused

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.confused = checkpoint["confused"]

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule, stepped after each batch; None for a gradient-free model."""
        if self.model.gradient_free:
            return None
        optimizer = self.optim.optimizer(self)
        steps = PARTS if self.optim.minutes is not None else int(self.trainer.estimated_stepping_batches)
        scheduler = self.optim.scheduler(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Go on to the next step of the schedule; of a time budget, to the share that is over."""
        if self.optim.minutes is not None:
            scheduler.last_epoch = min(int(PARTS * self._over()), PARTS - 1) - 1
        scheduler.step()

    def _over(self) -> float:
        """Return the share of the training that is over, by the clock or by the number of epochs if there is one."""
        clock = next(c for c in self.trainer.callbacks if isinstance(c, Clock))  # type: ignore[attr-defined]
        if self.optim.epochs is None:
            return clock.over
        return max(clock.over, self.trainer.global_step / self.trainer.estimated_stepping_batches)
