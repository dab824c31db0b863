"""Ten thousand invalid and valid requests to one server, beside slow clients: each must get a response in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

import requests  # noqa: E402

from capbench.serve.process import Served  # noqa: E402
from tests.fuzz.http import ANSWERS, Bodies, post  # noqa: E402
from tests.helpers.graphs import agrees, graph, offline, picture  # noqa: E402
from tests.helpers.waiting import DEADLINE  # noqa: E402

BODIES = 10_000
AT_ONCE = 24
SLOW = 40  # clients that send a byte now and then during the whole test
BETWEEN_BYTES = 0.5  # seconds that a slow client waits before the next byte, or before it connects again
SECONDS = 3  # the server's timeout for a body
PATIENCE = 300  # seconds for a response: some bombs take seconds of CPU time, and the CPU is shared
MEMORY = 900 * 2**20


async def ask(port: int, content: bytes) -> int | None:
    """Return the status of the response; None where the connection was closed without one."""
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
    """Send a request byte by byte, and start again whenever the server closes the connection."""
    content = post("image/png", bytes(9999)) if number % 2 else b"POST /read HTTP/1.1\r\nX: " + b"x" * 9999
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(content[:100])
            for at in range(100, len(content)):
                writer.write(content[at : at + 1])
                await asyncio.sleep(BETWEEN_BYTES)
                if reader.at_eof():
                    break
            writer.close()
        except ConnectionError:
            await asyncio.sleep(BETWEEN_BYTES)


async def sent(port: int) -> tuple[Counter[int | None], list[str]]:
    """Send all requests beside slow clients; return the counts of each status, and the faults."""
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
def test_ten_thousand_bodies_are_answered_beside_slow_clients(tmp_path: Path) -> None:
    path = graph(tmp_path / "small.onnx", any_size=True)
    good = picture(5)
    with Served(path, f"seconds={SECONDS}") as server:
        statuses, faults = asyncio.run(sent(server.port))
        assert faults == []
        assert sum(statuses.values()) == BODIES
        assert statuses[200] > BODIES / 10 and statuses[422] > BODIES / 10 and statuses[400] > BODIES / 20, statuses
        assert min(statuses[kind] for kind in (404, 405, 408, 413, 415)) > 0, statuses
        home = f"http://127.0.0.1:{server.port}"
        answer = requests.post(f"{home}/read", files={"file": ("a.png", good)}, timeout=DEADLINE).json()
        assert agrees(answer["images"][0]["readings"][0], offline(path, good)[0])
        figures = requests.get(f"{home}/metrics", timeout=DEADLINE).text
        assert "\ncapbench_queue_images 0.0\n" in figures
        (memory,) = (line for line in figures.splitlines() if line.startswith("process_resident_memory_bytes "))
        assert float(memory.split()[1]) < MEMORY
        assert "Traceback" not in server.logged()
        assert server.stop() == 0
