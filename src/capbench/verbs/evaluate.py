"""evaluate: read any labelled source with a trained run."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("evaluate", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench import evaluation  # torch: seconds to import

    print(evaluation.evaluate(settings))
