"""Frames of animations, seen together."""

from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from capbench import images
from capbench.errors import BadImage
from capbench.images import Frames, containers
from capbench.images.containers import TooMuchWork
from capbench.images.frames import combined
from tests.helpers.animations import KINDS, animation

WHITE, BLACK = 255, 0


def strokes(count: int = 3, height: int = 8, width: int = 12) -> list[np.ndarray]:
    """Return frames of which each shows one black stroke on white, at a place of its own."""
    frames = np.full((count, height, width, 3), WHITE, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 3 * number + 1] = BLACK
    return [*frames]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_combined_in_every_format(kind: str, tmp_path: Path) -> None:
    frames = strokes()
    file = animation(frames, kind)
    (tmp_path / "moving").write_bytes(file)
    expected = {"first": frames[0], "darkest": np.minimum.reduce(frames), "all": np.hstack(frames)}
    expected["mean"] = np.rint(np.mean(frames, axis=0)).astype(np.uint8)
    assert expected.keys() == {*get_args(Frames)}
    for seen, picture in expected.items():
        decoded = images.decode(file, frames=seen)  # type: ignore[arg-type]
        assert np.array_equal(decoded[:, :, :3], picture), seen
        for form in (file, tmp_path / "moving", Image.open(tmp_path / "moving")):
            assert np.array_equal(images.pixels(form, frames=seen), decoded)  # type: ignore[arg-type]
    assert np.array_equal(images.decode(file), images.decode(file, frames="first"))


@pytest.mark.parametrize("seen", get_args(Frames))
def test_a_still_image_is_as_ever(seen: Frames) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (5, 7, 4), np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    assert np.array_equal(images.decode(file.getvalue(), frames=seen), picture)
    assert np.array_equal(images.pixels(picture, frames=seen), picture)


def test_transparent_pixels_of_several_frames_are_white() -> None:
    clear = np.zeros((1, 2, 4), np.uint8)
    half = np.array([[[0, 0, 0, 255], [10, 20, 30, 0]]], np.uint8)
    assert combined([clear, half], "darkest").tolist() == [[[0] * 3, [255] * 3]]
    assert combined([clear, half], "mean").tolist() == [[[128] * 3, [255] * 3]]


def test_frames_of_a_gif_build_on_those_before_them() -> None:
    """Pillow writes of each frame only the part that differs, so the second frame here is small."""
    first = np.full((20, 30, 3), WHITE, np.uint8)
    first[2:4] = BLACK
    second = first.copy()
    second[10:12, 5:9] = 100
    seen = images.decode(animation([first, second], "GIF"), frames="all")
    assert np.array_equal(seen, np.hstack([first, second]))


def test_all_frames_together_are_limited() -> None:
    frames = strokes(4, 30, 40)
    file = animation(frames, "GIF")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "MOST_PIXELS", 3 * 30 * 40)
        assert images.decode(file).shape == (30, 40, 3)
        for form in (file, Image.open(io.BytesIO(file))):
            with pytest.raises(BadImage, match="has 4 frames of 40×30 pixels; at most 3,600 pixels in all"):
                images.pixels(form, frames="darkest")
    with pytest.raises(TooMuchWork):
        images.decode(file, most=3000, frames="mean")
    assert images.decode(file, most=5000, frames="mean").shape == (30, 40, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_whose_later_frames_are_damaged_is_refused_where_they_are_seen(kind: str) -> None:
    noise = [*np.random.default_rng(1).integers(0, 256, (3, 30, 40, 3), np.uint8)]
    file = animation(noise, kind)
    for length in (len(file) // 2, len(file) - 30):
        with pytest.raises(BadImage):
            images.decode(file[:length], frames="darkest")


def test_an_image_of_pillow_keeps_the_frame_that_it_shows() -> None:
    opened = Image.open(io.BytesIO(animation(strokes(), "GIF")))
    opened.seek(1)
    images.pixels(opened, frames="darkest")
    assert opened.tell() == 1
