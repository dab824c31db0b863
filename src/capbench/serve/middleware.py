"""Middleware: metrics, log lines, and draining of bodies that no route has read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from capbench.serve.metrics import ServiceMetrics

LINGER = 2.0  # seconds to drain a refused body; a client that is still sending would not see the response
LOG = logging.getLogger("capbench.serve")


class RequestMiddleware:
    """ASGI middleware that counts, times and logs each request.

    Before a response it drains what is left of the body, at most `most` bytes; where that fails, the connection is
    closed.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics, paths: Collection[str], most: int) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0
        body = Body(receive, scope["headers"])

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 408 or not await body.drained(self._most):
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, body.receive, answer)
        except Exception:
            status = status or 500
            raise
        finally:
            seconds = time.perf_counter() - begun
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, status or "gone").inc()
            self._metrics.seconds.labels(path).observe(seconds)
            client = scope["client"][0] if scope["client"] else "-"
            LOG.info("%s %s %s %s %.1f ms", client, scope["method"], path, status or "gone", seconds * 1000)


class Body:
    """Body of one request while it is received."""

    def __init__(self, receive: Receive, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._receive = receive
        # With `Expect: 100-continue` a client sends nothing until the body is asked for.
        self._invited = (b"expect", b"100-continue") not in headers
        self._arrived = not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)

    async def receive(self) -> Message:
        """Receive the next ASGI message."""
        self._invited = True
        message = await self._receive()
        self._arrived = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drained(self, most: int) -> bool:
        """Return whether the rest of the body arrived, at most `most` bytes and within LINGER seconds."""
        if self._arrived or not self._invited:
            return self._arrived
        try:
            async with asyncio.timeout(LINGER):
                while not self._arrived and most >= 0:
                    most -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return False
        return self._arrived
