"""Trained runs over HTTP."""

from __future__ import annotations

from typing import Any

from capbench.utils.extras import needed


def run(settings: dict[str, Any]) -> None:
    """Serve until a signal says otherwise, if the packages of the extra `serve` are there."""
    for module in ("httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn"):
        needed(module, "serve")
    from capbench.serve import server  # imports these packages

    server.run(settings)
