"""The verb serve: open the runs, listen, and finish the requests in progress before stopping."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Annotated, Any

import uvicorn
from annotated_types import Ge, Le

from capbench.errors import Mistake, printable
from capbench.export.graph import Graph
from capbench.serve.app import Service
from capbench.serve.batching import BatchingQueue
from capbench.serve.metrics import ServiceMetrics
from capbench.serve.opening import graphs_of
from capbench.serve.protocol import BoundedProtocol, backlog, raise_file_limit
from capbench.serve.requests import BodyParser
from capbench.settings import check
from capbench.types import Count, Positive
from capbench.utils.portable import cores

SWITCH = 1e-4  # seconds after which a thread that decodes an image lets the event loop go on; 5e-3 in Python itself


def schema(
    *,
    run: str | list[str],
    host: str,
    port: Annotated[int, Ge(0), Le(65535)],
    token: str | None,
    threads: Count | None,
    batch: Count,
    body: Positive,
    files: Count,
    queue: Count,
    seconds: Count,
) -> None:
    """Declare the settings of the verb by name and type; `check` reads this signature."""


def run(settings: dict[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT."""
    check(settings, schema)
    token = settings["token"]
    if token is not None and not (token.isascii() and token.isprintable() and token.split() == [token]):
        raise Mistake("token: is empty or has characters that an HTTP header cannot hold; use letters and digits")
    if settings["queue"] < settings["files"]:
        raise Mistake(
            f"queue: {settings['queue']} is less than files={settings['files']}, the images of one request; "
            "raise queue or lower files"
        )
    runs = settings["run"] if isinstance(settings["run"], list) else [settings["run"]]
    if not runs:
        raise Mistake("run: is an empty list; give a run folder, or several: run=[A,B]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit that removes the temporary files
    sys.setswitchinterval(SWITCH)
    raise_file_limit()
    with listening(settings["host"], settings["port"]) as door, graphs_of(runs) as paths:
        threads = settings["threads"] or cores()
        graphs = [Graph.open(path, threads) for path in paths]
        metrics = ServiceMetrics()
        queue = BatchingQueue(distinct(graphs), settings["batch"], settings["queue"], metrics)
        parser = BodyParser(int(settings["body"] * 2**20), settings["files"], settings["seconds"])
        host, port = door.getsockname()[:2]
        service = Service(queue, parser, metrics, token, local=ip_address(host).is_loopback)
        log_to_stderr()
        print(
            f"serving {printable(', '.join(queue.graphs))} at http://{f'[{host}]' if ':' in host else host}:{port}",
            flush=True,
        )
        stop_quietly()
        Server(
            queue,
            uvicorn.Config(
                service.application(),
                http=BoundedProtocol,
                backlog=backlog(),
                loop="asyncio",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings["seconds"],
                timeout_graceful_shutdown=int(2 * settings["seconds"]) + 1,
            ),
        ).run([door])
    print("stopped", flush=True)


class Server(uvicorn.Server):
    """uvicorn server that finishes the requests in progress before it stops, but rejects images that still wait."""

    def __init__(self, queue: BatchingQueue, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._queue = queue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Reject waiting images, then shut down as uvicorn does."""
        self._queue.reject_pending()
        await super().shutdown(sockets)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a listening socket; the port is taken before any slow work, so that a wrong port fails at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Mistake(
            f"host: {host} is not an address of this machine ({error.strerror}); give one, such as 127.0.0.1"
        ) from error
    with door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(address)
            door.listen(backlog())
        except OSError as error:
            raise Mistake(
                f"port: {port} of {host} cannot be used ({error.strerror}); choose another, or port=0 for any free one"
            ) from error
        yield door


def distinct(graphs: Sequence[Graph]) -> dict[str, Graph]:
    """Return the graphs by name, with a number before each name where two names are equal."""
    names = [graph.name for graph in graphs]
    if len(set(names)) < len(names):
        names = [f"{number}. {name}" for number, name in enumerate(names, 1)]
    return dict(zip(names, graphs, strict=True))


def log_to_stderr() -> None:
    """Log each request and the server's own errors to standard error.

    Other loggers are silenced below the level of errors: the parser of forms logs every malformed one with its content.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("capbench.serve", logging.INFO), (None, logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def stop_quietly() -> None:
    """Ignore SIGTERM and SIGINT outside of uvicorn.

    uvicorn handles the signal, finishes its requests, and then raises the signal again for the handler that was there
    before.
    """
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: None)
