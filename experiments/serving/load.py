"""Load test of a server: python experiments/serving/load.py RUN [--seconds N]

RUN is a run's folder or an exported graph. There are three parts (--only selects one), each of N seconds:

together: the same load for a server that reads image by image and for one that reads in batches, alternately, for a
minute at most. The gain depends on the network: the article's large layer is read from memory once per batch, but a
small network does the same work for each image (--any-speed).

mixed: one server gets valid and invalid requests of every form on many connections, as fast as it answers.

attacked: honest clients send requests while others attack: without an attack, with each attack alone for a twentieth of
the time, and with all at once (attacked.py, attacks.py).

The exit code is 1, with the reasons, where the reading of an image differs from the one without a server, where a
status is unexpected (503 is allowed under load), where memory grows, or where batches are not twice as fast. It is also
1 where, under attack, fewer than 95 % of the honest requests are answered within a second (--within), the server takes
over 1 GiB, or its log has a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from attacked import attacked, record
from bombs import HUGE
from known import GOOD, known, same
from wire import BOUNDARY, FORM, JSON, bare, form, get, post

from capbench.export.graph import Graph, Read
from capbench.serve.opening import graphs_of
from capbench.serve.process import Served

PARTS = ("together", "mixed", "attacked")
SEVERAL = 16  # images of a large request
CONNECTIONS = 64  # at once
ROUNDS = 3  # of alternating measurements of both servers
PATIENCE = 30  # seconds to wait for a response
GROWTH = 1.1  # allowed factor between the memory in the second and in the last quarter of the time
MARGIN = 16 * 2**20  # bytes of memory by which the last quarter may exceed that in any case
BATCHED = 2.0  # wanted ratio of the throughput in batches to the throughput image by image
MOST_COMPARED = 60  # seconds of the part `together`


class Asked(NamedTuple):
    """Request as bytes, the expected status, and the expected readings, None for a file that is not an image."""

    content: bytes
    status: int
    expected: Sequence[Read | None] = ()


@dataclass
class Tally:
    """Statuses, durations in seconds, and faults of many requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    images: int = 0
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def figures(self, lasted: float) -> dict[str, Any]:
        """Return a summary; `lasted` is the duration of all requests, in seconds."""
        p50, p99 = np.quantile(self.seconds, (0.5, 0.99)) * 1000
        return {
            "requests": dict(sorted(self.statuses.items())),
            "images": self.images,
            "images_per_second": round(self.images / lasted),
            "p50_ms": round(p50, 1),
            "p99_ms": round(p99, 1),
        }


def main() -> None:
    """Run the wanted parts, print their figures, and exit with 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a finished run, or an exported graph")
    parser.add_argument("--seconds", type=float, default=600, help="that each part lasts, or some more")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--any-speed", action="store_true", help="do not ask that reading together is faster")
    parser.add_argument("--within", type=float, default=1, help="seconds, for an honest request while others attack")
    parser.add_argument("--strength", type=float, default=1, help="share of its connections that each attack has")
    parser.add_argument("--record", action="store_true", help="write what the attacks came to into README.md")
    given = parser.parse_args()
    parts = {
        "together": compare,
        "mixed": endure,
        "attacked": partial(attacked, within=given.within, strength=given.strength),
    }
    wanted = [given.only] if given.only else PARTS
    if given.record and "attacked" not in wanted:
        parser.error("--record: only the attacks have a table")
    figures: dict[str, Any] = {}
    faults: list[str] = []
    with graphs_of([given.run]) as (path,):
        files, reads = known(Graph.open(path))
        for name in wanted:
            figures[name], found = parts[name](path, files, reads, given.seconds)
            faults += found
    if given.record:
        record(figures["attacked"])
    print(json.dumps(figures, indent=1))
    if "together" in figures and not given.any_speed:
        best = max(of["ratio"] for of in figures["together"].values())
        if best < BATCHED:
            faults.append(f"reading together is {best} times as fast as one by one; {BATCHED} times are wanted")
    for fault in faults:
        print(f"load: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


def compare(path: Path, files: list[bytes], reads: list[Read], seconds: float) -> tuple[dict[str, Any], list[str]]:
    """Return the images per second of both servers, with one and with several images per request, and the faults."""
    seconds = min(seconds, MOST_COMPARED)
    one = [Asked(bare(file), 200, [read]) for file, read in zip(files, reads, strict=True)]
    groups = [slice(start, start + SEVERAL) for start in range(0, GOOD - SEVERAL + 1, SEVERAL)]
    several = [Asked(form(files[group]), 200, reads[group]) for group in groups]
    loads = {"one image a request": (one, CONNECTIONS), f"{SEVERAL} images a request": (several, CONNECTIONS // 4)}
    speeds: dict[str, dict[str, list[float]]] = {name: {"one by one": [], "together": []} for name in loads}
    faults = []
    with Served(path, "batch=1") as alone, Served(path) as together:
        servers = {"one by one": alone, "together": together}
        for _ in range(ROUNDS):
            for name, (asked, connections) in loads.items():
                for how, server in servers.items():
                    share = seconds / ROUNDS / len(loads) / len(servers)
                    tally = asyncio.run(saturate(server.port, asked, connections, share))
                    speeds[name][how].append(tally.images / share)
                    faults += tally.faults
    medians = {name: {how: round(statistics.median(of)) for how, of in by.items()} for name, by in speeds.items()}
    for of in medians.values():
        of["ratio"] = round(of["together"] / of["one by one"], 2)
    return medians, faults


def endure(path: Path, files: list[bytes], reads: list[Read], seconds: float) -> tuple[dict[str, Any], list[str]]:
    """Return the figures of a mixture of valid and invalid requests over a long time, and the faults."""
    asked = mixture(files, reads)
    with Served(path) as server:
        memory: list[int] = []

        async def watched() -> Tally:
            async def watch() -> None:
                while True:
                    memory.append(resident(server.process.pid))
                    await asyncio.sleep(min(1.0, seconds / 40))

            watching = asyncio.create_task(watch())
            tally = await saturate(server.port, asked, CONNECTIONS, seconds)
            watching.cancel()
            return tally

        tally = asyncio.run(watched())
        after = asyncio.run(saturate(server.port, asked[:1], 1, 0.5))
        code = server.stop()
    quarter = len(memory) // 4
    early, late = (statistics.median(memory[quarter * n : quarter * (n + 1)]) for n in (1, 3))
    faults = tally.faults + after.faults
    if late > GROWTH * early + MARGIN:
        faults.append(f"memory grew from {early / 2**20:.0f} to {late / 2**20:.0f} MiB")
    if code:
        faults.append(f"the server ended with {code}")
    figures = tally.figures(seconds)
    return figures | {"memory_mib": [round(early / 2**20), round(late / 2**20)], "seconds": round(seconds)}, faults


def mixture(files: list[bytes], reads: list[Read]) -> list[Asked]:
    """Return valid requests of every form, with invalid ones of every kind among them."""
    text = [base64.b64encode(file).decode() for file in files]
    asked = []
    for n in range(0, GOOD - SEVERAL + 1, 4):
        few, half = slice(n, n + 4), files[n][: len(files[n]) // 2]
        asked += [
            Asked(bare(files[n]), 200, [reads[n]]),
            Asked(form(files[few]), 200, reads[few]),
            Asked(post(JSON, json.dumps({"images": text[few]}).encode()), 200, reads[few]),
            Asked(form([half, *files[few], b"", files[n][:30]]), 200, [None, *reads[few], None, None]),
            Asked(form(files[n : n + SEVERAL]), 200, reads[n : n + SEVERAL]),
        ]
        bad = [
            Asked(bare(half), 422),
            Asked(bare(text[n][:-9].encode()), 422),
            Asked(bare(b"BM" + bytes(range(256)) * n), 422),
            Asked(bare(HUGE), 422),
            Asked(form([file[:50] for file in files[few]]), 422),
            Asked(form([b"x"] * 65), 413),
            Asked(post(JSON, b'{"images": ["' + text[n].encode()), 400),
            Asked(post(JSON, b'{"images": [1, 2]}'), 422),
            Asked(post(JSON, b"[" * 100_000), 400),
            Asked(post("text/plain", files[n]), 415),
            Asked(post(f"{FORM}; boundary={BOUNDARY}", form(files[few])[300:]), 400),
            Asked(get("/read"), 405),
        ]
        asked += [bad[n // 4 % len(bad)], bad[(n // 4 + 5) % len(bad)]]
    return asked


async def saturate(port: int, asked: Sequence[Asked], connections: int, seconds: float) -> Tally:
    """Send requests on many connections, without a pause between response and next request, for so many seconds."""
    tally = Tally()
    end = time.monotonic() + seconds
    turn = itertools.cycle(asked)

    async def one() -> None:
        line = None
        while time.monotonic() < end:
            line = line or await asyncio.open_connection("127.0.0.1", port)
            if not await answered(*line, next(turn), tally):
                line[1].close()
                line = None

    await asyncio.gather(*(one() for _ in range(connections)))
    return tally


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked, tally: Tally) -> bool:
    """Send a request and check its response; return whether the connection stays open."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(asked.content)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
    except (OSError, EOFError, TimeoutError) as error:
        tally.faults.append(f"no answer to {asked.content[:80]!r} ({type(error).__name__})")
        return False
    tally.seconds.append(time.perf_counter() - begun)
    status = int(head[9:12])
    tally.statuses[status] += 1
    if status == 503 and b"retry-after: " in head:
        await asyncio.sleep(0.05)
    elif status != asked.status:
        tally.faults.append(f"{status} instead of {asked.status}: {body[:200].decode(errors='replace')}")
    elif status == 200:
        told = json.loads(body)["images"]
        if len(told) != len(asked.expected) or not all(map(same, told, asked.expected)):
            tally.faults.append(f"another answer than without a server: {body[:500].decode(errors='replace')}")
        tally.images += sum(read is not None for read in asked.expected)
    return b"connection: close" not in head


def resident(process: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
