"""Pairs: reading over HTTP, from connecting to the whole response, beside a fixed time."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from capbench.bench.pairs import Pair, trained
from capbench.errors import Mistake
from capbench.render.painter import Painter
from capbench.serve.process import Served
from capbench.settings import build
from capbench.text import bounds

TRIPS = 500  # requests, one after the other
MOST_SECONDS = 0.005  # of the peer, a fixed time for one request


def pairs(settings: dict[str, Any], folder: Path, running: ExitStack) -> list[Pair]:
    """Return the pairs of the median and of the 99th percentile; `running` stops the server in the end."""

    @cache
    def port() -> int:
        return running.enter_context(Served(trained(settings, folder).path)).port

    @cache
    def image() -> bytes:
        style, symbols = build(settings["style"]), settings["alphabet"]["symbols"]
        painter = Painter(style, symbols, *bounds(settings["data"]["length"]), 1)
        picture = painter.pictures(np.arange(1))[0]
        return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()

    def trips(share: float) -> Callable[[], float]:
        def measured() -> float:
            seconds = [_trip(port(), image()) for _ in range(TRIPS)]
            return 1 / float(np.quantile(seconds, share))

        return measured

    return [
        Pair("read/served", trips(0.5), lambda: 1 / MOST_SECONDS, "round trips/s at the median; peer: 5 ms each"),
        Pair(
            "read/served_p99", trips(0.99), lambda: 1 / MOST_SECONDS, "round trips/s at the 99th percentile; the same"
        ),
    ]


def _trip(port: int, image: bytes) -> float:
    """Return the seconds of one request in a connection of its own."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/read", image, {"Content-Type": "image/png"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    seconds = time.perf_counter() - begun
    if answer.status != 200:
        raise Mistake(f"read/served: the server answers {answer.status} ({content[:200].decode(errors='replace')})")
    return seconds
