"""HTTP requests: valid or damaged bodies of every form, false heads, and bytes that are not a request."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from capbench.errors import BadImage
from capbench.serve.process import Served
from tests.fuzz.image import SEED, Fuzz
from tests.fuzz.mutations import flipped, generator, overwritten, pick, rearranged, truncated
from tests.helpers.graphs import graph, picture

MOST = 10_000  # image files from which bodies of several images are made
SECONDS = 2  # the server's timeout for a client
SILENT = 0.15  # seconds without a response, after which the sending side is closed: the request may be incomplete
PATIENCE = 60  # seconds of wall time for a response; the machine may be busy
ANSWERS = {200, 400, 403, 404, 405, 408, 413, 415, 422, 431, 503}  # 403 comes from a damaged Host header
TYPES = [
    *("image/png", "image/webp", "application/octet-stream", "application/json", "multipart/form-data; boundary=x"),
    *("multipart/form-data", "multipart/form-data; boundary=" + "x" * 300, "multipart/form-data; boundary=é", ""),
    *(
        "text/plain",
        "application/json; charset=utf-16",
        "image/svg+xml",
        "multipart/mixed; boundary=x",
        ";;;=",
        "a" * 9000,
    ),
]
CONTINUE = re.compile(rb"^HTTP/1\.1 100 [^\r\n]*\r\n\r\n")
HEAD_WORDS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"\r\n\r\n",
        b"HTTP/1.1",
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"OPTIONS ",
        b"CONNECT ",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length:\r\n",
        b"Host: a\r\n",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"TE: trailers\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Connection: keep-alive, Upgrade\r\n",
        b"Upgrade: h2c\r\n",
        b"HTTP2-Settings: AAA\r\n",
        b"Expect: a\r\n",
    ),
    *(
        b"Origin: null\r\n",
        b"Origin: http://a\r\n",
        b"Authorization: Bearer \xff\r\n",
        b"Range: bytes=0-\r\n",
        b" folded: a\r\n",
        b"X" * 900,
    ),
    *(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        b"/../../etc/passwd",
        b"/%2e%2e/",
        b"/health",
        b"/metrics",
        b"/docs",
    ),
]


class Bodies:
    """Endless list of requests: bytes, and whether they are valid enough as HTTP that a response must come."""

    def __init__(self, seed: int = SEED) -> None:
        self.seed = seed
        self.files = Fuzz(seed)
        self.heavy = [
            lambda number=number: (post("image/png", self.files[number]), True)
            for number in range(len(self.files.bombs))
        ]
        self.heavy += [lambda made=made: (made(), True) for made in HEAVY]
        self.ways = [self.bare, self.form, self.json, self.broken_form, self.broken_json, self.odd_type, self.odd_head]
        self.ways += [self.chunked, self.junk, self.bare, self.form, self.json]

    def __getitem__(self, number: int) -> tuple[bytes, bool]:
        if number < len(self.heavy):
            return self.heavy[number]()
        random = np.random.default_rng([self.seed, number, 2])
        return self.ways[number % len(self.ways)](number, random)

    def several(self, number: int, random: np.random.Generator) -> list[bytes]:
        """Return one to four image files."""
        numbers = random.integers(len(self.files.bombs), MOST, size=random.integers(4)).tolist()
        return [self.files[n] for n in (number, *numbers)]

    def bare(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request whose body is one image file."""
        return post("image/png", self.files[number]), True

    def form_body(self, number: int, random: np.random.Generator) -> bytes:
        """Return a multipart form with one to four image files."""
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\xff.png"\r\n\r\n'
        return b"".join(head + file + b"\r\n" for file in self.several(number, random)) + b"--x--\r\n"

    def form(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with a multipart form."""
        return post("multipart/form-data; boundary=x", self.form_body(number, random)), True

    def json_body(self, number: int, random: np.random.Generator) -> bytes:
        """Return JSON with one to four images in Base64, sometimes with an invalid item among them."""
        texts: list[Any] = [base64.b64encode(file).decode() for file in self.several(number, random)]
        strange: list[Any] = [
            None,
            3,
            "",
            [],
            {"a": 1},
            "\ud800",
            "AAAA" * 999,
            float("nan"),
            True,
            "data:image/png;base64,",
        ]
        if random.random() < 0.3:
            texts.insert(random.integers(len(texts) + 1), strange[random.integers(len(strange))])
        return json.dumps({"images": texts}).encode()

    def json(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with JSON."""
        return post("application/json", self.json_body(number, random)), True

    def broken(self, body: bytes, random: np.random.Generator) -> bytes:
        """Return a damaged body."""
        ways = [truncated, flipped, overwritten, rearranged]
        return ways[random.integers(len(ways))](body, random)

    def broken_form(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with a damaged multipart form."""
        return post("multipart/form-data; boundary=x", self.broken(self.form_body(number, random), random)), True

    def broken_json(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with damaged JSON."""
        return post("application/json", self.broken(self.json_body(number, random), random)), True

    def odd_type(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with a wrong or malformed content type."""
        body = [self.files[number], self.form_body(number, random), self.json_body(number, random)][random.integers(3)]
        return post(TYPES[random.integers(len(TYPES))], body), True

    def odd_head(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with a false length, method, path, version or header."""
        request = post("image/png", self.files[number])
        lies = [
            (b"Content-Length: ", b"Content-Length: 9"),
            (b"Content-Length: ", b"Content-Length: -"),
            (b"Content-Length: ", b"Content-Length: 99999999999999999999"),
            (b"Content-Length: ", b"Transfer-Encoding: chunked\r\nContent-Length: "),
            (b"POST", b"PUT"),
            (b"POST", b"post"),
            (b"/read", b"/re%00ad?" + b"a" * 5000),
            (b"/read", b"//read/../read"),
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"HTTP/1.1", b"HTTP/9.9"),
            (b"Host: localhost", b"Host: localhost\r\nConnection: upgrade\r\nUpgrade: websocket"),
            (b"Host: localhost", b"Host: localhost\r\nExpect: 100-continue"),
            (b"Host: localhost", b"Host: localhost\r\nContent-Encoding: gzip"),
            (b"Host: localhost", b"X: " + b"y" * 70_000),
        ]
        return request.replace(*lies[random.integers(len(lies))], 1), False

    def chunked(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request with a chunked body, damaged in half of the cases."""
        body = self.files[number]
        size = int(random.integers(1, len(body) + 2))
        pieces = [body[at : at + size] for at in range(0, len(body), size)][:500]
        content = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        broken = random.random() < 0.5
        content = self.broken(content, random) if broken else content
        head = (
            b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        return head + content, not broken

    def junk(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """Return a request that is damaged anywhere."""
        return self.broken(post("image/png", self.files[number]), random), False


def post(kind: str, body: bytes) -> bytes:
    """Return a POST request with a body of a content type."""
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


HEAVY = [
    lambda: post("application/json", b'{"images": ["' + b"A" * 15_000_000 + b'"]}'),
    lambda: post("application/json", json.dumps({"images": [base64.b64encode(picture(1, ".bmp", 1800, 1800)).decode()]}).encode()),
    lambda: post("application/json", b'{"images": [' + b'"",' * 3_000_000 + b'""]}'),
    lambda: post("application/json", b"[" * 15_000_000),
    lambda: post("application/json", b'{"a":' * 2_000_000),
    lambda: post("multipart/form-data; boundary=x", b"--x\r\n" * 3_000_000),
    lambda: post("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 200_000),
    lambda: post("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"\r" * 15_000_000),
    lambda: post("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 15_000_000),
    lambda: post("image/png", bytes(17_000_000)),
    lambda: post("image/png", b"\r\n" * 8_000_000),
]  # fmt: skip


class door:
    """Door that sends each request over a connection of its own; the server's time and memory are measured."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._bodies = Bodies(seed)
        self._server = Served(graph(folder / "small.onnx", any_size=True), f"seconds={SECONDS}")
        self._server.__enter__()
        self.pid = self._server.process.pid
        self._read, self._sent = 0, 0
        self.sound = [bytes([1]) + post("image/png", picture(5))]

    def made(self, number: int) -> bytes:
        """Return one byte, 1 where the request is valid enough that a response must come, and the request."""
        random = generator("http", self._seed, number)
        if number >= len(self._bodies.heavy) and random.random() < 0.3:
            return bytes([0]) + self._odd(random)
        content, sound = self._bodies[number]
        return bytes([sound]) + content

    @staticmethod
    def _odd(random: np.random.Generator) -> bytes:
        """Return requests with words inserted into their heads, several in a row, or for a path that does not exist."""
        content = post(
            pick(random, TYPES).encode("latin-1", "replace").decode("latin-1"), picture(int(random.integers(9)))
        )
        if random.random() < 0.3:
            content = (
                pick(random, [b"GET ", b"HEAD ", b"POST "])
                + pick(random, [b"/", b"/health", b"/metrics", b"/openapi.json", b"*", b"http://a/"])
                + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
        content *= int(random.choice([1, 1, 2, 20]))
        for _ in range(random.integers(1, 6)):
            place = int(random.integers(min(len(content), 300)))
            content = (
                content[:place]
                + pick(random, HEAD_WORDS) * int(random.choice([1, 1, 1, 50]))
                + content[place + int(random.integers(3)) :]
            )
        return content

    def open(self, content: bytes) -> None:
        self._sent += 1
        status = _answer(self._server.port, content[1:], bool(content[0]))
        logged = os.pread(self._server.log.fileno(), 1 << 20, self._read)
        self._read += len(logged)
        assert b"Traceback" not in logged and b"Exception" not in logged, logged[-1500:].decode(errors="replace")
        assert status in ANSWERS or (status is None and not content[0]), f"answered with {status}"
        if self._sent % 100 == 0:
            assert _answer(self._server.port, self.sound[0][1:], True) == 200, "an honest request is not answered"
        if status != 200:
            raise BadImage(f"answered with {status}")

    def close(self) -> None:
        self._server.__exit__(None, None, None)


def _answer(port: int, content: bytes, sure: bool) -> int | None:
    """Return the status of the response; None where the server closes the connection without one.

    Where a response is not `sure`, because the request may be incomplete, the sending side is closed after SILENT
    seconds.
    """
    head = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        with suppress(ConnectionError):
            line.sendall(content)
        line.settimeout(PATIENCE if sure else SILENT)
        with suppress(ConnectionError):
            while b"\r\n\r\n" not in head:
                try:
                    more = line.recv(1 << 16)
                except TimeoutError:
                    if sure:
                        raise
                    sure = True
                    line.settimeout(PATIENCE)
                    line.shutdown(socket.SHUT_WR)
                    continue
                if not more:
                    break
                head = CONTINUE.sub(b"", head + more)
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    return int(found[1]) if found else None
