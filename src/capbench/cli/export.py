"""export: a trained run as an ONNX graph, with a small JSON beside it."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("export", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.export import export  # torch: seconds to import

    print(export.told(settings))
