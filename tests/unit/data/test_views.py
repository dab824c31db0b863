"""Views: whole images, and cleaned and cut characters."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from capbench.data.clean import Blur, Ink, Threshold
from capbench.data.cut import Components, Fixed
from capbench.data.views import Characters, Whole, pick, resize
from capbench.errors import Mistake
from capbench.settings import build, check
from tests.helpers.settings import composed

RANDOM = np.random.default_rng(0).integers(0, 256, (30, 120, 3), dtype=np.uint8)


def test_the_grey_channel_equals_that_of_opencv() -> None:
    assert (pick(RANDOM, "grey")[:, :, 0] == cv2.cvtColor(RANDOM, cv2.COLOR_RGB2GRAY)).all()


def test_a_single_channel_is_picked() -> None:
    assert (pick(RANDOM, "green")[:, :, 0] == RANDOM[:, :, 1]).all()
    with_alpha = np.dstack([RANDOM, RANDOM[:, :, 0]])
    assert (pick(with_alpha, "alpha")[:, :, 0] == RANDOM[:, :, 0]).all()


def test_opaque_pixels_keep_their_colours() -> None:
    opaque = np.dstack([RANDOM, np.full_like(RANDOM[:, :, 0], 255)])
    assert (pick(opaque, "colour") == RANDOM).all()
    opaque[0, 0, 3] = 254
    assert (pick(opaque, "colour")[1:] == RANDOM[1:]).all()


def test_transparent_pixels_become_white() -> None:
    black = np.zeros((2, 2, 4), dtype=np.uint8)
    black[0, :, 3] = 255
    assert pick(black, "colour")[:, 0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_padding_keeps_the_aspect_ratio() -> None:
    image = np.full((10, 40, 1), 7, dtype=np.uint8)
    image[4:6, 18:22] = 200
    padded = resize(image, 40, 40, "pad")
    assert padded.shape == (40, 40, 1)
    assert (padded[0] == 7).all()
    assert (padded == 200).sum() == 8
    assert (resize(image, 40, 40, "stretch") == 200).sum() > 8


def test_view_whole_keeps_the_size_or_resizes() -> None:
    assert Whole(channel="colour", size=None, fit="stretch")(RANDOM, 4).shape == (30, 120, 3)
    assert Whole(channel="grey", size=[16, 64], fit="pad")(RANDOM, 4).shape == (16, 64, 1)


def test_view_strokes_equals_the_chain_of_the_knn_article() -> None:
    """Compare with the article's steps: threshold 127 inverted, a 3×3 filter, threshold 185, four boxes of 21×20."""
    grey = cv2.cvtColor(RANDOM, cv2.COLOR_RGB2GRAY)
    _, inverted = cv2.threshold(grey, 127, 255, cv2.THRESH_BINARY_INV)
    blurred = cv2.filter2D(inverted, -1, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16)
    _, expected = cv2.threshold(blurred, 185, 255, cv2.THRESH_BINARY)
    pieces = build(composed("view=strokes", "view.clean.0.at=127")["view"])(RANDOM, 4)
    assert pieces.shape == (4, 21, 20, 1)
    for piece, left in zip(pieces, (8, 38, 68, 98), strict=True):
        assert (piece[:, :, 0] == expected[4:25, left : left + 20]).all()


def view(**changes: Any) -> Characters:
    return Characters(**({"channel": "grey", "clean": [], "cut": "equal", "boxes": None, "size": [24, 16]} | changes))


def test_equal_pieces_cover_the_image() -> None:
    image = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 30, axis=0).repeat(3, axis=2)
    pieces = view(size=[30, 24])(image, 5)
    assert (np.concatenate(list(pieces), axis=1)[:, :, 0] == image[:, :, 0]).all()


def test_a_cutter_is_given_by_name_or_by_settings() -> None:
    image = np.full((20, 60, 3), 255, dtype=np.uint8)
    image[5:15, 10:30] = 0
    ink = [Threshold(at=127, invert=True)]
    assert view(clean=ink, cut="components").pieces(image, 1)[1].found == 1
    assert view(clean=ink, cut=Components(widest=12)).pieces(image, 2)[1].found == 2
    settings = composed("view=overlap", "view.cut.widest=44")["view"]
    check(settings, Characters, "view")
    assert build(settings).cutter == Components(narrowest=8, widest=44)


def test_colour_images_are_cleaned_and_cut() -> None:
    image = np.full((20, 60, 3), 255, dtype=np.uint8)
    image[5:15, 10:20] = (255, 255, 0)
    chain = view(channel="colour", clean=[Ink(), Threshold(at=100)])
    pictures = list(chain.steps(image))
    assert [picture.shape for picture in pictures] == [(20, 60, 3), (20, 60), (20, 60)]
    assert (pictures[0] == image).all()
    assert pictures[2][5:15, 10:20].min() == 255
    assert view(channel="colour")(image, 3).shape == (3, 24, 16, 3)


def test_a_missing_character_is_a_black_piece() -> None:
    image = np.full((20, 60, 3), 255, dtype=np.uint8)
    image[5:15, 10:20] = 0
    pieces = view(clean=[Threshold(at=127, invert=True)], cut=Components(narrowest=6))(image, 2)
    assert pieces[0].min() == 255
    assert pieces[1].max() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cut": "fixed"}, r"view\.boxes: is empty"),
        ({"boxes": [[0, 1, 0, 1]]}, r"view\.boxes: is not used by view\.cut=equal"),
        ({"cut": Fixed(boxes=[[0, 1, 0, 1]]), "boxes": [[0, 1, 0, 1]]}, r"is not used by view\.cut=Fixed"),
        ({"cut": "components"}, r"view\.clean: ends in no black and white, which Components needs"),
        ({"cut": "projection", "clean": [Threshold(at=9), Blur()]}, r"which Projection needs; add a Threshold"),
        ({"channel": "colour", "clean": [Blur()]}, r"view\.clean\.0: Blur takes no colour; put Ink or TextColour"),
        ({"cut": "fixed", "boxes": [[5, 5, 0, 1]]}, r"holds no pixel"),
    ],
)
def test_contradictory_settings_of_a_view_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Mistake, match=message):
        view(**changes)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("view.cut=slices", r"^view\.cut: 'slices' is not accepted"),
        ("view.cut={_target_:capbench.data.clean.Blur}", r"^view\.cut\._target_: \S+ is not a Cutter"),
        ("view.cut={_target_:capbench.data.cut.Watershed,spread:0}", r"^view\.cut\.spread: 0 is not accepted"),
    ],
)
def test_a_wrong_cutter_is_refused(override: str, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        check(composed("view=characters", override)["view"], Characters, "view")
