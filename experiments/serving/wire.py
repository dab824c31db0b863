"""HTTP requests as bytes; imports only the standard library, so that the clients start fast."""

from __future__ import annotations

from collections.abc import Sequence

FORM = "multipart/form-data"
JSON = "application/json"
BOUNDARY = "a-line-between-parts"


def get(path: str) -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(kind: str, body: bytes) -> bytes:
    """Return a POST request to /read with a body of a content type."""
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def bare(file: bytes) -> bytes:
    """Return a request whose body is one image file."""
    return post("application/octet-stream", file)


def form(files: Sequence[bytes]) -> bytes:
    """Return a request with a multipart form of image files."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    body = b"".join(part + file + b"\r\n" for file in files) + f"--{BOUNDARY}--\r\n".encode()
    return post(f"{FORM}; boundary={BOUNDARY}", body)
