"""Loggers that receive a run's metrics besides the run's folder."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from capbench import metrics
from capbench.runs import Prediction, RunFolder
from capbench.types import CountOrZero


@dataclass(frozen=True)
class RunReport:
    """Results of a finished run, as handed to the loggers."""

    result: dict[str, Any]
    predictions: list[Prediction]
    views: Any
    """Images indexed by test image number: uint8 [height, width, channel]."""
    confusions: Counter[tuple[str, str]]
    pictures: list[Path]


class Logging(ABC):
    """Base class of logging destinations.

    `open` returns Lightning's loggers for a run, `report` sends the results of a finished run, and `close` is called in
    any case, with `failed` True if the run did not finish. All three are called by rank zero alone, `open` again when a
    run is resumed. Nothing of a run may depend on its logger.
    """

    @abstractmethod
    def open(self, folder: Path, settings: dict[str, Any]) -> list[Logger]:
        """Return the loggers of the run in `folder`; `settings` are all of its settings, as plain data."""

    def report(self, report: RunReport) -> None:  # noqa: B027 (most have nothing to add)
        ...

    def close(self, failed: bool) -> None:  # noqa: B027
        ...


class NoLogging(Logging):
    """Logging without loggers."""

    def open(self, folder: Path, settings: dict[str, Any]) -> list[Logger]:
        return []


class Csv(Logging):
    """Lightning's CSV log, in `csv/` of the run's folder."""

    def open(self, folder: Path, settings: dict[str, Any]) -> list[Logger]:
        return [CSVLogger(folder, name="csv", version="")]


@dataclass(kw_only=True)
class Wandb(Logging):
    """Weights & Biases, with one W&B run for each run.

    The mode is WANDB_MODE if set, otherwise online if WANDB_API_KEY is set, otherwise offline. `gallery` is the number
    of test images to upload; `weights` uploads the model as an artifact.
    """

    project: str
    gallery: CountOrZero
    weights: bool

    def open(self, folder: Path, settings: dict[str, Any]) -> list[Logger]:
        os.environ.setdefault("WANDB_SILENT", "true")
        mode: Any = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
        os.environ["WANDB_MODE"] = mode
        import wandb  # after WANDB_MODE is set: importing wandb contacts its server unless offline

        (folder / "wandb").mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            dir=folder,
            project=self.project,
            name=f"{settings['name']}/{folder.name}",
            group=settings["group"] or settings["name"],
            tags=settings["tags"],
            id=self._identity(folder),
            resume="allow",
            mode=mode,
            config=settings,
        )
        self._run, self._weights = run, RunFolder(folder).weights
        run.define_metric("epoch")
        for part in ("train", "val"):
            run.define_metric(f"{part}/*", step_metric="epoch")
        return [WandbLogger(experiment=run)]

    @staticmethod
    def _identity(folder: Path) -> str:
        """Return the W&B run id of this folder; it is stored, so that a resumed run keeps it."""
        kept = folder / "wandb" / "id.txt"
        if not kept.exists():
            kept.write_text(secrets.token_hex(4))
        return kept.read_text()

    def report(self, report: RunReport) -> None:
        import wandb

        predictions, result = report.predictions, report.result
        right = [p.text == p.answer for p in predictions]
        logged: dict[str, Any] = {f"pictures/{path.stem}": wandb.Image(str(path)) for path in report.pictures}
        logged["test/predictions"] = wandb.Table(
            [*Prediction._fields, "right"], [[*p, good] for p, good in zip(predictions, right, strict=True)]
        )
        logged["test/confusion"] = wandb.Table(
            ["true", "read", "count"],
            [[true, read, count] for (true, read), count in sorted(report.confusions.items())],
        )
        logged["test/calibration"] = wandb.Table(
            ["images", "confidence", "right"],
            [list(row) for row in metrics.reliability(right, [p.confidence for p in predictions])],
        )
        if self.gallery:
            # Mistakes first, the most confident leading; then right answers from the least confident on.
            order = sorted(range(len(predictions)), key=lambda i: predictions[i].confidence * (1 if right[i] else -1))
            logged["test/gallery"] = wandb.Table(
                ["image", *Prediction._fields, "right"],
                [[wandb.Image(_picture(report.views[i])), *predictions[i], right[i]] for i in order[: self.gallery]],
            )
        self._run.log(logged)
        self._run.summary.update({key: value for key, value in result.items() if not isinstance(value, list)})
        best = {key.replace("val/", "best/", 1): value for key, value in result.items() if key.startswith("val/")}
        self._run.summary.update({key: value for key, value in best.items() if not isinstance(value, list)})
        if self.weights:
            self._run.log_artifact(str(self._weights), name=f"model-{self._run.id}", type="model")

    def close(self, failed: bool) -> None:
        import wandb

        # An unfinished W&B run would be reused by the next job of a sweep in the same process.
        if wandb.run is not None:
            wandb.finish(exit_code=1 if failed else 0)


def _picture(view: Any) -> Any:
    return view[:, :, 0] if view.shape[2] == 1 else view
