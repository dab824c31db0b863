"""serve: trained runs over HTTP, and a page to try them on."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    compose.run("serve", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    from capbench.serving import server  # web server and onnxruntime: a second to import

    server.serve(settings)
