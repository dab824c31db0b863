"""HTTP application: routes, authorisation, responses."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from capbench.serve import openapi, schemas
from capbench.serve.batching import BatchingQueue, Full
from capbench.serve.metrics import ServiceMetrics
from capbench.serve.middleware import RequestMiddleware
from capbench.serve.page import HEADERS, page
from capbench.serve.query import Asked
from capbench.serve.refused import Refused, busy
from capbench.serve.requests import MOST_ECHO, BodyParser

PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Service:
    """HTTP endpoints on top of one batching queue."""

    def __init__(
        self, queue: BatchingQueue, parser: BodyParser, metrics: ServiceMetrics, token: str | None, local: bool
    ) -> None:
        """Keep the parts of the service; `local` is true where only this machine can reach it."""
        self._queue = queue
        self._body_parser = parser
        self._metrics = metrics
        self._token = token
        self._local = local
        self._page = HTMLResponse(page(), headers={**PRIVATE, **HEADERS})
        self._description = json_response(openapi.document(parser, token is not None))

    def application(self) -> Starlette:
        """Return the Starlette application with all routes, the middleware and the error handlers."""
        routes = [
            Route("/", self.page),
            Route("/read", self.read, methods=["POST"]),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.description),
        ]
        front = Middleware(
            RequestMiddleware,
            metrics=self._metrics,
            paths=[route.path for route in routes],
            most=self._body_parser.body,
        )
        handlers: dict[Any, Any] = {
            Refused: _refused,
            HTTPException: _http_error,
            ClientDisconnect: _client_disconnected,
            Exception: _internal_error,
        }
        return Starlette(routes=routes, middleware=[front], exception_handlers=handlers, lifespan=self._open)

    @asynccontextmanager
    async def _open(self, _: Starlette) -> AsyncIterator[None]:
        async with self._queue:
            yield

    async def read(self, request: Request) -> Response:
        """Answer POST /read: the readings of the images in the body."""
        self._check_access(request)
        asked = Asked.of(request.query_params) if request.scope["query_string"] else Asked()
        async with self._body_parser.uploads(request) as uploads:
            try:
                async with asyncio.timeout(self._body_parser.seconds):
                    outcomes = await self._queue.read([upload.content for upload in uploads], asked.told, asked.frames)
            except Full as full:
                raise busy(f"{full}; try again later") from None
            except TimeoutError:
                raise busy(f"images not read within {self._body_parser.seconds:g} seconds; try again later") from None
        images = [
            schemas.image(upload, outcome, self._queue.graphs, asked.solve)
            for upload, outcome in zip(uploads, outcomes, strict=True)
        ]
        read = sum(map(schemas.was_read, images))
        self._metrics.images.labels("read").inc(read)
        self._metrics.images.labels("refused").inc(len(images) - read)
        if read:
            return json_response({"images": images})
        first = images[0]
        reason = first["error"] or first["readings"][0]["error"]
        return json_response(
            {"error": f"no image could be read; {first['filename'] or 'the first one'}: {reason}", "images": images},
            422,
        )

    async def health(self, _: Request) -> Response:
        """Answer GET /health: the state of the service, its runs and its limits."""
        runs = [{"name": name, "alphabet": graph.alphabet} for name, graph in self._queue.graphs.items()]
        limits = {"body": self._body_parser.body, "files": self._body_parser.files}
        return json_response({"status": "ok", "runs": runs, "limits": limits, "token": self._token is not None})

    async def metrics(self, request: Request) -> Response:
        """Answer GET /metrics: the metrics in Prometheus' text format."""
        self._check_access(request)
        return Response(self._metrics.exposition(), headers={"Content-Type": self._metrics.content_type})

    async def description(self, _: Request) -> Response:
        """Answer GET /openapi.json: the OpenAPI description."""
        return self._description

    async def page(self, _: Request) -> Response:
        """Answer GET /: the web page."""
        return self._page

    def _check_access(self, request: Request) -> None:
        """Raise Refused for a request by a page of another site or with a wrong token."""
        host, origin = request.headers.get("host"), request.headers.get("origin")
        if self._local and host is not None and not _is_local(host):
            raise Refused(403, f"host: {host[:MOST_ECHO]} is not a name of this machine; use 127.0.0.1 or localhost")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, f"origin: {origin[:MOST_ECHO]} is another web site; requests from its pages are refused")
        if self._token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # A comparison in constant time, so that its duration reveals nothing of the token.
        right = hmac.compare_digest(given.strip().encode(), self._token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refused(
                401, "the token is missing or wrong; send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )


@lru_cache(maxsize=16)
def _is_local(host: str) -> bool:
    """Return whether a Host header names this machine.

    The IP address alone is no proof: the domain name of another site may resolve to it (DNS rebinding).
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return name.lower() == "localhost" or ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(to_json(content), status, {**PRIVATE, **(headers or {})}, "application/json")


def error_response(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response with an error message."""
    return json_response({"error": reason}, status, headers)


async def _refused(_: Request, refused: Refused) -> Response:
    return error_response(refused.status, str(refused), refused.headers)


async def _http_error(_: Request, error: HTTPException) -> Response:
    return error_response(error.status_code, error.detail, dict(error.headers or {}))


async def _client_disconnected(_: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)  # the client has disconnected and will not see it


async def _internal_error(_: Request, error: Exception) -> Response:
    return error_response(500, "the service failed to answer; its log says why")
