"""Batches of a training: their order, their images over ranks, workers and epochs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from capbench.data.augment import Augment
from capbench.data.datamodule import Captchas
from capbench.data.loading import Batch, Batches, PrefetchingLoader, Views, prefetched
from capbench.data.material import Material, Request
from capbench.errors import Mistake
from capbench.settings import build
from tests.helpers.material import material
from tests.helpers.settings import composed


def small_material(*overrides: str) -> Material:
    return material("data.split={train:37,val:9,test:8}", *overrides)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("images", [37, 12])
def test_all_ranks_together_see_every_image_once(images: int, ranks: int) -> None:
    seen = [
        number
        for rank in range(ranks)
        for request in Batches(images, 6, None, whole=True, rank=rank, ranks=ranks)
        for number in request.numbers
    ]
    assert sorted(seen) == list(range(images))


def test_ranks_share_the_batches_of_a_single_process() -> None:
    def batches(rank: int, ranks: int) -> list[np.ndarray]:
        sampler = Batches(37, 8, seed=3, whole=False, rank=rank, ranks=ranks)
        sampler.set_epoch(5)
        return [request.numbers for request in sampler]

    alone, halves = batches(0, 1), [batches(rank, 2) for rank in range(2)]
    assert len(alone) == 4
    for one, left, right in zip(alone, *halves, strict=True):
        assert sorted(one) == sorted([*left, *right])
        assert len(left) == len(right)


def test_the_order_of_images_depends_only_on_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = Batches(37, 37, seed, whole=False, rank=0, ranks=1)
        sampler.set_epoch(epoch)
        return [number for request in sampler for number in request.numbers.tolist()]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    assert [len(r.numbers) for r in Batches(5, 8, seed=1, whole=False, rank=0, ranks=1)] == [5]


@pytest.mark.parametrize("shown", [2, 5, 8, 37])
def test_every_rank_trains_on_equally_many_images(shown: int) -> None:
    """Compare the images of two ranks, whose gradients count the same; odd images of a small epoch are left out."""
    shares = []
    for rank in range(2):
        batches = Batches(37, 8, seed=1, whole=False, rank=rank, ranks=2, shown=shown)
        shares.append([len(request.numbers) for request in batches])
        assert len(shares[-1]) == len(batches) > 0
    assert shares[0] == shares[1]


def test_images_repeat_where_an_epoch_shows_more_than_there_are() -> None:
    def order(shown: int | None) -> list[int]:
        sampler = Batches(10, 8, seed=1, whole=False, rank=0, ranks=1, shown=shown)
        return [number for request in sampler for number in request.numbers.tolist()]

    assert len(order(30)) == 24
    assert [sorted(order(30)[start : start + 10]) for start in (0, 10)] == [list(range(10)), list(range(10, 20))]
    assert order(30)[:8] == order(None)
    assert [number - 10 for number in order(30)[10:20]] != order(30)[:10]


@pytest.mark.slow
def test_a_repeated_image_is_augmented_anew() -> None:
    known = small_material()
    part, augment = known.parts["train"], build(composed("augment=light")["augment"])
    numbers = np.array([3, 3 + len(part)])
    plain, changed = (Views(part, known.codec("positions"), a, seed=1)[Request(0, numbers)] for a in (None, augment))
    assert torch.equal(plain.views[0], plain.views[1])
    assert torch.equal(plain.targets[0], plain.targets[1])
    assert not torch.equal(changed.views[0], changed.views[1])


@pytest.mark.parametrize("view", ["whole", "characters"])
def test_augmented_batches_do_not_depend_on_workers(view: str) -> None:
    """Compare batches made with and without workers: augmentation depends on seed, epoch and image alone."""
    known = small_material(f"view={view}")
    augment: Augment = build(composed("augment=light")["augment"])
    part = known.parts["train"]

    def epoch(number: int, workers: int) -> list[torch.Tensor]:
        sampler = Batches(len(part.samples), 8, seed=1, whole=True, rank=0, ranks=1)
        sampler.set_epoch(number)
        views = Views(part, known.codec("positions"), augment, seed=1)
        return [batch.views for batch in DataLoader(views, batch_size=None, sampler=sampler, num_workers=workers)]

    alone, helped = epoch(0, 0), epoch(0, 2)
    assert all((a == b).all() for a, b in zip(alone, helped, strict=True))
    again = torch.cat(epoch(1, 0))
    assert not (torch.cat(alone).sum() == again.sum()).all()  # another epoch augments otherwise


def test_a_batch_holds_views_with_their_targets() -> None:
    known = small_material()
    codec = known.codec("positions")
    batch = Views(known.parts["val"], codec, None, seed=1)[next(iter(Batches(9, 4, None, whole=True, rank=0, ranks=1)))]
    assert batch.views.shape == (4, 1, 60, 160)
    assert batch.views.dtype == torch.uint8
    assert codec.texts(batch.targets.numpy()) == known.parts["val"].texts[:4]


def test_augmentation_does_not_change_stored_images() -> None:
    known = small_material()
    part = known.parts["train"]
    before = np.array(part.views)
    augment: Augment = build(composed("augment=light")["augment"])
    Views(part, known.codec("positions"), augment, seed=1)[next(iter(Batches(37, 37, 1, whole=True, rank=0, ranks=1)))]
    assert (before == part.views).all()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"Rotat": {}}], r"augment\.steps: Rotat is unknown to albumentations; did you mean Rotate"),
        ([{"Rotate": {"limitt": 5}}], r"augment\.steps\.Rotate: \{'limitt': 5\} is refused by albumentations"),
        ([{"Rotate": {"limit": "x"}}], r"augment\.steps\.Rotate"),
        ([{"Rotate": {}, "Blur": {}}], "is not a step; write one name"),
    ],
)
def test_invalid_augmentation_steps_are_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(Mistake, match=message):
        Augment(steps=steps)


def test_the_data_hash_depends_on_content_and_not_on_the_cache() -> None:
    assert small_material().hash == small_material("cache=null").hash
    assert small_material().hash != small_material("data.seed=2").hash


FRESH = "data.fresh=true"


@pytest.mark.parametrize("view", ["whole", "characters"])
def test_fresh_images_differ_between_epochs_and_are_reproducible(view: str) -> None:
    known = small_material(FRESH, f"view={view}")
    part = known.parts["train"]
    assert len(part) == 37

    def epoch(number: int, workers: int = 0) -> list[Batch]:
        sampler = Batches(len(part), 8, seed=1, whole=True, rank=0, ranks=1)
        sampler.set_epoch(number)
        views = Views(part, known.codec("positions"), None, seed=1)
        kind = DataLoader if workers else PrefetchingLoader
        return list(kind(views, batch_size=None, sampler=sampler, num_workers=workers))

    first, again, helped, second = epoch(0), epoch(0), epoch(0, workers=2), epoch(1)
    for one, other, third in zip(first, again, helped, strict=True):
        assert (one.views == other.views).all() and (one.views == third.views).all()
        assert (one.targets == other.targets).all() and (one.targets == third.targets).all()
    pictures = {view.numpy().tobytes() for batch in [*first, *second] for view in batch.views}
    assert len(pictures) == 74


@pytest.mark.parametrize("more", [[], ["data.often='3344'"]])
def test_the_first_epoch_of_fresh_images_equals_stored_ones(more: list[str]) -> None:
    fresh, stored = small_material(FRESH, *more), small_material(*more)
    request = Request(0, np.arange(37))
    views, texts = fresh.parts["train"].take(request)
    kept, known = stored.parts["train"].take(request)
    assert texts == known
    # One side is drawn in grey, the other in colour and turned grey.
    assert np.abs(views.astype(int) - kept).max() <= 3


def test_train_size_turns_fresh_images_off() -> None:
    known = small_material(FRESH, "data.train_size=5")
    assert not known.parts["train"].renewed
    assert len(known.parts["train"]) == 5


def test_streams_with_other_settings_have_other_hashes() -> None:
    hashes = {small_material(FRESH, *more).hash for more in ([], ["data.seed=2"], ["style.tilt=[-20,20]"])}
    assert len(hashes | {small_material().hash}) == 4


def test_prefetching_keeps_the_order_and_raises_errors() -> None:
    assert list(prefetched(iter(range(50)), 3)) == list(range(50))

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    items = prefetched(broken(), 3)
    assert next(items) == 1
    with pytest.raises(OSError, match="no more"):
        next(items)


def prefetching() -> bool:
    return any(thread.name == "prefetched" for thread in threading.enumerate())


def test_prefetching_ends_its_thread_when_closed() -> None:
    made = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    items = prefetched(endless(), 3)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 6
    assert not prefetching()


@pytest.mark.parametrize(
    ("device", "fresh", "workers", "kind"),
    [
        ("cuda", "true", 0, PrefetchingLoader),
        ("cpu", "true", 0, DataLoader),  # a drawing thread would take cores from the training
        ("cuda", "true", 2, DataLoader),
        ("cuda", "false", 0, DataLoader),
    ],
)
def test_images_are_prefetched_only_for_a_gpu_without_workers(
    device: str, fresh: str, workers: int, kind: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = small_material(f"data.fresh={fresh}")
    data = Captchas(
        known, known.codec("positions"), Augment(steps=[]), batch_size=8, workers=workers, seed=1, whole_epochs=False
    )
    strategy = SimpleNamespace(root_device=torch.device(device))
    monkeypatch.setattr(data, "trainer", SimpleNamespace(world_size=1, global_rank=0, strategy=strategy))
    assert type(data.train_dataloader()) is kind


def test_prefetching_does_not_start_before_the_first_batch_is_asked_for() -> None:
    """Make the iterator before the sampler is told the epoch, as a resumed training does."""
    known = small_material(FRESH)
    sampler = Batches(37, 8, seed=1, whole=True, rank=0, ranks=1)
    batches = iter(
        PrefetchingLoader(
            Views(known.parts["train"], known.codec("positions"), None, 1), batch_size=None, sampler=sampler
        )
    )
    assert not prefetching()
    sampler.set_epoch(3)
    expected = known.parts["train"].take(Request(3, next(iter(sampler)).numbers))[0]
    assert (next(batches).views.numpy()[:, 0] == expected[..., 0]).all()
