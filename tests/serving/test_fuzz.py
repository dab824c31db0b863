"""Ten thousand bodies that nobody should send, and senders that never end: answered, each in its time, by one server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

import requests  # noqa: E402

from capbench.serving.process import Served  # noqa: E402
from tests.fuzz import SEED, Fuzz  # noqa: E402
from tests.serving.service import agrees, graph, offline, picture  # noqa: E402

BODIES = 10_000
AT_ONCE = 24
SLOW = 40  # senders of a byte now and then, all the while
SECONDS = 3  # that the server waits for a body
PATIENCE = 300  # seconds for an answer: some bombs take seconds of the processor, which is shared
MEMORY = 900 * 2**20
ANSWERS = {200, 400, 403, 404, 405, 408, 413, 415, 422, 431, 503}  # 403: damage within the Host line
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


class Bodies:
    """Request number n as bytes, for every n, and whether it is sound enough as HTTP to be sure of an answer."""

    def __init__(self) -> None:
        self.files = Fuzz()
        self.ways = [self.bare, self.form, self.json, self.broken_form, self.broken_json, self.odd_type, self.odd_head]
        self.ways += [self.chunked, self.junk, self.bare, self.form, self.json]

    def __getitem__(self, number: int) -> tuple[bytes, bool]:
        if number < len(self.files.bombs):
            return post("image/png", self.files[number]), True
        if number >= BODIES - len(HEAVY):
            return HEAVY[number - BODIES](), True
        random = np.random.default_rng([SEED, number, 2])
        return self.ways[number % len(self.ways)](number, random)

    def several(self, number: int, random: np.random.Generator) -> list[bytes]:
        numbers = random.integers(len(self.files.bombs), BODIES, size=random.integers(4)).tolist()
        return [self.files[n] for n in (number, *numbers)]

    def bare(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        return post("image/png", self.files[number]), True

    def form_body(self, number: int, random: np.random.Generator) -> bytes:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\xff.png"\r\n\r\n'
        return b"".join(head + file + b"\r\n" for file in self.several(number, random)) + b"--x--\r\n"

    def form(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        return post("multipart/form-data; boundary=x", self.form_body(number, random)), True

    def json_body(self, number: int, random: np.random.Generator) -> bytes:
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
        return post("application/json", self.json_body(number, random)), True

    def broken(self, body: bytes, random: np.random.Generator) -> bytes:
        ways = [self.files.truncated, self.files.flipped, self.files.overwritten, self.files.rearranged]
        return ways[random.integers(len(ways))](body, random)

    def broken_form(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        return post("multipart/form-data; boundary=x", self.broken(self.form_body(number, random), random)), True

    def broken_json(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        return post("application/json", self.broken(self.json_body(number, random), random)), True

    def odd_type(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        body = [self.files[number], self.form_body(number, random), self.json_body(number, random)][random.integers(3)]
        return post(TYPES[random.integers(len(TYPES))], body), True

    def odd_head(self, number: int, random: np.random.Generator) -> tuple[bytes, bool]:
        """A length, a method, a path or a version that is a lie."""
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
        return self.broken(post("image/png", self.files[number]), random), False


def post(kind: str, body: bytes) -> bytes:
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


async def ask(port: int, content: bytes) -> int | None:
    """The status of the answer; None where the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        head = b""
        while not head or head.startswith(b"HTTP/1.1 100 "):
            head = await reader.readuntil(b"\r\n\r\n")
        return int(head[9:12])
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()


async def dribble(port: int, number: int) -> None:
    """A request that comes byte by byte, from a sender that begins again whenever it is put out."""
    content = post("image/png", bytes(9999)) if number % 2 else b"POST /read HTTP/1.1\r\nX: " + b"x" * 9999
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(content[:100])
            for at in range(100, len(content)):
                writer.write(content[at : at + 1])
                await asyncio.sleep(0.5)
                if reader.at_eof():
                    break
            writer.close()
        except ConnectionError:
            await asyncio.sleep(0.5)


async def sent(port: int) -> tuple[Counter[int | None], list[str]]:
    bodies = Bodies()
    numbers = iter(range(BODIES))
    statuses: Counter[int | None] = Counter()
    faults = []

    async def one() -> None:
        for number in numbers:
            content, sound = bodies[number]
            try:
                status = await asyncio.wait_for(ask(port, content), PATIENCE)
            except TimeoutError:
                faults.append(f"body {number}: no answer within {PATIENCE} seconds")
                continue
            statuses[status] += 1
            if status not in ANSWERS and (sound or status is not None):
                faults.append(f"body {number}: {status}")

    slow = [asyncio.create_task(dribble(port, number)) for number in range(SLOW)]
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    assert not any(task.done() for task in slow)
    for task in slow:
        task.cancel()
    return statuses, faults


@pytest.mark.slow
def test_ten_thousand_bodies(tmp_path: Path) -> None:
    path = graph(tmp_path / "small.onnx", any_size=True)
    good = picture(5)
    with Served(path, f"seconds={SECONDS}") as server:
        statuses, faults = asyncio.run(sent(server.port))
        assert faults == []
        assert sum(statuses.values()) == BODIES
        assert statuses[200] > BODIES / 10 and statuses[422] > BODIES / 10 and statuses[400] > BODIES / 20, statuses
        assert min(statuses[kind] for kind in (404, 405, 408, 413, 415)) > 0, statuses
        home = f"http://127.0.0.1:{server.port}"
        answer = requests.post(f"{home}/read", files={"file": ("a.png", good)}, timeout=30).json()
        assert agrees(answer["images"][0]["readings"][0], offline(path, good)[0])
        figures = requests.get(f"{home}/metrics", timeout=30).text
        assert "\ncapbench_queue_images 0.0\n" in figures
        (memory,) = (line for line in figures.splitlines() if line.startswith("process_resident_memory_bytes "))
        assert float(memory.split()[1]) < MEMORY
        assert "Traceback" not in server.logged()
        assert server.stop() == 0
