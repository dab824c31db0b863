"""label: labels for raw images, where engines agree."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("label", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.label import label  # OpenCV and more: a second to import

    print(label.label(settings))
