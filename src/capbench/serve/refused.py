"""Refusals: status and reason of a request that is not read."""

from __future__ import annotations


class Refused(Exception):
    """A status other than 200 and its reason, one line for whoever sent the request."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def busy(reason: str) -> Refused:
    return Refused(503, reason, {"Retry-After": "1"})
