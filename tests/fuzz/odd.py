"""Door with faults at known inputs, to test the harness."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from capbench.errors import Mistake
from tests.fuzz.harness import MEBIBYTES


def fails(content: bytes) -> None:
    raise KeyError(content)


def says_nothing(_: bytes) -> None:
    raise Mistake("")


def takes_memory(_: bytes) -> None:
    np.ones((MEBIBYTES + 50) * 2**17)  # 2**17 numbers of eight bytes are one MiB


def asks_for_too_much(_: bytes) -> None:
    try:
        np.ones(4 * MEBIBYTES * 2**17)
    except MemoryError as error:
        raise Mistake("settings: are too large") from error


def hangs(_: bytes) -> None:
    while True:
        pass


def ends(_: bytes) -> None:
    sys.exit(3)


def crashes(_: bytes) -> None:
    os.abort()


def is_taken(_: bytes) -> None:
    pass


def is_refused(_: bytes) -> None:
    raise Mistake("settings: are refused")


WAYS = [
    is_taken,
    is_refused,
    fails,
    says_nothing,
    takes_memory,
    asks_for_too_much,
    ends,
    crashes,
    is_taken,
    hangs,
]


class door:
    """Door whose input n fails in the n-th way."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self.sound = [b"0"]

    def made(self, number: int) -> bytes:
        return b"%d" % number

    def open(self, content: bytes) -> None:
        WAYS[int(content)](content)

    def close(self) -> None:
        pass
