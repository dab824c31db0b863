"""HTTP protocol of uvicorn with limits on time, waiting requests and connections."""

from __future__ import annotations

import math
import resource
from asyncio import TimerHandle, Transport
from heapq import nsmallest
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 2**10  # bytes of a request before its body
MOST_PIPELINED = 16  # requests that wait on one connection for the answer to an earlier one
MOST_CONNECTIONS = 1000
MOST_BACKLOG = 2048  # connections that the system keeps until they are accepted, and that are accepted in one go
MOST_FILES = 8192  # file descriptors that are asked of the system
SPARE_FILES = 128  # file descriptors for all but connections


def raise_file_limit() -> None:
    """Ask the system for as many file descriptors as it gives, up to MOST_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def backlog() -> int:
    """Return how many connections may be accepted in one go: an eighth of the file descriptors."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_BACKLOG if files == resource.RLIM_INFINITY else min(MOST_BACKLOG, files // 8)


def most_connections() -> int:
    """Return how many connections are kept at once.

    There must be file descriptors for them and for those that were accepted and are not yet closed again.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, files - 4 * backlog() - SPARE_FILES))


class Punctual(HttpToolsProtocol):
    """A connection that ends when its client is too slow: in sending a request's head, or in reading an answer.

    uvicorn waits for both for ever, keeps all of a head, and takes in any number of requests before it answers them.
    """

    _late: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _head = 0
    _asked = 0.0  # when the head of the last request was here

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()
        self._make_room()

    def _make_room(self) -> None:
        """Where connections are too many, cut off those whose clients have been waited for for longest.

        A twentieth at a time: to look at all of them for each that comes would take more than to answer it.
        """
        most = most_connections()
        if len(self.connections) <= most:
            return
        kept = [cast(Punctual, one) for one in self.connections if not one.transport.is_closing()]
        if len(kept) > most:
            for one in nsmallest(1 + most // 20, kept, key=lambda one: one._patience_ends):
                if one._patience_ends < math.inf:
                    one.transport.abort()
                    self.connections.discard(one)  # it is told of the loss only later

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

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            raise OverflowError("too many requests wait on this connection")  # ends the parser's work on these bytes
        super().on_message_begin()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)
            self._await_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_read()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        self._is_read()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # close() would wait for a client that does not read its answer

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._asked = self.loop.time()

    @property
    def _patience_ends(self) -> float:
        """When the client should have sent a head or a body, or read an answer; never while the server owes it one."""
        if timer := self._unread or self._late or self.timeout_keep_alive_task:
            return timer.when()
        return self._asked + self.timeout_keep_alive if self.cycle.more_body else math.inf

    def _await_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.timeout_keep_alive, self._refuse, b"408 Request Timeout")

    def _head_is_here(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late, self._head = None, 0

    def _await_reading(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        self._unread = None

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
        self._await_reading()
