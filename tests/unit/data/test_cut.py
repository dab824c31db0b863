"""Cutters: their boxes, and whether a wrong count is flagged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from capbench.data.cut import NOTHING, ByInk, Components, Cutter, Equal, Fixed, Pieces, Projection, Watershed
from capbench.errors import Mistake


def ink(*boxes: list[int]) -> np.ndarray:
    """Return a picture of 30×120 pixels with ink in boxes of top, bottom, left, right."""
    picture = np.zeros((30, 120), np.uint8)
    for top, bottom, left, right in boxes:
        picture[top:bottom, left:right] = 255
    return picture


FOUR = [[5, 25, 8, 20], [7, 25, 38, 50], [5, 22, 68, 80], [5, 25, 98, 110]]
CUTTERS: list[type[ByInk]] = [Projection, Components, Watershed]


def test_equal_cuts_the_picture_into_equal_widths() -> None:
    assert Equal()(ink(), 3) == Pieces([[0, 30, 0, 40], [0, 30, 40, 80], [0, 30, 80, 120]], 3)


def test_fixed_cuts_the_given_boxes() -> None:
    assert Fixed(boxes=FOUR)(ink(), 4) == Pieces(FOUR, 4)
    with pytest.raises(Mistake, match="has 4 boxes and the texts have up to 5"):
        Fixed(boxes=FOUR)(ink(), 5)
    with pytest.raises(Mistake, match=r"\[5, 25, 98, 110\] reaches beyond an image of 30×109 pixels"):
        Fixed(boxes=FOUR)(ink()[:, :109], 4)


@pytest.mark.parametrize("cutter", CUTTERS)
def test_separate_characters_are_cut_as_they_stand(cutter: type[ByInk]) -> None:
    pieces = cutter()(ink(*reversed(FOUR)), 4)
    assert pieces == Pieces(FOUR, 4)
    assert not pieces.miscounted


@pytest.mark.parametrize("cutter", CUTTERS)
def test_an_empty_picture_gives_empty_boxes_and_is_flagged(cutter: type[ByInk]) -> None:
    pieces = cutter()(ink(), 4)
    assert pieces == Pieces([NOTHING] * 4, 0)
    assert pieces.miscounted


@pytest.mark.parametrize("cutter", CUTTERS)
def test_a_picture_full_of_ink_is_cut_and_flagged(cutter: type[ByInk]) -> None:
    pieces = cutter()(ink([0, 30, 0, 120]), 4)
    assert pieces.miscounted
    assert pieces.boxes == [[0, 30, left, left + 30] for left in (0, 30, 60, 90)]


@pytest.mark.parametrize("cutter", [Projection, Components])
def test_joined_characters_are_split_where_they_are_thinnest(cutter: type[ByInk]) -> None:
    joined = ink(*FOUR, [12, 14, 20, 38])  # a bridge joins the first two
    known = cutter(widest=30)(joined, 4)
    assert not known.miscounted
    # Without a `widest` the characters are split as well, but flagged.
    forced = cutter()(joined, 4)
    assert forced.found == 3
    assert forced.boxes == known.boxes
    assert known.boxes[2:] == FOUR[2:]


@pytest.mark.parametrize("cutter", [Projection, Components])
def test_a_split_lies_at_the_thinnest_place_not_the_middle(cutter: type[ByInk]) -> None:
    joined = ink([5, 25, 8, 24], [12, 14, 24, 26], [5, 25, 26, 35])
    assert cutter(widest=20)(joined, 2) == Pieces([[5, 25, 8, 24], [5, 25, 24, 35]], 2)


@pytest.mark.parametrize("cutter", CUTTERS)
def test_the_flattest_piece_is_split(cutter: type[ByInk]) -> None:
    """Split two joined small characters, which are narrower than a large one but wider for their height."""
    small, large = [18, 25, 10, 26], [2, 28, 60, 80]
    cut = Watershed(spread=8.0) if cutter is Watershed else cutter()
    boxes = cut(ink(small, large), 3).boxes
    assert boxes[2] == large
    assert boxes[0][3] == boxes[1][2]


@pytest.mark.parametrize("cutter", CUTTERS)
def test_no_split_makes_a_piece_narrower_than_narrowest(cutter: type[ByInk]) -> None:
    pieces = cutter(narrowest=7)(ink(FOUR[0]), 4)
    assert pieces == Pieces([FOUR[0], NOTHING, NOTHING, NOTHING], 1)


def test_broken_characters_are_merged() -> None:
    i_and_dot, torn = ink([12, 25, 10, 14], [5, 8, 10, 14]), ink([5, 25, 40, 48], [5, 25, 50, 52])
    assert Components()(i_and_dot, 1) == Pieces([[5, 25, 10, 14]], 1)
    assert Components()(torn, 1) == Pieces([[5, 25, 40, 52]], 1)
    assert Projection()(torn, 1) == Pieces([[5, 25, 40, 52]], 1)
    assert Components(narrowest=1)(torn, 2) == Pieces([[5, 25, 40, 48], [5, 25, 50, 52]], 2)


@pytest.mark.parametrize("cutter", CUTTERS)
def test_of_too_many_pieces_the_largest_are_kept(cutter: type[ByInk]) -> None:
    pieces = cutter()(ink(*FOUR, [26, 30, 84, 88]), 4)
    assert pieces.found == 5
    assert pieces.boxes == FOUR


def test_projection_ignores_ink_below_least() -> None:
    bridged = ink(*FOUR, [20, 21, 8, 110])
    assert Projection()(bridged, 4).found == 1
    assert Projection(least=1)(bridged, 4) == Pieces(FOUR, 4)


def test_components_cut_leaning_and_watershed_touching_characters() -> None:
    leaning = ink()
    for left in (20, 34):  # two slanted strokes, one above the other's foot
        cv2.line(leaning, (left, 27), (left + 18, 3), 255, 5)
    assert Projection()(leaning, 2).found == 1
    assert Components()(leaning, 2).found == 2
    touching = leaning | ink([14, 16, 30, 44])
    assert Components()(touching, 2).found == 1
    pieces = Watershed(spread=4.0)(touching, 2)
    assert pieces.found == 2
    assert pieces.boxes[0][3] > pieces.boxes[1][2], "a valley that leans cuts no straight line"


def test_every_box_lies_within_the_picture() -> None:
    random = np.random.default_rng(5)
    cutters: list[Cutter] = [Projection(widest=9), Components(widest=9), Watershed(spread=2.5), Components(narrowest=1)]
    for density in (0.02, 0.2, 0.6, 0.95):
        for shape in ((1, 1), (1, 40), (40, 1), (30, 120)):
            noise = np.where(random.random(shape) < density, 255, 0).astype(np.uint8)
            for cutter in cutters:
                boxes = cutter(noise, 6).boxes
                assert len(boxes) == 6
                for top, bottom, left, right in boxes:
                    assert [top, bottom, left, right] == NOTHING or (
                        0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]
                    )


@pytest.mark.parametrize("cutter", CUTTERS)
def test_a_widest_too_small_to_split_is_refused(cutter: type[ByInk]) -> None:
    with pytest.raises(Mistake, match=r"view\.cut\.widest: 7 cannot be split .* give at least 8, or null"):
        cutter(widest=7)
