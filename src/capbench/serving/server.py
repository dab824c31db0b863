"""The verb serve: runs are opened, a port is listened to, and what has been taken in is finished before it stops."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import tempfile
from asyncio import TimerHandle, Transport
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from annotated_types import Ge, Le
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from capbench.errors import Mistake
from capbench.ranges import Count, Positive
from capbench.serving.application import Service
from capbench.serving.bodies import Intake
from capbench.serving.desk import Desk
from capbench.serving.gauges import Gauges
from capbench.serving.graph import Graph
from capbench.settings import check

MOST_HEAD = 64 * 2**10  # bytes of a request before its body


def schema(
    *,
    run: str | list[str],
    host: str,
    port: Annotated[int, Ge(0), Le(65535)],
    token: str | None,
    threads: Count,
    batch: Count,
    body: Positive,
    files: Count,
    queue: Count,
    seconds: Count,
) -> None:
    """The settings of the verb, by name and type; the check reads this signature."""


def serve(settings: dict[str, Any]) -> None:
    """Serve until a signal says otherwise."""
    check(settings, schema)
    token = settings["token"]
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise Mistake("token: is empty or has signs that no header carries; give letters and digits")
    if settings["queue"] < settings["files"]:
        raise Mistake(f"queue: {settings['queue']} is less than files={settings['files']}, which one request may bring")
    runs = settings["run"] if isinstance(settings["run"], list) else [settings["run"]]
    if not runs:
        raise Mistake("run: names none; give a folder, or several: [A,B]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was begun is cleared away
    with listening(settings["host"], settings["port"]) as door, opened(runs, settings["threads"]) as graphs:
        gauges = Gauges()
        desk = Desk(distinct(graphs), settings["batch"], settings["queue"], gauges)
        intake = Intake(int(settings["body"] * 2**20), settings["files"], settings["seconds"])
        service = Service(desk, intake, gauges, token)
        logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        host, port = door.getsockname()[:2]
        print(f"serving {', '.join(desk.graphs)} at http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        stop_quietly()
        uvicorn.Server(
            uvicorn.Config(
                service.application(),
                http=Punctual,
                loop="asyncio",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings["seconds"],
                timeout_graceful_shutdown=int(2 * settings["seconds"]) + 1,
            )
        ).run([door])
    print("stopped", flush=True)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A port is taken before anything slow is done for it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Mistake(f"host: {host} is no address of this machine ({error.strerror})") from error
    with door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(address)
            door.listen(2048)
        except OSError as error:
            raise Mistake(
                f"port: {port} of {host} cannot be had ({error.strerror}); choose another, or port=0"
            ) from error
        yield door


@contextmanager
def opened(runs: Sequence[str], threads: int) -> Iterator[list[Graph]]:
    """The runs' graphs; folders are exported first, in a process of their own, as that takes torch and its memory."""
    with tempfile.TemporaryDirectory(prefix="capbench-") as scratch:
        paths = [Path(run) for run in runs]
        folders = {number: path for number, path in enumerate(paths) if path.suffix != ".onnx"}
        if folders:
            with ProcessPoolExecutor(1, get_context("spawn")) as aside:
                for number, folder in folders.items():
                    paths[number] = Path(scratch) / str(number) / "model.onnx"
                    paths[number].parent.mkdir()
                    aside.submit(exported, folder, paths[number]).result()
        yield [Graph.open(path, threads) for path in paths]


def exported(folder: Path, out: Path) -> None:
    from capbench.exporting import export
    from capbench.runs import RunFolder

    export(RunFolder(folder), out)


def distinct(graphs: Sequence[Graph]) -> dict[str, Graph]:
    """By the runs' names, numbered where some have the same."""
    names = [graph.name for graph in graphs]
    if len(set(names)) < len(names):
        names = [f"{number}. {name}" for number, name in enumerate(names, 1)]
    return dict(zip(names, graphs, strict=True))


def stop_quietly() -> None:
    """uvicorn finishes what it holds and then raises the signal again, to the handler that it had found."""
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: None)


class Punctual(HttpToolsProtocol):
    """Gives a request's head a size and a time: uvicorn waits for it for ever, and keeps all of it."""

    _late: TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_is_here()
        else:
            self._head += len(data)
            self._await_head()
            if self._head > MOST_HEAD:
                self._refuse(b"431 Request Header Fields Too Large")

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # close() would wait for a client that does not read its answer

    def _await_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.timeout_keep_alive, self._refuse, b"408 Request Timeout")

    def _head_is_here(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late, self._head = None, 0

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
