"""The view that suits a folder: size and shape of its images, and the channel that shows their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from capbench.data.look import sight
from capbench.errors import Mistake
from capbench.settings import build
from tests.helpers.settings import composed

COUNT = 12


def drawn(height: int, width: int, *, ink: tuple[int, ...], paper: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    picture = Image.new(mode, (width, height), paper)
    ImageDraw.Draw(picture).rectangle((width // 4, height // 4, width // 2, height // 2), ink)
    return picture


def seen(at: Path, pictures: list[Image.Image], suffix: str = "png") -> tuple[list[int], str, str]:
    """Return size, channel and fit of the view of a folder of these images."""
    at.mkdir(exist_ok=True)
    rows = ["filename,label"]
    for number, picture in enumerate(pictures):
        picture.save(at / f"{number}.{suffix}")
        rows.append(f"{number}.{suffix},{1000 + 37 * number}")
    (at / "labels.csv").write_text("\n".join(rows) + "\n")
    source = build(composed("data=folder", f"data.root={at}")["data"])
    settings, _ = sight.view(source)
    assert build(settings)(source.image(0), 4).shape[:2] == tuple(settings["size"])
    return settings["size"], settings["channel"], settings["fit"]


BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((30, 100), [30, 100]),
        ((80, 240), [50, 150]),
        ((10, 40), [24, 96]),
        ((1000, 2000), [50, 100]),
        ((60, 20), [50, 32]),
    ],
)
def test_the_view_has_the_shape_of_the_images(size: tuple[int, int], expected: list[int], tmp_path: Path) -> None:
    assert seen(tmp_path, [drawn(*size, ink=BLACK, paper=WHITE)] * COUNT) == (expected, "grey", "stretch")


def test_sizes_that_differ_are_padded_to_one(tmp_path: Path) -> None:
    sizes = [(20, 10), (1000, 2000), *[(40, 40 + 10 * number) for number in range(COUNT)]]
    size, _, fit = seen(tmp_path, [drawn(*size, ink=BLACK, paper=WHITE) for size in sizes])
    assert fit == "pad"
    assert size[0] == 40 and 80 <= size[1] <= 200


def test_colour_is_seen_where_grey_hides_the_text(tmp_path: Path) -> None:
    same_grey = drawn(30, 80, ink=(255, 0, 0), paper=(0, 130, 0))
    assert seen(tmp_path / "red", [same_grey] * COUNT)[1] == "colour"
    assert seen(tmp_path / "blue", [drawn(30, 80, ink=(0, 0, 90), paper=WHITE)] * COUNT)[1] == "grey"
    assert seen(tmp_path / "dark", [drawn(30, 80, ink=WHITE, paper=BLACK)] * COUNT)[1] == "grey"


def test_a_text_that_only_the_alpha_channel_shows_is_seen(tmp_path: Path) -> None:
    hidden = drawn(30, 80, ink=(255, 255, 255, 255), paper=(255, 255, 255, 0), mode="RGBA")
    shown = drawn(30, 80, ink=(0, 0, 0, 255), paper=(255, 255, 255, 0), mode="RGBA")
    assert seen(tmp_path / "hidden", [hidden] * COUNT)[1] == "alpha"
    assert seen(tmp_path / "shown", [shown] * COUNT)[1] == "grey"


def test_the_first_frame_of_an_animation_is_seen(tmp_path: Path) -> None:
    assert seen(tmp_path, [drawn(30, 80, ink=BLACK, paper=WHITE)] * COUNT, "gif")[0] == [30, 80]


def test_a_folder_without_a_readable_image_ends_in_one_line(tmp_path: Path) -> None:
    names = [f"{1000 + 37 * number}.png" for number in range(COUNT)]
    for name in names:
        (tmp_path / name).write_bytes(np.random.default_rng(1).bytes(99))
    source = build(composed("data=folder", f"data.root={tmp_path}")["data"])
    with pytest.raises(Mistake, match=r"1000\.png: .*; no image of 12 could be read$"):
        sight.view(source)
