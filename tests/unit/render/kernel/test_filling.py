"""Filling of outlines, compared with a plain reference that looks at one point after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from capbench.render.kernel.atlas import Outline
from capbench.render.kernel.filling import fill_hard, fill_soft
from capbench.render.kernel.geometry import Clip
from capbench.render.kernel.mask import WORD, padded

HEIGHT, WIDTH = 40, 50
FINE = 16  # points per pixel, along each axis, that the reference looks at
WHOLE = Clip(0, 0, WIDTH, HEIGHT)


def ring(chance: np.random.Generator, middle: tuple[float, float], least: float, most: float) -> np.ndarray:
    """Return a star-shaped contour, float64 [point, 2], whose last point repeats the first."""
    count = int(chance.integers(3, 24))
    angles = np.sort(chance.uniform(0, 2 * np.pi, count))
    reach = chance.uniform(least, most, count)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None] + middle
    return np.concatenate([points, points[:1]])


def outline(*rings: np.ndarray) -> Outline:
    points = np.concatenate(rings)
    begins = np.cumsum([0, *map(len, rings)])
    return Outline(np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1]), begins + 7)


def random_outline(chance: np.random.Generator) -> Outline:
    """Return a ring with a hole, partly outside of the picture."""
    middle = (chance.uniform(-10, WIDTH + 10), chance.uniform(-10, HEIGHT + 10))
    outer = chance.uniform(3, 30)
    return outline(ring(chance, middle, outer / 2, outer), ring(chance, middle, 0.5, outer / 4)[::-1])


def inside(of: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which points lie inside an outline, by counting the edges to the left of each."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=bool)
    begins = of.contours - of.contours[0]
    for begin, end in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        for point in range(begin, end - 1):
            x1, y1, x2, y2 = of.x[point], of.y[point], of.x[point + 1], of.y[point + 1]
            if y1 != y2:
                crosses = (y1 <= y) != (y2 <= y)
                found ^= crosses & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) < x)
    return found


def filled_hard(of: Outline, clip: Clip = WHOLE) -> np.ndarray:
    words = np.zeros((HEIGHT + 1, padded(WIDTH) // WORD), dtype=np.uint64)
    fill_hard(of, clip, words)
    mask = words.view(np.uint8)
    assert not mask[HEIGHT:].any() and not mask[:, WIDTH:].any()
    return mask[:HEIGHT, :WIDTH]


def filled_soft(of: Outline, clip: Clip = WHOLE) -> np.ndarray:
    area = np.zeros((HEIGHT + 2, padded(WIDTH)), dtype=np.float32)
    mask = np.zeros((HEIGHT + 1, padded(WIDTH)), dtype=np.uint8)
    fill_soft(of, clip, area, np.empty(padded(WIDTH), dtype=np.float32), mask)
    assert not area.any()
    assert not mask[HEIGHT:].any() and not mask[:, WIDTH:].any()
    return mask[:HEIGHT, :WIDTH]


@pytest.mark.parametrize("seed", range(20))
def test_hard_filling_finds_the_pixels_whose_middle_is_inside(seed: int) -> None:
    of = random_outline(np.random.default_rng(seed))
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    assert (filled_hard(of) == np.where(inside(of, x, y), 255, 0)).all()


@pytest.mark.parametrize("seed", range(20))
def test_soft_filling_measures_the_area_of_each_pixel_that_is_inside(seed: int) -> None:
    of = random_outline(np.random.default_rng(seed))
    y, x = (np.mgrid[: HEIGHT * FINE, : WIDTH * FINE] + 0.5) / FINE
    points = inside(of, x, y).reshape(HEIGHT, FINE, WIDTH, FINE).mean(axis=(1, 3)) * 255
    assert np.abs(filled_soft(of) - points).max() < 255 * 2 / FINE
    assert filled_soft(of).mean() == pytest.approx(points.mean(), abs=0.2)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fill", [filled_hard, filled_soft])
def test_a_clip_cuts_the_filled_pixels(fill: Callable[..., np.ndarray], seed: int) -> None:
    chance = np.random.default_rng(seed)
    of = random_outline(chance)
    left, right = np.sort(chance.integers(0, WIDTH + 1, 2)).tolist()
    top, bottom = np.sort(chance.integers(0, HEIGHT + 1, 2)).tolist()
    cut = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    cut[top:bottom, left:right] = fill(of)[top:bottom, left:right]
    clipped = fill(of, Clip(left, top, right, bottom))
    assert np.abs(clipped.astype(int) - cut).max() <= 1


@pytest.mark.parametrize("fill", [filled_hard, filled_soft])
def test_outlines_far_outside_leave_the_picture_empty_or_cover_it(fill: Callable[..., np.ndarray]) -> None:
    def box(left: float, top: float, right: float, bottom: float) -> Outline:
        return outline(np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]))

    far = 1e6
    for beside in [(-far, 0, -1, 9), (0, -far, 9, -1), (WIDTH, 0, far, 9), (0, HEIGHT, 9, far)]:
        assert not fill(box(*beside)).any()
    assert (fill(box(-far, -far, far, far)) == 255).all()
    assert (fill(box(0, 0, WIDTH, HEIGHT)) == 255).all()


def test_soft_filling_counts_pixels_covered_twice_once() -> None:
    square = np.array([[5.0, 5.0], [20.0, 5.0], [20.0, 20.0], [5.0, 20.0], [5.0, 5.0]])
    assert (filled_soft(outline(square, square + 4)) <= 255).all()
    assert filled_soft(outline(square, square + 4))[15, 15] == 255
