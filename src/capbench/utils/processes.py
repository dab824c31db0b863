"""Helper processes: work in order, a bounded distance ahead, none outliving its parent."""

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

AHEAD = 2  # tasks for each process that may wait for their turn, or for someone to take what came of them


def end_with_parent() -> None:
    """In a helper process: end when the one that started it does, however that one ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def in_order(
    work: Callable[[Task], Done],
    tasks: Iterable[Task],
    processes: int,
    start: Callable[..., None],
    given: tuple[Any, ...],
) -> Iterator[Done]:
    """What `work` makes of each task, in helper processes that each begin with `start(*given)`.

    However many tasks there are, only a few are under way at a time.
    """
    context = multiprocessing.get_context("spawn")  # not forked: torch's threads may be running in this process
    with ProcessPoolExecutor(processes, context, start, given) as pool:
        waiting: deque[Future[Done]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > (1 + AHEAD) * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:  # killed, for its memory as a rule
            raise Mistake("a helper process came to a sudden end; what was read is kept, start again") from error
        finally:
            pool.shutdown(cancel_futures=True)
