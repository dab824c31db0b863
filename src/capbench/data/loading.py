"""Batches of views: the same order for any number of workers, and each image once over all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from capbench.data.augment import Augment
from capbench.data.material import Part, Request
from capbench.text import Codec

T = TypeVar("T")


class Batch(NamedTuple):
    """One batch of views with what the training needs to know about each image."""

    views: torch.Tensor
    """uint8 [image, channel, height, width], or [image, character, channel, height, width]"""
    targets: torch.Tensor
    """int64 [image, position], class numbers"""
    numbers: torch.Tensor
    """int64 [image], each image's index in its part"""
    poses: torch.Tensor
    """float32 [image, position, number], how characters were drawn; NaN beyond a text's end, empty where unknown"""


class Batches(Sampler[Request]):
    """Sampler of one rank's share of each global batch, shuffled by (seed, epoch), or in order where `seed` is None.

    An epoch has `shown` images. If there are fewer, they are repeated in another order, under numbers from `images` on.
    """

    def __init__(
        self,
        images: int,
        batch_size: int,
        seed: int | None,
        whole: bool,
        rank: int,
        ranks: int,
        shown: int | None = None,
    ) -> None:
        self.images = images
        self.own_size = batch_size // ranks
        self.seed = seed
        self.used = shown or images
        if not whole:  # drop a last, smaller batch; of a single batch, drop what the ranks cannot share evenly
            self.used -= self.used % (batch_size if self.used >= batch_size else ranks)
        self.rank = rank
        self.ranks = ranks
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to shuffle for; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        own = len(range(self.rank, self.used, self.ranks))
        return -(-own // self.own_size)

    def __iter__(self) -> Iterator[Request]:
        passes = -(-self.used // max(self.images, 1))
        orders = np.arange(passes * self.images).reshape(passes, self.images)
        if self.seed is not None:
            shuffler = np.random.default_rng([self.seed, self.epoch])
            for again in orders:
                shuffler.shuffle(again)
        order = orders.reshape(-1)
        # Taking every ranks-th image gives each rank an equal share of a whole batch, and no empty batch of the rest.
        own = order[: self.used][self.rank :: self.ranks]
        for start in range(0, len(own), self.own_size):
            yield Request(self.epoch, own[start : start + self.own_size])


class Views(Dataset[Batch]):
    """Dataset whose items are whole batches, since one copy of many images is far cheaper than many copies of one."""

    def __init__(self, part: Part, codec: Codec, augment: Augment | None, seed: int) -> None:
        self.part = part
        self.codec = codec
        self.augment = None if augment is None or augment.empty else augment
        self.seed = seed

    def __getitem__(self, request: Request) -> Batch:
        views, texts = self.part.take(request)
        if self.augment is not None:
            pictures = views.reshape(-1, *views.shape[-3:])
            pieces = len(pictures) // max(len(views), 1)
            for i, picture in enumerate(pictures):
                number = int(request.numbers[i // pieces])
                picture[...] = self.augment(picture, (self.seed, request.epoch, number, i % pieces))
        return Batch(
            torch.from_numpy(np.moveaxis(views, -1, -3)),
            torch.from_numpy(self.codec.encode(texts)),
            torch.from_numpy(request.numbers),
            torch.from_numpy(self.part.poses_of(request)),
        )


class PrefetchingLoader(DataLoader[Batch]):
    """Loader whose next batches are prepared by a thread while the training works on the current one."""

    DEPTH = 4  # batches

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        return prefetched(super().__iter__(), self.DEPTH)


def prefetched(items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield `items` in their order while a thread prepares up to `depth` of them; its errors are raised here."""
    ready: Queue[tuple[bool, Any]] = Queue(depth)
    unwanted = Event()

    def offer(entry: tuple[bool, Any]) -> bool:
        while not unwanted.is_set():
            try:
                ready.put(entry, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not offer((True, item)):
                    return
            offer((False, None))
        except BaseException as error:
            offer((False, error))

    maker = Thread(target=make, name="prefetched", daemon=True)
    maker.start()  # only at the first `next`, since Lightning may set the sampler's epoch until then
    try:
        while True:
            there, item = ready.get()
            if not there:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        unwanted.set()
        maker.join()
