"""The queue of images: waiting images are read in batches, and too many are refused."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import ExifTags, Image

pytest.importorskip("prometheus_client", reason="needs the extra serve: make test installs it")
pytest.importorskip("onnx", reason="needs the extra serve: make test installs it")
pytest.importorskip("uvicorn", reason="needs the extra serve: make test installs it")

import requests
import uvicorn

from capbench import images
from capbench.errors import BadImage
from capbench.export.graph import Graph, Read
from capbench.serve.app import Service
from capbench.serve.batching import BatchingQueue, DecodingPool, Full, Job, Outcome
from capbench.serve.metrics import ServiceMetrics
from capbench.serve.requests import BodyParser
from capbench.serve.server import Server, listening
from tests.helpers.graphs import HEIGHT, graph, offline, picture
from tests.helpers.waiting import wait_until_async

HELD = 120  # seconds for which images wait to be let go; a test that fails ends after them


class Held:
    """Graph that reads once `let` is set, and keeps the sizes of its batches."""

    def __init__(self, inner: Graph) -> None:
        self._inner = inner
        self.prepare = inner.prepare
        self.exif = inner.exif
        self.frames = inner.frames
        self.batches: list[int] = []
        self.let = threading.Event()

    def answer(self, prepared: Sequence[np.ndarray]) -> list[Read]:
        self.batches.append(len(prepared))
        assert self.let.wait(HELD)
        return self._inner.answer(prepared)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return graph(tmp_path / "small.onnx")


def queue(held: Held, batch: int, queue: int) -> BatchingQueue:
    return BatchingQueue({"small": cast(Graph, held)}, batch, queue, ServiceMetrics())


def test_waiting_requests_are_batched_and_each_gets_its_own_reading(small: Path) -> None:
    files = [picture(seed) for seed in range(10)]
    held = Held(Graph.open(small))

    async def all_at_once() -> list[str]:
        async with queue(held, batch=4, queue=10) as open_queue:
            asked = [asyncio.create_task(open_queue.read([file])) for file in files]
            await wait_until_async(lambda: sum(held.batches) + open_queue._ready.qsize() == 10)
            assert len(held.batches) == 1
            held.let.set()
            outcomes = [outcome for (outcome,) in await asyncio.gather(*asked)]
        readings = [outcome[0] for outcome in outcomes if isinstance(outcome, list)]
        return [reading.text for reading in readings if isinstance(reading, Read)]

    assert asyncio.run(all_at_once()) == [read.text for read in offline(small, *files)]
    assert sum(held.batches) == 10 and max(held.batches) == 4


def test_requests_over_the_queue_are_refused_until_there_is_room(small: Path) -> None:
    held = Held(Graph.open(small))

    async def more_than_wait() -> None:
        async with queue(held, batch=4, queue=3) as open_queue:
            asked = asyncio.create_task(open_queue.read([picture(1), b"bad"]))
            await wait_until_async(lambda: open_queue.waiting == 1)
            with pytest.raises(Full):  # one image waits, and the bad one was refused
                await open_queue.read([picture(2)] * 3)
            held.let.set()
            good, bad = await asked
            assert isinstance(bad, BadImage) and not isinstance(good, BadImage)
            assert len(await open_queue.read([picture(2)] * 3)) == 3

    asyncio.run(more_than_wait())


def test_an_image_that_is_ready_while_another_thread_stops_reading_is_read(small: Path) -> None:
    """Make an image ready when the reading thread has seen none, but before it lets others read."""
    held = Held(Graph.open(small))
    held.let.set()

    class Late:
        """Lock whose first release comes after the second image."""

        def __init__(self, open_queue: BatchingQueue) -> None:
            self.job = Job(b"", asyncio.get_running_loop().create_future(), prepared=[prepared])
            self._queue, self._lock, self._given = open_queue, threading.Lock(), False
            self.acquire = self._lock.acquire

        def release(self) -> None:
            if not self._given:
                self._given = True
                self._queue._ready.put(self.job)
                self._queue._read_ready()  # which finds that the other thread still reads
            self._lock.release()

    prepared = held.prepare(images.decode(picture(2)))

    async def both() -> int:
        async with queue(held, batch=4, queue=4) as open_queue:
            late = Late(open_queue)
            open_queue._reading = late  # type: ignore[assignment]
            await open_queue.read([picture(1)])
            return len(await asyncio.wait_for(late.job.outcome, HELD))  # type: ignore[arg-type]

    assert asyncio.run(both()) == 1


def test_images_of_an_abandoned_request_are_not_read(small: Path) -> None:
    held = Held(Graph.open(small))

    async def given_up() -> None:
        async with queue(held, batch=1, queue=4) as open_queue:
            first = asyncio.create_task(open_queue.read([picture(1)]))
            await wait_until_async(lambda: held.batches == [1])
            abandoned = asyncio.create_task(open_queue.read([picture(2)] * 3))
            await wait_until_async(lambda: open_queue._ready.qsize() == 3)
            abandoned.cancel()
            held.let.set()
            await first
            assert len(await open_queue.read([picture(4)])) == 1

    asyncio.run(given_up())
    assert sum(held.batches) == 2


@pytest.fixture
def let_decode(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Event before which no image's decoding ends; two are decoded at once."""
    let, decode = threading.Event(), images.decode

    def waiting(*given: Any) -> np.ndarray:
        assert let.wait(HELD)
        return decode(*given)

    monkeypatch.setattr(images, "decode", waiting)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return let


def test_reject_pending_refuses_requests_that_are_not_begun(small: Path, let_decode: threading.Event) -> None:
    held = Held(Graph.open(small))
    held.let.set()

    async def turned_away() -> list[list[Outcome] | BaseException]:
        async with queue(held, batch=4, queue=5) as open_queue:
            asked = [asyncio.create_task(open_queue.read([picture(seed)])) for seed in range(5)]
            await wait_until_async(
                lambda: sum(decoding.running() for decoding in open_queue._small._jobs.values()) == 2
            )
            open_queue.reject_pending()
            await wait_until_async(lambda: open_queue.waiting == 2)
            let_decode.set()
            late = await open_queue.read([picture(1)])
            assert isinstance(late[0], list)  # an image that arrives later is still read
            return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = asyncio.run(turned_away())
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, Full)] == ["the server is stopping"] * 3
    assert len(outcomes) == 5


def test_a_stopping_server_answers_503_to_waiting_requests_at_once(small: Path, let_decode: threading.Event) -> None:
    """Stop a server with two images in decoding and three waiting: only the two are read."""
    metrics = ServiceMetrics()
    shared = BatchingQueue({"small": Graph.open(small)}, 4, 5, metrics)
    application = Service(shared, BodyParser(2**20, 5, 30), metrics, None, local=True).application()
    config = uvicorn.Config(application, lifespan="on", log_config=None, timeout_graceful_shutdown=30)

    async def stopped() -> list[int]:
        with listening("127.0.0.1", 0) as door:
            server = Server(shared, config)
            serving = asyncio.create_task(server.serve([door]))
            ask = partial(requests.post, f"http://127.0.0.1:{door.getsockname()[1]}/read", timeout=HELD)
            ask = partial(ask, data=picture(1), headers={"Content-Type": "image/png", "Connection": "close"})
            asked = [asyncio.create_task(asyncio.to_thread(ask)) for _ in range(5)]
            await wait_until_async(lambda: shared.waiting == 5)
            server.should_exit = True
            await wait_until_async(lambda: sum(task.done() for task in asked) == 3)
            let_decode.set()
            answers = await asyncio.gather(*asked)
            await serving
            return sorted(answer.status_code for answer in answers)

    assert asyncio.run(stopped()) == [200, 200, 503, 503, 503]


def test_a_graph_that_raises_does_not_stop_later_requests(small: Path) -> None:
    held = Held(Graph.open(small))

    def broken(prepared: Sequence[np.ndarray]) -> list[Read]:
        raise RuntimeError("broken")

    async def broken_once() -> None:
        async with queue(held, batch=4, queue=6) as open_queue:
            working, held.answer = held.answer, broken  # type: ignore[method-assign]
            with pytest.raises(RuntimeError, match="broken"):
                await open_queue.read([picture(1), picture(2)])
            held.answer = working  # type: ignore[method-assign]
            held.let.set()
            assert len(await open_queue.read([picture(1)] * 4)) == 4

    asyncio.run(broken_once())


def test_each_run_applies_exif_as_in_its_training(tmp_path: Path) -> None:
    paths = {exif: graph(tmp_path / f"{exif}.onnx", any_size=True, exif=exif) for exif in ("ignore", "turn")}
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(out, "PNG", exif=tags)

    async def both() -> list[Outcome]:
        async with BatchingQueue(
            {exif: Graph.open(path) for exif, path in paths.items()}, 4, 4, ServiceMetrics()
        ) as open_queue:
            return await open_queue.read([out.getvalue()])

    ((ignored, turned),) = cast(list[list[Read]], asyncio.run(both()))
    assert ignored.text == offline(paths["ignore"], out.getvalue())[0].text
    assert turned.text == offline(paths["turn"], out.getvalue())[0].text != ignored.text


def large(seed: int = 1) -> bytes:
    """Return an image of more pixels than a captcha has."""
    return picture(seed, height=400, width=400)


@pytest.fixture
def let_large(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Event before which no large image's decoding ends; two are decoded at once."""
    let, decode = threading.Event(), images.decode

    def waiting(*given: Any) -> np.ndarray:
        pixels = decode(*given)
        assert pixels.size < 10**5 or let.wait(HELD)
        return pixels

    monkeypatch.setattr(images, "decode", waiting)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return let


def test_large_images_do_not_delay_small_ones(small: Path, let_large: threading.Event) -> None:
    held = Held(Graph.open(small))
    held.let.set()

    async def beside_large_ones() -> list[Outcome]:
        async with queue(held, batch=4, queue=10) as open_queue:
            asked = asyncio.create_task(open_queue.read([large(seed) for seed in range(8)]))
            await wait_until_async(lambda: len(open_queue._large) == 8)
            try:
                return await asyncio.wait_for(open_queue.read([picture(1)]), HELD / 2)  # before the large ones time out
            finally:
                let_large.set()
                refused = cast(list[list[Read]], await asked)
                # They have another size than the graph reads.
                assert [type(outcome[0]) for outcome in refused] == [BadImage] * 8

    ((read,),) = cast(list[list[Read]], asyncio.run(beside_large_ones()))
    assert read.text == offline(small, picture(1))[0].text


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_threads_of_large_images_let_others_go_first() -> None:
    def niceness(_: Job, pool: DecodingPool) -> None:
        seen[pool] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def decoded() -> None:
        for pool in pools:
            pool.submit(Job(b"", asyncio.get_running_loop().create_future()), niceness)
            await pool.close()

    seen: dict[DecodingPool, int] = {}
    pools = DecodingPool("small", 1, 1, None), DecodingPool("large", 1, 1, None, niceness=2)
    asyncio.run(decoded())
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [seen[pool] for pool in pools] == [own, min(19, own + 2)]


def test_large_images_have_a_queue_of_their_own(small: Path, let_large: threading.Event) -> None:
    held = Held(Graph.open(small))
    held.let.set()

    async def when_all_are_taken() -> None:
        async with queue(held, batch=4, queue=3) as open_queue:
            asked = asyncio.create_task(open_queue.read([large(seed) for seed in range(3)]))
            await wait_until_async(lambda: len(open_queue._large) == 3)
            with pytest.raises(Full):
                await open_queue.read([large()])
            assert len(await open_queue.read([picture(1)] * 3)) == 3
            let_large.set()
            assert len(await asked) == 3
            assert open_queue.waiting == 0

    asyncio.run(when_all_are_taken())


def test_images_of_an_abandoned_request_are_released(small: Path, let_large: threading.Event) -> None:
    held = Held(Graph.open(small))
    held.let.set()

    async def given_up() -> None:
        async with queue(held, batch=4, queue=3) as open_queue:
            asked = asyncio.create_task(open_queue.read([large(seed) for seed in range(3)]))
            await wait_until_async(lambda: len(open_queue._large) == 3)
            jobs = list(open_queue._large._jobs)
            asked.cancel()
            await wait_until_async(lambda: open_queue.waiting == 0)
            assert [job.content for job in jobs] == [b""] * 3
            let_large.set()

    asyncio.run(given_up())


def test_pixels_of_refused_images_are_released(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that errors keep no frames with pixels: 64 large images in a request would take a GB."""
    decode, pixels = images.decode, []

    def remembered(*given: Any) -> np.ndarray:
        decoded = decode(*given)
        pixels.append(weakref.ref(decoded))
        return decoded

    monkeypatch.setattr(images, "decode", remembered)

    async def read() -> list[Outcome]:
        async with BatchingQueue({"small": Graph.open(small)}, 4, 4, ServiceMetrics()) as open_queue:
            return await open_queue.read([picture(1, height=HEIGHT + 1), large()])

    outcomes = asyncio.run(read())
    assert [type(reading) for outcome in outcomes for reading in cast(list[Read], outcome)] == [BadImage] * 2
    assert [it() is None for it in pixels] == [True] * 2
