"""Disconnection of slow clients, on a connection without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve: make test installs it")

from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from capbench.serve import protocol as punctual
from capbench.serve.protocol import BoundedProtocol
from tests.helpers.waiting import DEADLINE


class Transport:
    """Connection whose client reads nothing: written bytes stay, and `close` waits for them."""

    def __init__(self) -> None:
        self.calls = Mock()
        self.ended = asyncio.Event()
        self.closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.calls, name)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True
        self.ended.set()


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def pauses(protocol: BoundedProtocol) -> None:
    protocol.pause_writing()


def is_answered_and_closed(protocol: BoundedProtocol) -> None:
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")


def is_refused(protocol: BoundedProtocol) -> None:
    protocol.data_received(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("happens", [pauses, is_answered_and_closed, is_refused])
def test_a_client_that_reads_no_answer_is_disconnected(happens: Callable[[BoundedProtocol], None]) -> None:
    async def connect() -> None:
        config = Config(answer, http=BoundedProtocol, timeout_keep_alive=1, log_config=None)
        config.load()
        protocol, transport = BoundedProtocol(config, ServerState(), {}), Transport()
        protocol.connection_made(transport)  # type: ignore[arg-type]
        protocol._cancel_head_timeout()  # the timer of the head is not tested here
        happens(protocol)
        await asyncio.wait_for(transport.ended.wait(), DEADLINE)

    asyncio.run(connect())


def test_a_client_that_reads_again_is_not_disconnected() -> None:
    async def connect() -> None:
        config = Config(answer, http=BoundedProtocol, timeout_keep_alive=60, log_config=None)
        config.load()
        protocol = BoundedProtocol(config, ServerState(), {})
        protocol.connection_made(Transport())  # type: ignore[arg-type]
        protocol.pause_writing()
        assert protocol._response_timer is not None
        protocol.resume_writing()
        assert protocol._response_timer is None

    asyncio.run(connect())


@pytest.mark.parametrize(
    ("sent", "cut"),
    [
        ([b"abc", b"a", None], [1]),
        ([b"a", b"abc", None], [0]),
        ([b"abc", b"abc", None], [2]),
        ([None, b"abc", None], [0]),
    ],
    ids=["slow body", "slow body first", "answers owed", "silent"],
)
def test_over_the_connection_limit_the_slowest_client_is_disconnected(
    sent: list[bytes | None], cut: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fill the connections: a client whose request is complete is never disconnected, since it is owed an answer."""
    monkeypatch.setattr(punctual, "most_connections", lambda: 2)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def connect() -> None:
        config = Config(never, http=BoundedProtocol, timeout_keep_alive=60, log_config=None)
        config.load()
        state, transports = ServerState(), []
        for body in sent:
            protocol, transport = BoundedProtocol(config, state, {}), Transport()
            transports.append(transport)
            protocol.connection_made(transport)  # type: ignore[arg-type]
            if body is not None:
                protocol.data_received(head + body)
        assert [number for number, one in enumerate(transports) if one.ended.is_set()] == cut

    asyncio.run(connect())


def test_over_the_connection_limit_room_is_made_for_a_twentieth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the connections, two of which are closing: those count no more, and no client is cut in their place."""
    monkeypatch.setattr(punctual, "most_connections", lambda: 40)

    async def connect() -> None:
        config = Config(answer, http=BoundedProtocol, timeout_keep_alive=60, log_config=None)
        config.load()
        state, transports = ServerState(), [Transport() for _ in range(43)]
        for number, transport in enumerate(transports):
            BoundedProtocol(config, state, {}).connection_made(transport)  # type: ignore[arg-type]
            if number == 39:
                transports[5].close()
                transports[7].close()
        assert [number for number, one in enumerate(transports) if one.ended.is_set()] == [0]
        assert len(state.connections) == 40  # 41 less 2 less 1, and the two after them

    asyncio.run(connect())


@pytest.mark.parametrize(("size", "pieces"), [(300, [300]), (20_000, [2**14, 20_000 - 2**14])])
def test_a_body_that_arrives_byte_by_byte_is_passed_on_in_large_pieces(size: int, pieces: list[int]) -> None:
    got: list[int] = []

    async def collect(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            got.append(len(message["body"]))
            more = message["more_body"]
        await answer(scope, receive, send)

    async def connect() -> None:
        config = Config(collect, http=BoundedProtocol, timeout_keep_alive=60, log_config=None)
        config.load()
        protocol, transport = BoundedProtocol(config, ServerState(), {}), Transport()
        protocol.connection_made(transport)  # type: ignore[arg-type]
        protocol.data_received(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size):
            protocol.data_received(b"x")
            await asyncio.sleep(0)
        while not transport.closing:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(connect(), DEADLINE))
    assert got == pieces
