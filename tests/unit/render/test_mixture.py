"""Mixtures of styles, with style=wild as the example: determinism, variety, legibility and mistakes."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from capbench.errors import Mistake
from capbench.render.mixing import Mixing
from capbench.render.mixture import Mixture
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build, check
from tests.helpers.protocols import Cli
from tests.helpers.settings import BUNDLED, composed, style

SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-×*÷/=?"
NUMBERS = np.arange(500, 628)


WILD: dict[str, Any] = composed("style=wild", BUNDLED, verb="render")["style"]


def wild(longest: int = 10) -> Painter:
    return Painter(checked(WILD), SYMBOLS, 1, longest, 1)


def fingerprint(threads: int) -> str:
    """Return a hash of the pictures of NUMBERS."""
    pictures = wild().each(NUMBERS, threads=threads)
    return hashlib.sha256(b"".join(picture.tobytes() for picture in pictures)).hexdigest()


def variants(**axes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings of style=wild with these axes alone."""
    return copy.deepcopy(WILD) | {"variants": axes}


def checked(settings: dict[str, Any]) -> Mixture:
    """Check settings as the command line does, and build the mixture."""

    def schema(*, style: Style) -> None: ...

    check({"style": settings}, schema)
    mixture: Mixture = build(settings)
    return mixture


def test_a_sample_depends_only_on_its_index() -> None:
    own = wild()
    together = own.each(NUMBERS, threads=1)
    for number, picture in zip(NUMBERS.tolist()[::-1], together[::-1], strict=True):
        alone, text = own.sample(number)
        assert alone.tobytes() == picture.tobytes()
        assert own.texts(np.array([number])) == [text]
    assert all((one == other).all() for one, other in zip(together, own.each(NUMBERS, threads=2), strict=True))
    assert len({picture.tobytes() for picture in together}) == len(NUMBERS)


def test_other_processes_draw_the_same_bytes() -> None:
    code = "from tests.unit.render.test_mixture import fingerprint; print(fingerprint(2))"
    root = __file__.rpartition("/tests/")[0]
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    assert {other.communicate()[0].strip() for other in others} == {fingerprint(1)}


def test_pictures_have_all_sizes_of_the_style_and_ten_thousand_can_be_drawn() -> None:
    own = wild()
    shapes = []
    for start in range(0, 10_000, 1_000):
        pictures, boxes = own.each_drawn(np.arange(start, start + 1_000), grey=True)
        shapes += [picture.shape for picture in pictures]
        for picture, characters in zip(pictures, boxes, strict=True):
            left, top, right, bottom = characters[~np.isnan(characters[:, 0])].T
            height, width = picture.shape[:2]
            assert (((left + right) / 2 > 0) & ((left + right) / 2 < width)).all()
            assert (((top + bottom) / 2 > 0) & ((top + bottom) / 2 < height)).all()
            seen = (np.minimum(right, width) - np.maximum(left, 0)) * (np.minimum(bottom, height) - np.maximum(top, 0))
            assert (seen > 0.6 * (right - left) * (bottom - top)).all()
    heights, widths, _ = np.array(shapes).T
    assert heights.min() == 18
    assert heights.max() > 190
    assert widths.min() == 50
    assert widths.max() == 400
    assert len(np.unique(heights)) > 150


def test_every_variant_is_drawn_and_an_empty_one_most_often() -> None:
    mixture = checked(WILD)
    looks = Mixing(mixture, 3 * len(mixture.font_sizes), 1)
    drawn, calm = np.random.default_rng(1).random((2, 4_000, len(mixture.shares)))
    for number, (axis, styles) in enumerate(mixture.styles.items()):
        chosen = looks.variants(drawn, calm[:, 0])[:, number]
        counts = np.bincount(chosen, minlength=len(styles))
        assert (counts > 10).all(), axis
        assert counts.argmax() == 0 or axis not in mixture.calmed


@pytest.mark.parametrize("axis", sorted(WILD["variants"]))
def test_each_variant_changes_pictures(axis: str) -> None:
    """Draw the same captchas with one variant of an axis at a time."""
    given = WILD["variants"][axis]
    seen = set()
    for variant in given:
        own = Painter(checked(variants(only=[variant])), SYMBOLS, 4, 4, 1)
        seen.add(b"".join(picture.tobytes() for picture in own.each(np.arange(8))))
    assert len(seen) == len(given)


def test_text_stands_out_from_its_background() -> None:
    """Compare the greys of pictures of large characters with those of their corners."""
    colours = WILD["variants"]["colours"]
    plain = variants(colours=[colour for colour in colours if "gradient" not in colour and "noise" not in colour])
    plain["sizes"] |= {"height": [60, 100]}
    for picture in Painter(checked(plain), "HMNE", 4, 4, 1).each(np.arange(300), grey=True):
        corner = int(picture[0, 0, 0])
        assert np.abs(picture.astype(int) - corner).max() >= 28


def test_hardly_any_text_is_invisible() -> None:
    """Compare captchas with the same ones without their text: opacity 0 moves nothing else."""
    hidden = copy.deepcopy(WILD)
    for variant in hidden["variants"]["edge"]:
        variant["opacity"] = [0.0, 0.0]
    own, without = (Painter(checked(settings), SYMBOLS, 3, 7, 1) for settings in (WILD, hidden))
    numbers = np.arange(1_000)
    shown = []
    for picture, bare in zip(own.each(numbers, grey=True), without.each(numbers, grey=True), strict=True):
        change = np.abs(picture.astype(int) - bare)
        shown.append(np.percentile(change[change > 2], 80) if (change > 2).any() else 0)
    assert np.mean(np.array(shown) < 12) < 0.01
    assert np.mean(np.array(shown) < 40) < 0.15


def test_a_mixture_in_grey_has_the_sizes_of_that_in_colour() -> None:
    own = wild()
    grey, colour = own.each(NUMBERS, grey=True), own.each(NUMBERS)
    assert [picture.shape for picture in grey] == [(*picture.shape[:2], 1) for picture in colour]


def test_an_ingredient_can_be_left_out_of_all_variants() -> None:
    mixture = style("style=wild", BUNDLED, "style.without=rotation")
    assert isinstance(mixture, Mixture)
    assert all(one.tilt == [0, 0] and one.slant == [0, 0] for styles in mixture.styles.values() for one in styles)
    assert any(one.tilt != [0, 0] for one in checked(WILD).styles["turn"])


def test_poses_of_a_mixture_depend_only_on_their_index() -> None:
    own = wild()
    poses = own.poses(NUMBERS)
    assert np.array_equal(poses[7:9], own.poses(NUMBERS[7:9]), equal_nan=True)
    assert np.nanstd(poses, axis=(0, 1)).min() > 0.3


MISTAKES: list[tuple[dict[str, list[dict[str, Any]]], str]] = [
    ({"turn": [{"tilt": [8, -8]}]}, r"style.tilt: \[8, -8\] is reversed"),
    ({"turn": [{"tlit": [0, 0]}]}, r"style.variants.turn.0.tlit: is not a setting .* did you mean style.variants.turn.0.tilt"),
    ({"turn": [{"tilt": "steep"}]}, r"style.variants.turn.0.tilt: 'steep' is not accepted"),
    ({"turn": [{}, {"text": {"levels": [0, 300]}}]}, r"style.variants.turn.1.text.levels: \[0, 300\] is not accepted"),
    ({"turn": [{"text": {"level": [0, 30]}}]}, r"style.variants.turn.0.text.level: is not a setting"),
    ({"turn": [{"share": -1}]}, r"style.variants.turn.0.share: -1 is not accepted"),
    ({"turn": [{"share": 0}]}, r"style.variants.turn: no share is above 0"),
    ({"turn": []}, r"style.variants.turn: is empty"),
    ({"turn": [{"width": 90}]}, r"style.variants.turn.0.width: is the same for all captchas"),
    ({"turn": [{"tilt": [0, 1]}], "lean": [{"tilt": [0, 2]}]}, r"style.variants.lean: has tilt as turn has"),
    ({"turn": [{"noise": [{"_target_": "capbench.render.style.Colour"}]}]}, r"style.variants.turn.0.noise.0._target_: .* is not a Noise"),
    ({"turn": [{"ink": {"shape": "hollow"}}]}, r"style.variants.turn.0.ink: .* is not accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "message"), MISTAKES)
def test_a_mistake_in_a_mixture_is_one_line(axes: dict[str, list[dict[str, Any]]], message: str) -> None:
    with pytest.raises(Mistake, match=message) as mistake:
        _ = checked(variants(**axes)).shares
    assert "\n" not in str(mistake.value)


def test_texts_too_long_for_the_widest_picture_are_refused() -> None:
    with pytest.raises(Mistake, match=r"style.sizes.width: \[50, 400\] has no room for 90 characters"):
        wild(longest=90)


def test_pictures_of_several_sizes_make_no_array() -> None:
    with pytest.raises(Mistake, match="style: its pictures differ in size"):
        wild().pictures(NUMBERS)


def test_missing_fonts_are_told_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Cli
) -> None:
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path))
    code, _, err = cli("render", "style=wild", "count=1", "out=out")
    assert code == 2
    assert "fonts of `installed` are missing" in err
    assert "python -m capbench.render.install_fonts" in err


def test_pictures_of_a_mixture_are_rendered_in_their_sizes(tmp_path: Path, cli: Cli) -> None:
    code, _, _ = cli("render", "style=wild", BUNDLED, "count=5", "length=[1,9]", "out=out")
    assert code == 0
    own = Painter(checked(WILD), "0123456789", 1, 9, 1)
    for number, picture in enumerate(own.each(np.arange(5))):
        file = tmp_path / "out" / "images" / f"{number:06d}.png"
        assert (np.asarray(Image.open(file)) == picture).all()
    code, _, err = cli("render", "style=wild", BUNDLED, "count=5", "out=other", "format=npy")
    assert code == 2
    assert "format: npy takes pictures of one size" in err
