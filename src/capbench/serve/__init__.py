"""HTTP service of trained runs."""

from __future__ import annotations

from typing import Any

from capbench.utils.extras import needed


def run(settings: dict[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT; raise Mistake where a package of the extra `serve` is missing."""
    for module in ("httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn"):
        needed(module, "serve")
    from capbench.serve import server  # imported here because it needs these packages

    server.run(settings)
