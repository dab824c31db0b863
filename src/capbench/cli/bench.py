"""bench: measure speeds as ratios against their peers."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("bench", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench import bench  # torch: seconds to import

    print(bench.measure(settings))
