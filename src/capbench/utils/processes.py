"""Worker processes that return results in order, with few tasks in flight, and that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from capbench.errors import Mistake

Task = TypeVar("Task")
Done = TypeVar("Done")

AHEAD = 2  # tasks per process that may wait for a free process, or whose results wait to be taken


def in_order(
    work: Callable[[Task], Done],
    tasks: Iterable[Task],
    processes: int,
    start: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[Done]:
    """Yield `work(task)` for each task in order, computed in worker processes that each begin with `start(*given)`.

    Only a few tasks are in flight at a time, however many there are. The workers end with this process.
    """
    context = multiprocessing.get_context("spawn")  # not forked: torch's threads may be running in this process
    with ProcessPoolExecutor(processes, context, _begin, (start, given)) as pool:
        waiting: deque[Future[Done]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > (1 + AHEAD) * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise Mistake("a worker process was killed, often for lack of memory; start again") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(start: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Initialise a worker process."""
    _end_with_parent()
    if start is not None:
        start(*given)


def _end_with_parent() -> None:
    """End this worker process when its parent process ends, for whatever reason."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
