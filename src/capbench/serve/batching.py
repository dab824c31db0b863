"""Where images are read: each is decoded on a thread beside others, then those that wait are read together.

A large image takes hundreds of times the work of a captcha, and its file may be as small. So images wait in two lanes, each
with threads and places of its own: all come to the first, and those that turn out to be much work go on to the second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

from capbench import images
from capbench.errors import BadImage
from capbench.export.graph import Graph, Read
from capbench.images.containers import TooMuchWork
from capbench.serve.metrics import Gauges

Reading = Read | BadImage
Outcome = list[Reading] | BadImage
"""One for each run, or why the image is none."""


MODEST = 2**17  # bytes of a file, and pixels that are passed over for it: more is much work
MOST_LARGE = 4  # that are decoded at once; each takes up to 100 MB for that


class Full(Exception):
    """No more images are taken for now, and why."""


@dataclass(eq=False)
class Job:
    """One image on its way."""

    content: bytes
    outcome: asyncio.Future[Outcome]
    prepared: list[np.ndarray | BadImage] = field(default_factory=list)
    """What each run's graph takes of it, or why it cannot."""


class Lane:
    """Images on their way to be read, and threads that decode them: as many at once, in the order in which they came."""

    def __init__(self, name: str, threads: int, places: int, work: int | None) -> None:
        """`work` bounds what is done for an image here, as for `images.decode`."""
        self.work = work
        self._places = places
        self._threads = ThreadPoolExecutor(threads, name)
        self._jobs: dict[Job, Future[None]] = {}  # each with its decoding

    def __len__(self) -> int:
        return len(self._jobs)

    def check_room(self, count: int) -> None:
        """Full where so many more would be too many."""
        if len(self._jobs) + count > self._places:
            raise Full("too many images wait to be read")

    def take(self, job: Job, decode: Callable[[Job, Lane], None]) -> None:
        self._jobs[job] = self._threads.submit(decode, job, self)

    def let_go(self, job: Job) -> None:
        self._jobs.pop(job, None)

    def turn_away(self) -> None:
        """Give up what no thread has begun to decode."""
        for job, decoding in self._jobs.items():
            if decoding.cancel() and not job.outcome.done():
                job.outcome.set_exception(Full("the server is stopping"))

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)


class Desk:
    """Reads with every run; at most `batch` images together, at most `queue` on their way, and as many large ones."""

    def __init__(self, graphs: dict[str, Graph], batch: int, queue: int, gauges: Gauges) -> None:
        self.graphs = graphs
        self._exifs = {graph.exif for graph in graphs.values()}
        self._batch = batch
        self._gauges = gauges
        cores = len(os.sched_getaffinity(0))
        self._modest = Lane("decode", cores, queue, MODEST)
        self._large = Lane("decode-large", min(MOST_LARGE, max(1, cores // 2)), queue, None)
        gauges.queue.set_function(lambda: self.waiting)
        self._pile: SimpleQueue[Job | None] = SimpleQueue()
        self._reader = Thread(target=self._work, name="read", daemon=True)

    async def __aenter__(self) -> Desk:
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._modest.close()  # passes its last on to the other
        await self._large.close()
        self._pile.put(None)
        await asyncio.to_thread(self._reader.join)

    @property
    def works(self) -> bool:
        return self._reader.is_alive()

    @property
    def waiting(self) -> int:
        """Images on their way."""
        return len(self._modest) + len(self._large)

    async def read(self, contents: Sequence[bytes]) -> list[Outcome]:
        """One outcome for each image file; Full where they would be too many."""
        self._modest.check_room(len(contents))
        jobs = [Job(content, self._loop.create_future()) for content in contents]
        for job in jobs:
            job.outcome.add_done_callback(partial(self._left, job))
            self._modest.take(job, self._decode)
        return await asyncio.gather(*(job.outcome for job in jobs))

    def _left(self, job: Job, _: asyncio.Future[Outcome]) -> None:
        job.content = b""  # a lane keeps the job until its turn comes
        self._modest.let_go(job)
        self._large.let_go(job)

    def turn_away(self) -> None:
        """Give up what no thread has begun to decode: a server that is to stop would wait for all of it."""
        self._modest.turn_away()
        self._large.turn_away()

    def _decode(self, job: Job, lane: Lane) -> None:
        content = job.content
        if job.outcome.done():  # nobody waits any longer
            return
        try:
            pictures = {exif: images.decode(content, exif, lane.work) for exif in self._exifs}
            job.prepared = [_prepared(graph, pictures[graph.exif]) for graph in self.graphs.values()]
        except TooMuchWork:
            self._loop.call_soon_threadsafe(self._pass_on, job)
        except BadImage as bad:
            self._tell([(job, _alone(bad))])
        except Exception as error:
            self._tell([(job, error)])
        else:
            job.content = b""
            self._pile.put(job)

    def _pass_on(self, job: Job) -> None:
        if job.outcome.done():
            return
        self._modest.let_go(job)
        try:
            self._large.check_room(1)
        except Full as full:
            job.outcome.set_exception(full)
        else:
            self._large.take(job, self._decode)

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
        return _alone(bad)


def _alone(bad: BadImage) -> BadImage:
    """The same without the frames that it passed through, which hold the image's pixels until it is told."""
    return BadImage(str(bad))


def _settle(told: Sequence[tuple[Job, Outcome | Exception]]) -> None:
    for job, outcome in told:
        if job.outcome.done():
            continue
        if isinstance(outcome, Exception) and not isinstance(outcome, BadImage):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)
