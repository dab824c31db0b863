"""Names of classes in settings of earlier versions, and their present names.

A run's settings name the class of each part. When such a class is moved or renamed, add a line here, so that old runs
stay readable; tests/system/old_runs holds runs of earlier versions.
"""

from __future__ import annotations

from typing import Any

MOVED = {
    "capbench.data.sources.Csv": "capbench.data.sources.table.Csv",
    "capbench.data.sources.FileNames": "capbench.data.sources.file_names.FileNames",
    "capbench.data.sources.Ocr": "capbench.data.sources.table.Ocr",
    "capbench.data.sources.Synthetic": "capbench.data.sources.rendered.Synthetic",
    "capbench.loggers.Csv": "capbench.train.loggers.Csv",
    "capbench.loggers.Nowhere": "capbench.train.loggers.NoLogging",
    "capbench.loggers.Wandb": "capbench.train.loggers.Wandb",
    "capbench.ocr.agreement.Lead": "capbench.label.agreement.Lead",
    "capbench.ocr.agreement.Vote": "capbench.label.agreement.Vote",
    "capbench.ocr.baidu.Baidu": "capbench.label.engines.baidu.Baidu",
    "capbench.ocr.networks.Dddd": "capbench.label.engines.networks.Dddd",
    "capbench.ocr.networks.Rapid": "capbench.label.engines.networks.Rapid",
    "capbench.ocr.panel.Panel": "capbench.label.panel.Panel",
    "capbench.ocr.panel.SelfTraining": "capbench.label.panel.SelfTraining",
    "capbench.ocr.tesseract.Tesseract": "capbench.label.engines.tesseract.Tesseract",
    "capbench.ocr.trained.Trained": "capbench.label.engines.trained.Trained",
    "capbench.optim.Optim": "capbench.train.optim.Optim",
    "capbench.train.loggers.Nowhere": "capbench.train.loggers.NoLogging",
    "capbench.training.Hardware": "capbench.train.trainer.TrainerSettings",
}
"""Present class name by former name."""


def renamed(settings: Any) -> Any:
    """Return settings, a tree of plain data, with former class names replaced by present ones."""
    if isinstance(settings, dict):
        return {
            key: MOVED.get(value, value) if key == "_target_" and isinstance(value, str) else renamed(value)
            for key, value in settings.items()
        }
    return [renamed(item) for item in settings] if isinstance(settings, list) else settings
