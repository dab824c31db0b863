"""HTTP protocol of uvicorn with limits on time, waiting requests and connections."""

from __future__ import annotations

import math
import resource
from asyncio import TimerHandle, Transport
from functools import cache
from heapq import nsmallest
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 2**10  # bytes of a request before its body
LEAST_PIECE = 16 * 2**10  # bytes of a body that are worth waking the request's task for, before the body is complete
MOST_PIPELINED = 16  # requests that wait on one connection for the response to an earlier one
MOST_CONNECTIONS = 1000
MOST_BACKLOG = 2048  # connections that the system queues until they are accepted, and that are accepted in one go
MOST_FILES = 8192  # file descriptors to ask the system for
SPARE_FILES = 128  # file descriptors for everything but connections


def raise_file_limit() -> None:
    """Raise the limit on file descriptors as far as the system allows, up to MOST_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def backlog() -> int:
    """Return the number of connections that may be accepted in one go: an eighth of the file descriptors."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_BACKLOG if files == resource.RLIM_INFINITY else min(MOST_BACKLOG, files // 8)


@cache
def most_connections() -> int:
    """Return the number of connections that are kept open at once; called after `raise_file_limit`.

    The file descriptors must suffice for these and for accepted connections that are not closed yet.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, files - 4 * backlog() - SPARE_FILES))


class BoundedProtocol(HttpToolsProtocol):
    """Connection that is closed when its client is too slow to send a request's head or to read a response.

    uvicorn itself waits for both without a timeout, buffers a head of any size, and accepts any number of requests
    before it answers them.
    """

    _head_timer: TimerHandle | None = None
    _response_timer: TimerHandle | None = None
    _head = 0
    _asked = 0.0  # time of the event loop, in seconds, at which the head of the last request was complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the timeout for the first head, and make room where there are too many connections."""
        super().connection_made(transport)
        self._start_head_timeout()
        self._make_room()

    def _make_room(self) -> None:
        """Where there are too many connections, make room for a twentieth of them.

        Connections that are closing already count no more; then those are closed whose clients are nearest to their
        timeout. To search through all connections for every new one would take longer than to answer it.
        """
        most = most_connections()
        if len(self.connections) <= most:
            return
        self.connections.difference_update([one for one in self.connections if one.transport.is_closing()])
        kept = [cast(BoundedProtocol, one) for one in self.connections]
        for one in nsmallest(len(kept) - most + most // 20, kept, key=lambda one: one._deadline):
            if one._deadline < math.inf:
                one.transport.abort()
                self.connections.discard(one)  # connection_lost() is called only later

    def data_received(self, data: bytes) -> None:
        """Parse new bytes; refuse a head that is too long."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_head_timeout()
        else:
            self._head += len(data)
            self._start_head_timeout()
            if self._head > MOST_HEAD:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Close a connection on which too many requests wait."""
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            raise OverflowError("too many requests wait on this connection")  # ends the parsing of these bytes
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Pass a body on in large pieces, or complete: a client may send it byte by byte."""
        if self.cycle.response_complete or len(self.cycle.body) + len(body) >= LEAST_PIECE:
            super().on_body(body)
        else:
            self.cycle.body += body

    def send_400_response(self, msg: str) -> None:
        """Send the response and start the timeout for the client to read it."""
        if not self.transport.is_closing():
            super().send_400_response(msg)
            self._start_response_timeout()

    def on_response_complete(self) -> None:
        """Start the timeout for the client to read the response, where the connection is closing."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_response_timeout()

    def pause_writing(self) -> None:
        """Start the timeout for the client to read the response, since the send buffer is full."""
        super().pause_writing()
        self._start_response_timeout()

    def resume_writing(self) -> None:
        """Cancel the timeout for the client to read the response."""
        super().resume_writing()
        self._cancel_response_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timeouts."""
        self._cancel_head_timeout()
        self._cancel_response_timeout()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        self.transport.abort()  # close() would wait for a client that does not read its response

    def on_headers_complete(self) -> None:
        """Note the time at which the head was complete."""
        super().on_headers_complete()
        self._asked = self.loop.time()

    @property
    def _deadline(self) -> float:
        """Time of the event loop, in seconds, at which the client must have sent a head or a body, or read a response.

        It is infinite while the client waits for the server.
        """
        if timer := self._response_timer or self._head_timer or self.timeout_keep_alive_task:
            return timer.when()
        return self._asked + self.timeout_keep_alive if self.cycle.more_body else math.inf

    def _start_head_timeout(self) -> None:
        """Start the timeout for a request's head, unless it runs already."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._refuse, b"408 Request Timeout")

    def _cancel_head_timeout(self) -> None:
        """Cancel the timeout for a request's head."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer, self._head = None, 0

    def _start_response_timeout(self) -> None:
        """Start the timeout for the client to read a response, unless it runs already."""
        if self._response_timer is None:
            self._response_timer = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _cancel_response_timeout(self) -> None:
        """Cancel the timeout for the client to read a response."""
        if self._response_timer is not None:
            self._response_timer.cancel()
        self._response_timer = None

    def _refuse(self, status: bytes) -> None:
        """Send a response without a body and close the connection."""
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
        self._start_response_timeout()
