"""Refusals of requests."""

from __future__ import annotations


class Refused(Exception):
    """Status other than 200 and its reason, one line for the client."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def busy(reason: str) -> Refused:
    """Return a refusal with status 503 and a `Retry-After` header of one second."""
    return Refused(503, reason, {"Retry-After": "1"})
