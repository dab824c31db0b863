"""Attacks on a server, in a process of their own: python experiments/serving/attacks.py PORT SECONDS STRENGTH NAME...

Each attack is a class with a number of connections at once, and the seconds after which each connection is opened anew.
All bytes are prepared before the line `ready` is printed, since attacker and server share the machine's CPU. At the end
JSON is printed: by attack its connections, the bytes it sent, and the connections that the server closed.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import socket
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import ClassVar

from wire import BOUNDARY, FORM, JSON, form, get, post

PIECE = 2**16  # bytes received at a time
SPARE_FILES = 64  # file descriptors for everything but connections
AT_ONCE = struct.pack("ii", 1, 0)  # for SO_LINGER: close with a reset, which leaves no socket in TIME_WAIT


@dataclass
class Tally:
    """Counts of one attack: connections, bytes sent, and connections that the server closed."""

    connections: int = 0
    sent: int = 0
    cut: int = 0


class Line:
    """Connection to the server."""

    def __init__(self, line: socket.socket, tally: Tally) -> None:
        self._line = line
        self._tally = tally
        self._loop = asyncio.get_running_loop()

    async def send(self, content: bytes) -> None:
        """Send bytes and count them."""
        await self._loop.sock_sendall(self._line, content)
        self._tally.sent += len(content)

    async def receive(self, most: int = PIECE) -> bytes:
        """Return at most so many bytes; raise EOFError where the server has closed the connection."""
        content = await self._loop.sock_recv(self._line, most)
        if not content:
            raise EOFError
        return content

    async def answered(self) -> None:
        """Receive one response."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await self.receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        missing = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]) - len(body)
        while missing > 0:
            missing -= len(await self.receive())


@contextmanager
def opened(small: bool) -> Iterator[socket.socket]:
    """Yield a socket bound to a random loopback address; a `small` one has a small receive buffer."""
    with socket.socket() as line:
        line.setblocking(False)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        if small:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.bind((f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}", 0))
        yield line


class Attack(ABC):
    """Behaviour of an attack's connections; each is held until its time is over, and then opened anew."""

    connections: ClassVar[int]
    every: ClassVar[float]
    """Seconds from one opening of a connection to the next."""
    patience: ClassVar[float] = 0
    """Additional seconds to wait for a response."""
    small: ClassVar[bool] = False
    """True for a socket with a small receive buffer."""

    @abstractmethod
    async def act(self, line: Line) -> None: ...


class Pipelines(Attack):
    """Attack with 256 KB of pipelined requests, whose responses are never read."""

    connections, every = 100, 2.0
    content = get("/") * (2**18 // len(get("/")))

    async def act(self, line: Line) -> None:
        await line.send(self.content)


class Silent(Attack):
    """Attack with silent connections, more than a server keeps."""

    connections, every = 1500, 15.0

    async def act(self, line: Line) -> None:
        while True:
            await line.receive()


class SlowReaders(Attack):
    """Attack that reads 240 KB of responses, to sixteen requests for the page, at 100 bytes a second."""

    connections, every, small = 200, 15.0, True

    async def act(self, line: Line) -> None:
        await line.send(get("/") * 16)
        while True:
            await line.receive(100)
            await asyncio.sleep(1)


class Slow(Attack):
    """Attack with a request whose rest arrives byte by byte."""

    connections, every = 500, 15.0
    beginning: ClassVar[bytes]

    async def act(self, line: Line) -> None:
        await line.send(self.beginning)
        while True:
            await asyncio.sleep(3)
            await line.send(b"x")


class SlowHeads(Slow):
    """Attack with heads that arrive byte by byte."""

    beginning = b"POST /read HTTP/1.1\r\nHost: localhost\r\nX: "


class SlowBodies(Slow):
    """Attack with bodies that arrive byte by byte, on more connections than a server keeps."""

    connections = 1200
    beginning = post("image/png", bytes(9999))[:200]


class HeldBodies(Slow):
    """Attack with bodies of 15 MB whose last bytes arrive late, so that the server holds the rest."""

    connections, every = 12, 15.0
    beginning = post("image/png", bytes(15_000_000))[:-999]


class Asking(Attack):
    """Attack with one request after another per connection, each in a connection of its own."""

    patience = 30.0

    def __init__(self) -> None:
        self.turn = cycle(self.requests())

    @abstractmethod
    def requests(self) -> list[bytes]: ...

    async def act(self, line: Line) -> None:
        await line.send(next(self.turn))
        await line.answered()


class Bombs(Asking):
    """Attack with images of every format at and beyond the limit on pixels, from eight clients."""

    connections, every = 8, 0.1

    def requests(self) -> list[bytes]:
        from bombs import bombs  # imported here because no other attack needs numpy and Pillow

        return [post("image/png", file) for files in bombs().values() for file in files]


class SmallBombs(Asking):
    """Attack with files as small as captchas that take the most work per byte, from eight clients."""

    connections, every = 8, 0.1

    def requests(self) -> list[bytes]:
        from bombs import small

        return [post("image/png", file) for file in small()]


class ManyBombs(Asking):
    """Attack with 64 images of four million pixels in each request."""

    connections, every = 2, 0.5

    def requests(self) -> list[bytes]:
        from bombs import bombs

        return [form([files[0]] * 64) for files in bombs().values() if 64 * len(files[0]) < 15_000_000]


class HugeJson(Asking):
    """Attack with JSON that has a key of 15 MB, millions of empty texts, or endless brackets."""

    connections, every = 4, 0.5

    def requests(self) -> list[bytes]:
        bodies = [
            b'{"' + b"k" * 15_000_000 + b'": 1}',
            b'{"images": ["' + b"A" * 15_000_000 + b'"]}',
            b'{"images": [' + b'"",' * 3_000_000 + b'""]}',
            b'{"a":' * 2_000_000,
            b"[" * 15_000_000,
        ]
        return [post(JSON, body) for body in bodies]


class HugeForms(Asking):
    """Attack with forms that are slow to parse."""

    connections, every = 4, 0.5

    def requests(self) -> list[bytes]:
        head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
        bodies = [
            f'{head}"file"\r\n\r\n'.encode() + b"\r" * 15_000_000,
            f'{head}"a"\r\n\r\n\r\n'.encode() * 150_000,
            f"--{BOUNDARY}\r\n".encode() * 600_000,
            f"--{BOUNDARY}\r\nA: ".encode() + b"b" * 15_000_000,
        ]
        return [post(f"{FORM}; boundary={BOUNDARY}", body) for body in bodies]


class Crowd(Asking):
    """Attack with 200 connections a second, each from its own address, with a small request."""

    connections, every = 50, 0.25

    def requests(self) -> list[bytes]:
        return [
            get("/health"),
            get("/nowhere"),
            post("image/png", b"no image"),
            post("text/plain", b""),
            b"\r\nnonsense\r\n",
        ]


ATTACKS: dict[str, type[Attack]] = {
    "pipelines": Pipelines,
    "silent": Silent,
    "slow readers": SlowReaders,
    "slow heads": SlowHeads,
    "slow bodies": SlowBodies,
    "held bodies": HeldBodies,
    "bombs": Bombs,
    "small bombs": SmallBombs,
    "64 bombs at once": ManyBombs,
    "huge JSON": HugeJson,
    "huge forms": HugeForms,
    "crowd": Crowd,
}


async def carried_out(attack: Attack, connections: int, port: int, seconds: float) -> Tally:
    """Run one attack for so many seconds, and return its counts."""
    tally, loop = Tally(), asyncio.get_running_loop()
    end = loop.time() + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(number / connections * min(attack.every, seconds))
        while (now := loop.time()) < end:
            until = now + attack.every
            with opened(attack.small) as line:
                tally.connections += 1
                try:
                    async with asyncio.timeout_at(min(until + attack.patience, end)):
                        await loop.sock_connect(line, ("127.0.0.1", port))
                        await attack.act(Line(line, tally))
                except TimeoutError:
                    pass
                except (OSError, EOFError):
                    tally.cut += 1
                await asyncio.sleep(min(until, end) - loop.time())

    await asyncio.gather(*(one(number) for number in range(connections)))
    return tally


def share(attacks: Sequence[Attack]) -> float:
    """Raise the limit on file descriptors, and return the share of all connections that it suffices for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sum(attack.connections for attack in attacks) + SPARE_FILES
    files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files / wanted


async def all_at_once(attacks: dict[str, Attack], port: int, seconds: float, strength: float) -> dict[str, Tally]:
    """Run all attacks at the same time, and return the counts of each."""
    part = strength * share(list(attacks.values()))
    work = [carried_out(one, max(1, int(part * one.connections)), port, seconds) for one in attacks.values()]
    return dict(zip(attacks, await asyncio.gather(*work), strict=True))


def main(port: int, seconds: float, strength: float, names: list[str]) -> None:
    """Run the named attacks; `strength` is the share of its connections that each attack opens."""
    attacks = {name: ATTACKS[name]() for name in names}
    print("ready", flush=True)
    tallies = asyncio.run(all_at_once(attacks, port, seconds, strength))
    print(json.dumps({name: asdict(tally) for name, tally in tallies.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
