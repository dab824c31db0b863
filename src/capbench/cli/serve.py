"""serve: trained runs over HTTP, and a page to try them on."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain
from capbench.utils.extras import needed


def main(arguments: list[str]) -> None:
    compose.run("serve", job, arguments)


def job(config: DictConfig) -> None:
    settings = plain(config)
    for module in ("httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn"):
        needed(module, "serve")
    from capbench.serve import server  # OpenCV and more: a second to import

    server.serve(settings)
