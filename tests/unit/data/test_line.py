"""View of one line of text: any size, found text, light and dark, contrast."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from capbench.data.line import BACKGROUND, INK, Line, levelled, text_rows_and_columns

GREY = Line(channel="grey", size=[32, 160])
COLOUR = Line(channel="colour", size=[32, 160])


def picture(
    height: int, width: int, *, ink: int = 0, paper: int = 255, size: float = 1.0, left: int = 10, base: int = 40
) -> np.ndarray:
    """Return a picture with the text 4K7W, uint8 [height, width, 3]."""
    pixels = np.full((height, width, 3), paper, dtype=np.uint8)
    cv2.putText(pixels, "4K7W", (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, (ink, ink, ink), 2)
    return pixels


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 300, 1), (300, 1, 3), (2, 2, 4), (18, 50, 3), (200, 400, 4), (2000, 900, 3), (40, 900, 1)]
)
def test_an_image_of_any_size_gives_a_view_of_one_size(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert GREY(pixels, 4).shape == (32, 160, 1)
    assert COLOUR(pixels, 4).shape == (32, 160, 1 if shape[2] == 1 else 3)


@pytest.mark.parametrize("width", [120, 900])
def test_an_empty_image_is_all_background(width: int) -> None:
    assert (COLOUR(np.full((40, width, 3), 200, dtype=np.uint8), 4) == BACKGROUND).all()


def test_light_text_on_dark_looks_like_dark_text_on_light() -> None:
    dark, light = COLOUR(picture(60, 120), 4), COLOUR(picture(60, 120, ink=255, paper=0), 4)
    assert np.abs(dark.astype(int) - light).max() <= 1
    assert dark.min() < BACKGROUND - INK / 2


def test_low_contrast_is_raised() -> None:
    faint = GREY(picture(60, 120, ink=100, paper=120), 4)
    assert faint.min() <= BACKGROUND - INK


def test_transparent_pixels_are_white_paper() -> None:
    solid = picture(60, 120)
    clear = np.dstack([np.zeros_like(solid), 255 - solid[:, :, 0]])  # black everywhere, opaque where the text is
    assert np.array_equal(COLOUR(solid, 4), COLOUR(clear, 4))


def test_small_text_is_found_in_a_large_image_with_a_line_through_it() -> None:
    pixels = picture(160, 500, size=0.8, left=220, base=70)
    cv2.line(pixels, (0, 150), (499, 10), (90, 90, 90), 1)
    rows, columns = np.nonzero(picture(160, 500, size=0.8, left=220, base=70)[:, :, 0] == 0)
    found, wide = text_rows_and_columns(pixels, 50)
    assert isinstance(wide, slice)
    assert found.start <= rows.min() and rows.max() < found.stop
    assert wide.start <= columns.min() and columns.max() < wide.stop
    assert found.stop - found.start < 60


def test_an_image_that_is_noise_everywhere_is_kept_whole() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (60, 200, 3), dtype=np.uint8)
    assert text_rows_and_columns(pixels, 5) == (slice(0, 60), slice(0, 200))


def test_gaps_between_characters_are_cut_only_where_a_line_is_too_wide() -> None:
    pixels = np.full((40, 600, 3), 255, dtype=np.uint8)
    for left in range(20, 600, 140):
        cv2.putText(pixels, "H", (left, 32), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 3)
    _, columns = text_rows_and_columns(pixels, 5)
    inked = np.flatnonzero((pixels == 0).any(axis=(0, 2)))
    assert isinstance(columns, np.ndarray)
    assert {*inked.tolist()} <= {*columns.tolist()}
    assert len(columns) < 300
    assert isinstance(text_rows_and_columns(pixels, 50)[1], slice)


def test_the_aspect_ratio_is_kept_and_a_wide_line_is_squeezed() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    inked = np.flatnonzero((COLOUR(pixels, 4) != BACKGROUND).any(axis=(0, 2)))
    assert (inked[0], inked[-1]) == (48, 111)  # 64 columns in the middle
    wide = np.random.default_rng(3).integers(0, 256, (64, 900, 3), dtype=np.uint8)
    assert (COLOUR(wide, 4) != BACKGROUND).any(axis=(0, 2)).all()


def test_coloured_text_keeps_its_colour_against_paper_of_equal_brightness() -> None:
    pixels = np.full((40, 100, 3), (200, 60, 60), dtype=np.uint8)
    pixels[10:30, 40:60] = (60, 131, 60)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    assert abs(int(grey[0, 0]) - int(grey[20, 50])) <= 2
    view = levelled(pixels).astype(int)
    assert np.abs(view[20, 50] - BACKGROUND).max() >= INK // 2


def test_a_gradient_is_taken_away_and_the_text_on_it_stays() -> None:
    pixels = np.linspace(90, 250, 120, dtype=np.float32)[None, :, None].repeat(40, axis=0).repeat(3, axis=2)
    pixels = pixels.astype(np.uint8)
    inked = np.zeros((40, 120), dtype=bool)
    for left in range(20, 110, 20):
        inked[8:32, left : left + 5] = True
    pixels[inked] = 40
    view = levelled(pixels)
    assert np.abs(view[~inked].astype(int) - BACKGROUND).max() <= 20
    assert view[inked].max() < BACKGROUND - 20
