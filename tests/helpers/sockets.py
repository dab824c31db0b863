"""Raw bytes sent to a server and received from it."""

from __future__ import annotations

import socket

from tests.helpers.waiting import DEADLINE


def connected(port: int) -> socket.socket:
    """Return a connection to a server on this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def received(line: socket.socket) -> bytes:
    """Return all that a server sends until it closes the connection."""
    answer = b""
    while more := line.recv(65536):
        answer += more
    return answer


def exchanged(port: int, *pieces: bytes) -> bytes:
    """Send bytes to a server, and return all that it sends until it closes the connection."""
    with connected(port) as line:
        for piece in pieces:
            line.sendall(piece)
        return received(line)
