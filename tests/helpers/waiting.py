"""Waiting for another process where it gives no event to wait for.

The deadline is a bound for hangs alone: no machine should be slow enough to meet it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

DEADLINE = 1200  # seconds; also for whole commands
PAUSE = 0.02  # seconds between two looks


def wait_until(happened: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Return as soon as something has happened; fail with its description at the deadline."""
    end = time.monotonic() + deadline
    while not happened():
        assert time.monotonic() < end, f"{what}: has not happened within {deadline:g} seconds"
        time.sleep(PAUSE)


async def wait_until_async(happened: Callable[[], bool], deadline: float = DEADLINE) -> None:
    """Return as soon as something has happened, while other tasks of this thread go on."""
    async with asyncio.timeout(deadline):
        while not happened():
            await asyncio.sleep(PAUSE)


def wait_for_end_of_group(group: int) -> None:
    """Wait until every process of a group has ended, after its leader was killed."""

    def ended() -> bool:
        with suppress(ProcessLookupError):
            os.killpg(group, 0)
            return False
        return True

    wait_until(ended, f"the end of the processes in group {group}")
