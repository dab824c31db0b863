"""Outlines traced from coverage."""

from __future__ import annotations

import numpy as np
import pytest

from capbench.render.kernel.geometry import Clip
from capbench.render.outlines import traced
from tests.unit.render.kernel.test_filling import HEIGHT, WIDTH, filled_hard, filled_soft, outline, random_outline


def test_nothing_has_no_outline() -> None:
    assert traced(np.zeros((4, 5), dtype=np.uint8), 127.5, 0.1) == []


def test_one_pixel_has_an_outline_around_its_middle() -> None:
    (ring,) = traced(np.full((1, 1), 255, dtype=np.uint8), 127.5, 0.01)
    assert ring.min() == pytest.approx(0.0, abs=0.01)
    assert ring.max() == pytest.approx(1.0, abs=0.01)
    assert (ring[0] == ring[-1]).all()


@pytest.mark.parametrize("seed", range(12))
def test_filling_a_traced_outline_gives_the_pixels_that_it_was_traced_from(seed: int) -> None:
    """Fill random spots, with holes and with spots that touch at a corner."""
    ink = (np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.4).astype(np.uint8) * 255
    assert (filled_hard(outline(*traced(ink, 127.5, 0.0))) == ink).all()


@pytest.mark.parametrize("seed", range(12))
def test_a_simplified_outline_keeps_the_area(seed: int) -> None:
    ink = filled_soft(random_outline(np.random.default_rng(seed)), Clip(0, 0, WIDTH, HEIGHT))
    rings = traced(ink, 127.5, 0.08)
    if ink.any():
        assert filled_soft(outline(*rings)).mean() == pytest.approx(ink.mean(), rel=0.02, abs=0.2)


def test_holes_run_the_other_way_round() -> None:
    ink = np.zeros((12, 12), dtype=np.uint8)
    ink[2:10, 2:10] = 255
    ink[4:8, 4:8] = 0
    areas = [
        ((ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum() / 2).item()
        for ring in traced(ink, 127.5, 0.01)
    ]
    assert sorted(round(area) for area in areas) in ([-16, 64], [-64, 16])
