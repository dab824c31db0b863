"""Where images are read: each is decoded on a thread beside others, then those that wait are read together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

from capbench import images
from capbench.errors import BadImage
from capbench.serving.gauges import Gauges
from capbench.serving.graph import Graph, Read

Reading = Read | BadImage
Outcome = list[Reading] | BadImage
"""One for each run, or why the image is none."""


class Full(Exception):
    """No more images are taken for now, and why."""


@dataclass(eq=False)
class Job:
    """One image on its way."""

    content: bytes
    outcome: asyncio.Future[Outcome]
    prepared: list[np.ndarray | BadImage] = field(default_factory=list)
    """What each run's graph takes of it, or why it cannot."""


class Desk:
    """Reads with every run; at most `batch` images together, at most `queue` on their way."""

    def __init__(self, graphs: dict[str, Graph], batch: int, queue: int, gauges: Gauges) -> None:
        self.graphs = graphs
        self._exifs = {graph.exif for graph in graphs.values()}
        self._batch = batch
        self._queue = queue
        self._gauges = gauges
        self._waiting: dict[Job, Future[None]] = {}  # each with its decoding
        gauges.queue.set_function(lambda: len(self._waiting))
        self._pile: SimpleQueue[Job | None] = SimpleQueue()
        self._decoders = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "decode")
        self._reader = Thread(target=self._work, name="read", daemon=True)

    async def __aenter__(self) -> Desk:
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._decoders.shutdown)
        self._pile.put(None)
        await asyncio.to_thread(self._reader.join)

    @property
    def works(self) -> bool:
        return self._reader.is_alive()

    async def read(self, contents: Sequence[bytes]) -> list[Outcome]:
        """One outcome for each image file; Full where they would be too many."""
        if len(self._waiting) + len(contents) > self._queue:
            raise Full("too many images wait to be read")
        jobs = [Job(content, self._loop.create_future()) for content in contents]
        for job in jobs:
            self._waiting[job] = self._decoders.submit(self._decode, job)
            job.outcome.add_done_callback(partial(self._left, job))
        return await asyncio.gather(*(job.outcome for job in jobs))

    def _left(self, job: Job, _: asyncio.Future[Outcome]) -> None:
        del self._waiting[job]

    def turn_away(self) -> None:
        """Give up what no thread has begun to decode: a server that is to stop would wait for all of it."""
        for job, decoding in self._waiting.items():
            if decoding.cancel() and not job.outcome.done():
                job.outcome.set_exception(Full("the server is stopping"))

    def _decode(self, job: Job) -> None:
        if job.outcome.done():  # nobody waits any longer
            return
        try:
            pictures = {exif: images.decode(job.content, exif) for exif in self._exifs}
            job.prepared = [_prepared(graph, pictures[graph.exif]) for graph in self.graphs.values()]
        except Exception as error:
            self._tell([(job, error)])
            return
        job.content = b""
        self._pile.put(job)

    def _work(self) -> None:
        for taken in self._batches():
            jobs = [job for job in taken if not job.outcome.done()]
            self._gauges.batches.observe(len(jobs))
            try:
                by_run = [self._read(number, name, jobs) for number, name in enumerate(self.graphs)]
                self._tell([(job, list(readings)) for job, *readings in zip(jobs, *by_run, strict=True)])
            except Exception as error:
                self._tell([(job, error) for job in jobs])

    def _batches(self) -> Iterator[list[Job]]:
        """What waits, whenever something does, until the desk is closed."""
        while first := self._pile.get():
            jobs = [first]
            try:
                while len(jobs) < self._batch:
                    job = self._pile.get_nowait()
                    if job is None:
                        yield jobs
                        return
                    jobs.append(job)
            except Empty:
                pass
            yield jobs

    def _read(self, number: int, name: str, jobs: Sequence[Job]) -> list[Reading]:
        """What one run reads of those that it can take."""
        with self._gauges.reading.labels(name).time():
            ready = [job.prepared[number] for job in jobs]
            read = iter(self.graphs[name].answer([one for one in ready if not isinstance(one, BadImage)]))
            return [one if isinstance(one, BadImage) else next(read) for one in ready]

    def _tell(self, told: Sequence[tuple[Job, Outcome | Exception]]) -> None:
        self._loop.call_soon_threadsafe(_settle, told)


def _prepared(graph: Graph, picture: np.ndarray) -> np.ndarray | BadImage:
    try:
        return graph.prepare(picture)
    except BadImage as bad:
        return bad


def _settle(told: Sequence[tuple[Job, Outcome | Exception]]) -> None:
    for job, outcome in told:
        if job.outcome.done():
            continue
        if isinstance(outcome, Exception) and not isinstance(outcome, BadImage):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)
