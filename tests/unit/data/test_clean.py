"""Cleaning steps, each alone on a picture drawn for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from capbench.data.clean import (
    Adaptive,
    Blur,
    Close,
    Curves,
    Divide,
    Dots,
    Ink,
    Kind,
    Lines,
    Median,
    OneColour,
    Open,
    Specks,
    Step,
    TextColour,
    Threshold,
    check_chain,
)
from capbench.errors import Mistake
from capbench.settings import check


def blank(height: int = 30, width: int = 120) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def block(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Return a picture with ink in boxes of top, bottom, left, right."""
    picture = blank()
    for top, bottom, left, right in boxes:
        picture[top:bottom, left:right] = 255
    return picture


GLYPHS = ((5, 25, 20, 30), (5, 25, 50, 60), (5, 25, 80, 90))


def test_threshold_separates_two_levels() -> None:
    grey = np.where(np.arange(100).reshape(10, 10) < 50, 90, 140).astype(np.uint8)
    dark = np.where(grey == 90, 255, 0)
    assert (Threshold(at="otsu", invert=True)(grey) == dark).all()
    assert (Threshold(at=90)(grey) == 255 - dark).all()
    assert (Threshold(at=140)(grey) == 0).all()


def test_adaptive_finds_ink_that_no_single_threshold_does() -> None:
    shade = np.tile(np.linspace(60, 230, 120), (30, 1))
    shade[10:14, 10:14] -= 30
    shade[10:14, 100:104] -= 30  # brighter than the background on the left
    grey = shade.astype(np.uint8)
    ink = block((10, 14, 10, 14), (10, 14, 100, 104))
    assert (Adaptive(size=21, by=15, invert=True)(grey) == ink).all()
    assert (Adaptive(size=21, by=15)(255 - grey) == ink).all()


def test_blur_is_binomial() -> None:
    dot = blank()
    dot[5, 5] = 160
    assert Blur()(dot)[4:7, 4:7].tolist() == [[10, 20, 10], [20, 40, 20], [10, 20, 10]]


def test_median_removes_single_pixels() -> None:
    picture = block(GLYPHS[0])
    picture[3, 70] = picture[15, 25] = 128
    assert (Median(size=3)(picture)[6:24] == block(GLYPHS[0])[6:24]).all()


def test_open_and_close_tell_height_from_width() -> None:
    flat, upright, glyph = (10, 11, 40, 70), (2, 28, 100, 101), GLYPHS[0]
    picture = block(flat, upright, glyph)
    assert (Open(size=[3, 1])(picture) == block(upright, glyph)).all()
    assert (Open(size=[1, 3])(picture) == block(flat, glyph)).all()
    torn = block(glyph)
    torn[12] = 0
    assert (Close(size=[3, 1])(torn) == block(glyph)).all()
    assert (Close(size=[1, 3])(torn) == torn).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_divide_leaves_ink_on_white(channels: int) -> None:
    """Divide text that is a constant share of a shaded background: it becomes one level."""
    shade = np.tile(np.linspace(240, 120, 120), (30, 1))
    shade[10:20, 20:24] *= 0.6
    shade[10:20, 90:94] *= 0.6
    picture = np.repeat(shade.astype(np.uint8)[:, :, None], channels, axis=2).squeeze()
    divided = Divide(size=11)(picture).reshape(30, 120, channels)
    for left in (20, 90):
        assert np.abs(divided[10:20, left : left + 4].astype(float) - 0.6 * 255).max() < 12
    assert (divided[:, 40:80] > 240).all()


def test_ink_is_the_difference_from_the_background_in_any_channel() -> None:
    picture = np.full((30, 120, 3), (250, 240, 200), np.uint8)
    picture[10:20, 20:30] = (250, 240, 80)
    picture[10:20, 50:60] = (20, 240, 200)
    ink = Ink()(picture)
    assert ink[15, 25] == 120
    assert ink[15, 55] == 230
    assert ink[0].max() == 0
    assert (Ink()(255 - picture) == ink).all()
    assert (Ink()(np.ascontiguousarray(picture[:, :, 0])) == np.where(picture[:, :, 0] == 20, 230, 0)).all()


def test_text_colour_removes_lines_of_other_colours() -> None:
    picture = np.full((30, 120, 3), 255, np.uint8)
    for top, bottom, left, right in GLYPHS:
        picture[top:bottom, left:right] = (40, 90, 160)
    cv2.line(picture, (0, 2), (119, 3), (200, 30, 30), 2)
    cv2.circle(picture, (40, 15), 4, (20, 160, 40), -1)
    assert (TextColour(ink=40, within=20)(picture) == block(*GLYPHS)).all()
    assert TextColour(ink=40, within=20)(picture * 0).max() == 0


def test_one_colour_of_several_is_kept() -> None:
    picture = np.full((30, 120, 3), 255, np.uint8)
    blue, red = block(*GLYPHS), block((2, 4, 0, 110))
    picture[blue > 0] = (40, 90, 160)
    picture[red > 0] = (200, 30, 30)
    picture[0, 0] = (195, 35, 30)
    red[0, 0] = 255
    picture[0, 1] = (0, 160, 0)
    assert (OneColour(colour=[200, 30, 30], within=10)(picture) == red).all()
    assert OneColour(colour=[200, 30, 30], within=4)(picture)[0, 0] == 0
    for number, colour in enumerate(sorted([blue, red], key=np.count_nonzero, reverse=True), 1):
        assert (OneColour(colour=number, within=10)(picture) == colour).all()
    assert np.argwhere(OneColour(colour=3, within=10)(picture)).tolist() == [[0, 1]]
    assert OneColour(colour=4, within=10)(picture).max() == 0


def test_specks_removes_pieces_of_small_area() -> None:
    picture = block(GLYPHS[0], (2, 4, 60, 62), (2, 4, 70, 73))
    assert (Specks(area=4)(picture) == picture).all()
    assert (Specks(area=5)(picture) == block(GLYPHS[0], (2, 4, 70, 73))).all()
    assert (Specks(area=7)(picture) == block(GLYPHS[0])).all()
    assert Specks(area=5)(blank()).max() == 0


def test_dots_removes_only_round_free_pieces() -> None:
    stroke = block((10, 12, 70, 77), (12, 17, 70, 71))  # as large as a dot, bent
    dots = blank()
    for x, y, radius in ((10, 8, 2), (45, 20, 3), (100, 25, 2)):
        cv2.circle(dots, (x, y), radius, 255, -1)
    large = blank()
    cv2.circle(large, (110, 10), 5, 255, -1)
    assert (Dots(size=7)(stroke | dots | large | block(GLYPHS[0])) == stroke | large | block(GLYPHS[0])).all()


def test_lines_removes_a_line_and_keeps_the_crossed_text() -> None:
    line = blank()
    cv2.line(line, (0, 6), (119, 22), 255, 1)
    text = block(*GLYPHS)
    cleaned = Lines(thickness=2, length=15)(text | line)
    assert (cleaned & text == text).all()
    assert (cleaned & ~text).sum() / 255 < 15  # remains on the edge of the text
    assert (line & ~text).sum() / 255 > 70
    assert (Lines(thickness=2, length=200)(text | line) == text | line).all()


def wave(thickness: int) -> np.ndarray:
    picture = blank(60, 240)
    x = np.arange(240)
    points = np.stack([x, 30 + 14 * np.sin(x / 22)], axis=1).round().astype(np.int32)
    cv2.polylines(picture, [points], False, 255, thickness)
    return picture


def test_curves_removes_a_curve_that_runs_through_text() -> None:
    text = blank(60, 240)
    for left in (50, 90, 130):
        text[12:48, left : left + 6] = 255
        text[12:48, left + 14 : left + 20] = 255
    curve = wave(4)
    cleaned = Curves(thickness=8, length=60, gap=20)(text | curve)
    assert (cleaned & text == text).all()
    assert (cleaned & ~text & curve).sum() < 0.1 * (curve & ~text).sum()
    assert (Curves(thickness=2, length=60, gap=20)(text | curve) == text | curve).mean() > 0.98, "thicker than said"
    assert (Curves(thickness=8, length=240, gap=20)(text | curve) == text | curve).all()


def test_curves_follows_a_curve_across_text_only_within_the_gap() -> None:
    bar, line = block((2, 28, 60, 66)), block((14, 16, 0, 120))
    assert (Curves(thickness=3, length=100, gap=6)(bar | line) == bar).all()
    assert (Curves(thickness=3, length=100, gap=2)(bar | line) == bar | line).all()


STEPS: list[Step] = [
    Threshold(at=100),
    Adaptive(size=5, by=3),
    Blur(),
    Median(size=3),
    Open(size=[2, 2]),
    Close(size=[2, 2]),
    Divide(size=9),
    Ink(),
    TextColour(ink=30, within=30),
    OneColour(colour=2, within=30),
    Specks(area=3),
    Dots(size=3),
    Lines(thickness=2, length=20),
    Curves(thickness=2, length=20, gap=3),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_each_step_gives_the_kind_of_picture_that_it_declares(step: Step) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    grey = np.ascontiguousarray(noise[:, :, 0])
    mask = np.where(grey > 127, 255, 0).astype(np.uint8)
    for kind, picture in ((Kind.COLOUR, noise), (Kind.GREY, grey), (Kind.BLACK_AND_WHITE, mask)):
        if kind > step.takes:
            with pytest.raises(Mistake, match=rf"^view\.clean\.0: {type(step).__name__} takes "):
                check_chain([step], kind)
            continue
        given = check_chain([step], kind)
        before = picture.copy()
        after = step(picture)
        assert (picture == before).all(), "the picture it was given has changed"
        assert after.dtype == np.uint8
        assert after.shape == ((30, 40, 3) if given is Kind.COLOUR else (30, 40))
        if given is Kind.BLACK_AND_WHITE:
            assert set(np.unique(after)) <= {0, 255}


def test_every_cleaning_step_is_tested() -> None:
    assert {type(step) for step in STEPS} == set(Step.__subclasses__())


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        (Threshold, {"at": 256}),
        (Threshold, {"at": "otso"}),
        (Adaptive, {"size": 1, "by": 3}),
        (Median, {"size": 2}),
        (Open, {"size": [3]}),
        (Divide, {"size": 0}),
        (TextColour, {"ink": -1, "within": 3}),
        (OneColour, {"colour": [1, 2], "within": 3}),
        (OneColour, {"colour": 0, "within": 3}),
        (OneColour, {"colour": [1, 2, 256], "within": 3}),
        (Specks, {"area": 0}),
        (Lines, {"thickness": 0, "length": 5}),
        (Curves, {"thickness": 1, "length": 5, "gap": -1}),
    ],
)
def test_settings_of_a_step_out_of_range_are_refused(step: type, settings: dict[str, Any]) -> None:
    with pytest.raises(Mistake, match=r"view\.clean\.0\.\w+: .* is not accepted; "):
        check(settings, step, "view.clean.0")


@pytest.mark.parametrize("step", [lambda size: Median(size=size), lambda size: Adaptive(size=size, by=1)])
def test_an_even_size_of_a_step_is_refused(step: Callable[[int], Step]) -> None:
    with pytest.raises(Mistake, match=r"size: 4 has no middle pixel; write an odd number"):
        step(4)
