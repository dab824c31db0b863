"""Requests as bytes, as they go to the server; needs nothing but Python, so that who sends them starts at once."""

from __future__ import annotations

from collections.abc import Sequence

FORM = "multipart/form-data"
JSON = "application/json"
BOUNDARY = "a-line-between-parts"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(kind: str, body: bytes) -> bytes:
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def bare(file: bytes) -> bytes:
    return post("application/octet-stream", file)


def form(files: Sequence[bytes]) -> bytes:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    body = b"".join(part + file + b"\r\n" for file in files) + f"--{BOUNDARY}--\r\n".encode()
    return post(f"{FORM}; boundary={BOUNDARY}", body)
