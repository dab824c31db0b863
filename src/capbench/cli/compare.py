"""compare: which run reads better, by how much, how surely and at what cost."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("compare", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.compare import compare  # numpy: not needed for the help

    compare.show(settings)
