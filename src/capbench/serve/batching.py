"""Batching queue: images are decoded on several threads, and those that are ready are read together.

A large image takes hundreds of times the work of a captcha, though its file may be as small. So images wait in two
pools, each with its own threads and its own limit on the number of images. All images enter the first pool; those that
turn out to be much work move to the second.

The thread that has decoded an image also reads it, with all others that are ready by then: to wake another thread for
it would take longer than reading most images. One thread reads at a time, while the others decode.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from queue import Empty, SimpleQueue
from threading import Lock, get_native_id
from types import TracebackType

import numpy as np

from capbench import images
from capbench.decoding.told import UNTOLD, Told
from capbench.errors import BadImage, Mistake
from capbench.export.graph import Graph, Read
from capbench.images import Frames
from capbench.images.containers import TooMuchWork
from capbench.serve.metrics import ServiceMetrics
from capbench.utils.portable import cores

Reading = Read | BadImage
Outcome = list[Reading] | BadImage
"""Readings of one image, one for each run, or the reason why it cannot be decoded."""


SMALL_WORK = 2**17  # bytes of a file, and pixels that its decoding visits; an image beyond goes to the second pool
MOST_LARGE = 4  # large images that are decoded at once, each of which takes up to 100 MB


class Full(Exception):
    """Reason why no more images are accepted for now."""


@dataclass(eq=False)
class Job:
    """One image in the queue."""

    content: bytes
    outcome: asyncio.Future[Outcome]
    told: Told = UNTOLD
    """Symbols and lengths of the texts that are considered."""
    frames: Frames | None = None
    """Frames of an animation that are seen; None: those that each run sees."""
    prepared: list[np.ndarray | BadImage] = field(default_factory=list)
    """Input of each run's graph, uint8, or the reason why the image does not fit it."""


class DecodingPool:
    """Images that wait to be read, and the threads that decode them in the order of arrival."""

    def __init__(self, name: str, threads: int, places: int, work: int | None, niceness: int = 0) -> None:
        """Start the pool.

        `places` is its limit on images, `work` the limit on work that `images.decode` gets, and `niceness` is added to
        that of its threads, where the system has one for each thread.
        """
        self.work = work
        self._places = places
        self._threads = ThreadPoolExecutor(threads, name, initializer=partial(_give_way, niceness))
        self._jobs: dict[Job, Future[None]] = {}  # by job, the future of its decoding

    def __len__(self) -> int:
        return len(self._jobs)

    def check_room(self, count: int) -> None:
        """Raise Full where the pool has no room for `count` more images."""
        if len(self._jobs) + count > self._places:
            raise Full("too many images wait to be read")

    def submit(self, job: Job, decode: Callable[[Job, DecodingPool], None]) -> None:
        """Add an image, which `decode` decodes on one of the pool's threads."""
        self._jobs[job] = self._threads.submit(decode, job, self)

    def discard(self, job: Job) -> None:
        """Remove an image from the pool."""
        self._jobs.pop(job, None)

    def reject_pending(self) -> None:
        """Reject the images whose decoding has not begun."""
        for job, decoding in self._jobs.items():
            if decoding.cancel() and not job.outcome.done():
                job.outcome.set_exception(Full("the server is stopping"))

    async def close(self) -> None:
        """Wait until all threads have finished."""
        await asyncio.to_thread(self._threads.shutdown)


class BatchingQueue:
    """Queue that collects images into batches and reads them with every run.

    `batch` is the largest number of images read together, and `queue` the largest number of waiting images in each
    pool.
    """

    def __init__(self, graphs: dict[str, Graph], batch: int, queue: int, metrics: ServiceMetrics) -> None:
        self.graphs = graphs
        self._batch = batch
        self._metrics = metrics
        threads = cores()
        self._small = DecodingPool("decode", max(2, threads), queue, SMALL_WORK)  # one of them may be reading
        self._large = DecodingPool("decode-large", min(MOST_LARGE, max(1, threads // 2)), queue, None, niceness=5)
        metrics.queue.set_function(lambda: self.waiting)
        self._ready: SimpleQueue[Job] = SimpleQueue()
        self._reading = Lock()

    async def __aenter__(self) -> BatchingQueue:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._small.close()  # closed first, because its last images may move to the other pool
        await self._large.close()

    @property
    def waiting(self) -> int:
        """Number of images that wait or are being read."""
        return len(self._small) + len(self._large)

    async def read(self, contents: Sequence[bytes], told: Told = UNTOLD, frames: Frames | None = None) -> list[Outcome]:
        """Return one outcome for each image file; raise Full where there are too many to take."""
        self._small.check_room(len(contents))
        jobs = [Job(content, self._loop.create_future(), told, frames) for content in contents]
        for job in jobs:
            job.outcome.add_done_callback(partial(self._remove, job))
            self._small.submit(job, self._decode)
        return await asyncio.gather(*(job.outcome for job in jobs))

    def _remove(self, job: Job, _: asyncio.Future[Outcome]) -> None:
        """Remove a finished or cancelled job from its pool."""
        job.content = b""  # frees the memory: a pool keeps the job until its turn comes
        self._small.discard(job)
        self._large.discard(job)

    def reject_pending(self) -> None:
        """Reject the images whose decoding has not begun; a stopping server would wait for all of them."""
        self._small.reject_pending()
        self._large.reject_pending()

    def _decode(self, job: Job, pool: DecodingPool) -> None:
        """Decode and prepare a job's image on a thread of a pool."""
        content = job.content
        if job.outcome.done():  # the request has timed out or was cancelled
            return
        try:
            job.prepared = _prepared(self.graphs.values(), content, job.frames, pool.work)
        except TooMuchWork:
            self._loop.call_soon_threadsafe(self._move_to_large, job)
        except BadImage as bad:
            self._deliver([(job, _without_traceback(bad))])
        except Exception as error:
            self._deliver([(job, error)])
        else:
            job.content = b""
            self._ready.put(job)
            self._read_ready()

    def _move_to_large(self, job: Job) -> None:
        """Move a job to the pool of large images."""
        if job.outcome.done():
            return
        self._small.discard(job)
        try:
            self._large.check_room(1)
        except Full as full:
            job.outcome.set_exception(full)
        else:
            self._large.submit(job, self._decode)

    def _read_ready(self) -> None:
        """Read batches until no image is ready, unless another thread is reading.

        That thread looks for more images after it has let go of the lock, so that none is left behind.
        """
        while not self._ready.empty() and self._reading.acquire(blocking=False):
            try:
                while jobs := self._next_batch():
                    self._read_batch(jobs)
            finally:
                self._reading.release()

    def _next_batch(self) -> list[Job]:
        """Return the images that are ready, at most `batch`."""
        jobs: list[Job] = []
        with suppress(Empty):
            while len(jobs) < self._batch:
                jobs.append(self._ready.get_nowait())
        return jobs

    def _read_batch(self, taken: Sequence[Job]) -> None:
        """Read a batch with every run and deliver the outcomes."""
        jobs = [job for job in taken if not job.outcome.done()]
        self._metrics.batches.observe(len(jobs))
        try:
            by_run = [self._read(number, name, jobs) for number, name in enumerate(self.graphs)]
            self._deliver([(job, list(readings)) for job, *readings in zip(jobs, *by_run, strict=True)])
        except Exception as error:
            self._deliver([(job, error) for job in jobs])

    def _read(self, number: int, name: str, jobs: Sequence[Job]) -> list[Reading]:
        """Return the readings of a batch by one run; images that do not fit the run keep their error."""
        with self._metrics.reading.labels(name).time():
            read: dict[Job, Reading] = {}
            by_told: dict[Told, list[tuple[Job, np.ndarray]]] = defaultdict(list)
            for job in jobs:
                prepared = job.prepared[number]
                if isinstance(prepared, BadImage):
                    read[job] = prepared
                else:
                    by_told[job.told].append((job, prepared))
            for told, some in by_told.items():
                answers = _answers(self.graphs[name], [prepared for _, prepared in some], told)
                read |= zip((job for job, _ in some), answers, strict=True)
            return [read[job] for job in jobs]

    def _deliver(self, outcomes: Sequence[tuple[Job, Outcome | Exception]]) -> None:
        """Hand outcomes from a worker thread to the event loop."""
        self._loop.call_soon_threadsafe(_settle, outcomes)


def _give_way(niceness: int) -> None:
    """Let other threads go first, those of this process included."""
    if sys.platform == "linux":
        own = get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + niceness)


def _answers(graph: Graph, prepared: Sequence[np.ndarray], told: Told) -> Sequence[Reading]:
    """Return the graph's readings, or the reason why it reads no text that has what is told."""
    if not told:
        return graph.answer(prepared)
    try:
        search = graph.search(told)
    except Mistake as mistake:
        return [BadImage(str(mistake))] * len(prepared)
    return graph.answer(prepared, search)


def _prepared(
    graphs: Iterable[Graph], content: bytes, frames: Frames | None, work: int | None
) -> list[np.ndarray | BadImage]:
    """Return the input of each graph for an image file, which is decoded once for all that decode it alike."""
    decode = cache(lambda exif, seen: images.decode(content, exif, work, seen))
    return [_input(graph, decode(graph.exif, frames or graph.frames)) for graph in graphs]


def _input(graph: Graph, picture: np.ndarray) -> np.ndarray | BadImage:
    try:
        return graph.prepare(picture)
    except BadImage as bad:
        return _without_traceback(bad)


def _without_traceback(bad: BadImage) -> BadImage:
    """Return a copy of an exception without its traceback, whose frames would keep the image's pixels in memory."""
    return BadImage(str(bad))


def _settle(outcomes: Sequence[tuple[Job, Outcome | Exception]]) -> None:
    for job, outcome in outcomes:
        if job.outcome.done():
            continue
        if isinstance(outcome, Exception) and not isinstance(outcome, BadImage):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)
