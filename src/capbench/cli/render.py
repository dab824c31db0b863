"""render: draw captchas into a labelled folder, or one sheet of them to look at."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("render", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.data import write  # compiled code: seconds to import

    print(write.render(settings))
