"""predict: read any images with a trained run."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("predict", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.inference import predict  # torch: seconds to import

    print(predict.predict(settings))
