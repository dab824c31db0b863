"""Painter: determinism, looks, settings and poses of rendered captchas."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from capbench.errors import Mistake
from capbench.render.reference import CaptchaPackage
from capbench.settings import conf_dir
from tests.helpers.painter import BARE, DIGITS, painter
from tests.helpers.protocols import Cli
from tests.helpers.settings import style

STYLES = sorted(path.stem for path in (conf_dir() / "style").glob("*.yaml") if path.stem != "wild")
SPECKS = "{_target_:capbench.render.style.Specks,count:[1,1],size:[1,1],colour:null,behind:false}"


def fingerprint(name: str, numbers: list[int], threads: int = 1) -> str:
    pictures = painter(f"style={name}").pictures(np.array(numbers), threads=threads)
    return hashlib.sha256(pictures.tobytes()).hexdigest()


def test_texts_of_the_painter_stay_the_same() -> None:
    """Compare with texts of the first version: a change would silently change every data set."""
    assert painter().texts(np.array([0, 1, 2**40])) == ["0957", "2739", "8447"]


@pytest.mark.parametrize("name", STYLES)
def test_a_painter_sample_depends_only_on_its_index(name: str) -> None:
    numbers = list(range(100, 196))
    own = painter(f"style={name}")
    together = own.pictures(np.array(numbers), threads=1)
    alone = np.stack([own.sample(number)[0] for number in reversed(numbers)])[::-1]
    assert (together == alone).all()
    assert (together == own.pictures(np.array(numbers), threads=2)).all()
    assert len({picture.tobytes() for picture in together}) == len(numbers)
    assert own.texts(np.array(numbers[:2])) == [own.sample(number)[1] for number in numbers[:2]]


def test_the_painter_draws_the_same_bytes_in_other_processes() -> None:
    numbers = list(range(64))
    code = f"from tests.unit.render.test_painter import fingerprint; print(fingerprint('default', {numbers}, 2))"
    root = __file__.rpartition("/tests/")[0]
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    assert {other.communicate()[0].strip() for other in others} == {fingerprint("default", numbers)}


def test_painter_texts_differ_between_seeds() -> None:
    assert painter(seed=1).texts(np.arange(9)) != painter(seed=2).texts(np.arange(9))


def test_of_100_000_captchas_none_leaves_its_picture_and_symbols_are_uniform() -> None:
    own = painter()
    symbols = np.zeros(10)
    for start in range(0, 100_000, 10_000):
        numbers = np.arange(start, start + 10_000)
        _, boxes = own.drawn(numbers, grey=True)
        left, top, right, bottom = boxes.reshape(-1, 4).T
        widest = (right - left).max()
        assert left.min() >= 0
        assert right.max() <= own.style.width + own.style.margin * widest
        # As in the captcha package, the largest characters are taller than the picture and are cut at both edges.
        tallest = (bottom - top).max()
        assert top.min() >= min(0, (own.style.height - tallest) / 2 - 1)
        assert bottom.max() <= max(own.style.height, (own.style.height + tallest) / 2 + 1)
        symbols += np.bincount(own.classes(numbers)[0].ravel(), minlength=10)
    assert ((symbols - 40_000) ** 2 / 40_000).sum() < 40  # chi square with 9 degrees of freedom, far out in the tail


def test_ink_lies_within_the_character_boxes() -> None:
    own = painter(*BARE, "style.text.levels=[120,120]", "style.background.levels=[255,255]", "style.align=centre")
    pictures, boxes = own.drawn(np.arange(300), grey=True)
    for picture, characters in zip(pictures[..., 0], boxes, strict=True):
        outside = picture.copy()
        for left, top, right, bottom in characters.tolist():
            outside[max(0, int(top) - 1) : int(bottom) + 2, max(0, int(left) - 1) : int(right) + 2] = 255
            inside = picture[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1]
            assert (inside < 200).mean() > 0.05  # the box is not empty
        assert (outside == 255).all()


def test_text_lengths_are_uniform() -> None:
    texts = painter(shortest=3, longest=5).texts(np.arange(6000))
    counts = np.unique([len(text) for text in texts], return_counts=True)[1]
    assert len(counts) == 3
    assert ((counts - 2000) ** 2 / 2000).sum() < 20
    _, boxes = painter(shortest=3, longest=5).drawn(np.arange(50))
    assert [int((~np.isnan(box[:, 0])).sum()) for box in boxes] == [len(text) for text in texts[:50]]


@pytest.mark.parametrize("name", [name for name in STYLES if name not in ("strokes", "lines")])
def test_drawing_in_grey_equals_colours_turned_grey(name: str) -> None:
    """Compare every style without JPEG, whose artefacts differ between colour and grey."""
    own = painter(f"style={name}")
    numbers = np.arange(60)
    grey = own.pictures(numbers, grey=True)[..., 0].astype(int)
    colour = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in own.pictures(numbers)])
    assert np.abs(grey - colour).max() <= 3


def test_noise_does_not_move_characters() -> None:
    _, boxes = painter().drawn(np.arange(20))
    _, bare = painter(*BARE).drawn(np.arange(20))
    assert (boxes == bare).all()


def test_style_default_looks_like_the_captcha_package() -> None:
    """Compare brightness, contrast, amount and place of ink, and edges of 1,500 pictures each."""
    numbers = np.arange(1500)
    ours = painter(seed=3).pictures(numbers, grey=True)[..., 0].astype(float)
    theirs = CaptchaPackage(style(), DIGITS, 4, 4, 4).pictures(numbers)
    package = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in theirs]).astype(float)

    def measures(pictures: np.ndarray) -> np.ndarray:
        dark = pictures < pictures.max(axis=(1, 2), keepdims=True) - 30
        column = (dark.mean(axis=1) * np.arange(160)).sum(1) / dark.mean(axis=1).sum(1)
        edges = np.abs(np.diff(pictures, axis=2)).mean()
        return np.array([pictures.mean(), pictures.std(axis=(1, 2)).mean(), dark.mean() * 100, column.mean(), edges])

    difference = np.abs(measures(ours) / measures(package) - 1)
    assert (difference < [0.01, 0.05, 0.06, 0.03, 0.06]).all(), difference


def test_every_style_setting_changes_the_picture() -> None:
    plain = painter().pictures(np.arange(8))
    colour = "{_target_: capbench.render.style.Colour, levels: [0, 60], saturation: [0.5, 1.0], hue: own}"
    rose = "{_target_: capbench.render.style.Colour, levels: [200, 255], saturation: [0.1, 0.2], hue: text}"
    line = f"{{_target_: capbench.render.style.Line, count: [2, 4], size: [1, 3], colour: {colour}, behind: true, length: [0.3, 0.9], tilt: [-20, 20]}}"
    wave = "{_target_: capbench.render.style.Wave, count: [1, 2], size: [2, 3], colour: null, behind: false, length: [0.8, 1.0], amplitude: [0.1, 0.3], period: [0.4, 0.9]}"
    dots = "{_target_: capbench.render.style.Dots, count: [9, 9], size: [1, 5], colour: null, behind: false}"
    changes = [
        "style.font_sizes=[30]", "style.widths=[0.7]", "style.forms=['00O']", "style.fonts=[DejaVuSerif-Bold.ttf]", "style.outline=1.0", "style.stretch=false",
        "style.tilt=[40,50]", "style.warp=[0.0,0.0]", "style.align=centre", "style.align=spread", "style.margin=0.5",
        "style.overlap=[0.5,0.6]", "style.spaces=0.0", "style.play=[3,9]", "style.lift=[4,9]",
        "style.text.levels=[0,9]", "style.text.saturation=[1,1]", "style.own_colours=true", "style.fade=false",
        "style.scatter=[2,2]", "style.scatter=[0,2]", "style.hatch=2", f"style.background={rose}", "style.grain=20",
        f"style.gradient={{_target_: capbench.render.style.Gradient, to: {rose}, angle: [0, 90]}}",
        "style.noise=[]", f"style.noise=[{line}]", f"style.noise=[{wave}]", f"style.noise=[{dots}]",
        "style.smooth=false", "style.blur=[0.5,1]", "style.jpeg=[20,30]", "style.contrast=[120,255]", "style.contrast=[0,20]",
        "style.zoom=[1,1.05]", "style.zoom=[0.5,0.7]",
        "style.texture={_target_: capbench.render.style.Texture, kind: mesh, period: [3, 9], depth: [9, 20]}",
        "style.distortion={_target_: capbench.render.style.Distortion, bend: [-0.2, 0.2]}",
        "style.distortion={_target_: capbench.render.style.Distortion, taper: [0.1, 0.2]}",
        "style.distortion={_target_: capbench.render.style.Distortion, swirl: [9, 20]}",
        "style.palette={_target_: capbench.render.style.Palette, levels: [3, 5], dither: none}",
        "style.palette={_target_: capbench.render.style.Palette, levels: [3, 5], dither: ordered}",
        "style.palette={_target_: capbench.render.style.Palette, levels: [3, 5], dither: diffused}",
        "style.noise=[{_target_: capbench.render.style.Grid, count: [1, 1], size: [1, 1], colour: null, behind: true, step: [5, 9]}]",
        "style.noise=[{_target_: capbench.render.style.Frame, count: [1, 1], size: [1, 3], colour: null, behind: true}]",
        "style.noise=[{_target_: capbench.render.style.Rings, count: [1, 5], size: [1, 3], colour: null, behind: true, radius: [5, 9]}]",
    ]  # fmt: skip
    seen = {plain.tobytes()}
    for change in changes:
        drawn = painter(change).pictures(np.arange(8))
        assert drawn.tobytes() not in seen, change
        seen.add(drawn.tobytes())
    soft = ("style.fade=false", *BARE)
    penned = ("style.fonts=[angular.svg]", "style.stretch=false", "style.pens=[2]", *BARE)
    zoomed = ("style.zoom=[0.5,0.5]", *BARE)
    inks = (
        "shape: hollow",
        f"shape: rimmed, second: {colour}",
        f"shadow: [2, 4], second: {colour}",
        "pattern: stripes",
        "pattern: checks",
        "pattern: dots",
        "pattern: halves",
        "blur: 2",
    )
    for ink in inks:
        drawn, changed = (
            painter(*soft, f"style.ink={{_target_: capbench.render.style.Ink, {more}}}").pictures(np.arange(8))
            for more in ("shape: filled", ink)
        )
        assert (drawn != changed).any(), ink
    for look, change in [
        (soft, "style.hard=true"),
        (zoomed, "style.blocky=true"),
        (soft, "style.opacity=[0.3,0.5]"),
        (penned, "style.pens=[3]"),
    ]:
        drawn, changed = (painter(*look, *more).pictures(np.arange(8)) for more in ([], [change]))
        assert (drawn != changed).any(), change


@pytest.mark.parametrize(("width", "height", "size"), [(60, 20, 16), (400, 150, 120)])
def test_pictures_have_the_width_and_height_of_the_style(width: int, height: int, size: int) -> None:
    own = painter(f"style.width={width}", f"style.height={height}", f"style.font_sizes=[{size}]")
    assert own.pictures(np.arange(3)).shape == (3, height, width, 3)


@pytest.mark.parametrize("stretch", ["true", "false"])
def test_style_widths_scale_the_width_of_characters(stretch: str) -> None:
    """Measure one upright character in a picture with enough room."""
    still = ("style.font_sizes=[42]", "style.tilt=[0,0]", "style.warp=[0,0]", f"style.stretch={stretch}", *BARE)

    def ink(wide: float) -> tuple[float, float]:
        alone = painter(*still, f"style.widths=[{wide}]", symbols="8", shortest=1, longest=1)
        dark = alone.sample(0)[0].min(axis=2) < 230
        return float(dark.any(axis=0).sum()), float(dark.any(axis=1).sum())

    (width, height), (wider, as_high) = ink(1.0), ink(2.0)
    assert wider == pytest.approx(2 * width, abs=3)
    assert as_high == height


def test_each_character_is_scattered_by_an_amount_of_its_own() -> None:
    """Count the changes between dark and light along columns, which grow with the scatter of an upright stem."""
    still = ("style.fonts=[DejaVuSans.ttf]", "style.font_sizes=[42]", "style.stretch=false", "style.align=spread",
             "style.tilt=[0,0]", "style.warp=[0,0]", "style.spaces=0", "style.without=contrast", *BARE)  # fmt: skip

    def differences(scatter: str) -> np.ndarray:
        two = painter(*still, f"style.scatter={scatter}", symbols="l", shortest=2, longest=2)
        dark = two.pictures(np.arange(40)).min(axis=3) < 128
        turns = np.diff(dark, axis=1)
        left, right = (half.sum(axis=(1, 2)) for half in np.split(turns, 2, axis=2))
        return np.abs(left - right) / np.maximum(left, right)

    assert differences("[2,2]").max() < 0.4
    assert differences("[0,2]").max() > 0.6


def test_hatching_leaves_dots_and_lines_whole() -> None:
    dots = "{_target_: capbench.render.style.Dots, count: [9, 9], size: [5, 5], colour: null, behind: false}"
    line = "{_target_: capbench.render.style.Line, count: [2, 2], size: [3, 3], colour: null, behind: false, length: [0.5, 0.9], tilt: [0, 9]}"
    bare = ("style.fade=false", "style.smooth=false", "style.opacity=[0,0]")

    def drawn(layer: str, hatch: int) -> np.ndarray:
        return painter(*bare, f"style.noise=[{layer}]", f"style.hatch={hatch}").pictures(np.arange(4))

    assert (drawn(dots, 2) == drawn(dots, 0)).all()
    assert (drawn(dots, 0).std(axis=(1, 2, 3)) > 1).all()
    assert (drawn(line, 2) == drawn(line, 0)).all()
    assert (drawn(line, 0).std(axis=(1, 2, 3)) > 1).all()


def test_a_wave_lies_at_its_middle() -> None:
    wave = (
        "{_target_: capbench.render.style.Wave, count: [1, 1], size: [2, 2], colour: null, behind: false, "
        "length: [1, 1], amplitude: [0, 0], period: [1, 1], middle: [0.7, 0.8]}"
    )
    bare = ("style.fade=false", "style.smooth=false", "style.opacity=[0,0]")
    pictures = painter(*bare, f"style.noise=[{wave}]").pictures(np.arange(20), grey=True)[..., 0]
    rows = [np.nonzero((picture < 220).any(axis=1))[0].mean() / picture.shape[0] for picture in pictures]
    assert 0.68 < min(rows) < max(rows) < 0.82
    assert max(rows) - min(rows) > 0.05


def test_a_symbol_is_drawn_in_each_of_its_forms() -> None:
    one_face = ("style.fonts=[DejaVuSans.ttf]", "style.font_sizes=[42]")

    def drawn(symbols: str, *more: str) -> np.ndarray:
        return painter(*one_face, *more, symbols=symbols, shortest=1, longest=1).pictures(np.arange(20))

    both, three, ezh = drawn("3", "style.forms=['33Ʒ']"), drawn("3"), drawn("Ʒ")
    as_three, as_ezh = ((both == alone).all(axis=(1, 2, 3)) for alone in (three, ezh))
    assert (as_three != as_ezh).all()
    assert 3 < as_ezh.sum() < 17
    assert (drawn("3", "style.forms=['3Ʒ']") == ezh).all()


def test_a_font_without_a_form_draws_the_symbol() -> None:
    look = ("style.fonts=[cmss10.ttf]", "style.font_sizes=[42]")
    plain, formed, only = (
        painter(*look, *more, symbols="34").pictures(np.arange(8))
        for more in ((), ("style.forms=['33Ʒ']",), ("style.forms=['3Ʒ']",))
    )
    assert (plain == formed).all()
    assert (plain == only).all()


def test_a_font_draws_only_forms_that_it_has() -> None:
    look = ("style.fonts=[cmss10.ttf]", "style.font_sizes=[42]", "style.forms=['3EƷ']")
    ees = painter(*look[:2], symbols="E", shortest=1, longest=1).pictures(np.arange(8))
    assert (painter(*look, symbols="3", shortest=1, longest=1).pictures(np.arange(8)) == ees).all()


def test_play_moves_a_centred_text_only_within_the_picture() -> None:
    own = painter("style.align=centre", "style.overlap=[0,0]", "style.spaces=0", "style.play=[-300,300]")
    _, boxes = own.drawn(np.arange(200))
    assert boxes[..., 0].min() == pytest.approx(0, abs=1)
    assert boxes[..., 2].max() == pytest.approx(160, abs=1)


def test_symbols_outside_ascii_are_drawn() -> None:
    own = painter("style.fonts=[DejaVuSans.ttf]", symbols="αβγжשß€")
    pictures, _ = own.drawn(np.arange(40), grey=True)
    assert len(set("".join(own.texts(np.arange(40))))) == 7
    assert (pictures.std(axis=(1, 2, 3)) > 3).all()


MISTAKES: list[tuple[list[str], str]] = [
    (["style.tilt=[30,-30]"], r"style.tilt: \[30, -30\] is reversed; write \[lowest, highest\]"),
    (["style.tilt=[-30]"], r"style.tilt: \[-30\] is not accepted"),
    (["+style.tlit=[0,0]"], r"style.tlit: is not a setting .* did you mean style.tilt"),
    (["style.noise.0.count=[3,1]"], r"style.noise \(Specks\).count: \[3, 1\] is reversed"),
    (["style.text.levels=[20,300]"], r"style.text.levels: \[20, 300\] is not accepted; .* less than or equal to 255"),
    (["style.text.levels=[20,3]"], r"style.text.levels: \[20, 3\] is reversed"),
    (["style.background.hue=text"], r"style.background.hue: text needs a saturation"),
    (["style.text.hue=text", "style.text.saturation=[0,1]"], r"style.text.hue: text would be its own"),
    (["style.font_sizes=[" + ",".join(["40"] * 3000) + "]"], r"style: .* make 3,000 faces together; give fewer"),
    (["style.font_sizes=[" + ",".join(["200"] * 300) + "]"], r"style.font_sizes: 10 symbols in 300 faces .* take more than"),
    (["style.noise=[" + ",".join([SPECKS] * 33) + "]"], r"style.noise: has 33 layers; give at most 32"),
    (["style.font_sizes=[]"], r"style.font_sizes: is empty"),
    (["style.widths=[]"], r"style.widths: is empty"),
    (["style.forms=['3']"], r"style.forms: \['3'\] is not accepted; string should have at least 2"),
    (["style.fonts=[]"], r"style.fonts: is empty"),
    (["style.fonts=[DejaVuSanss.ttf]"], r"style.fonts: DejaVuSanss.ttf is neither a file nor a bundled font; did you mean DejaVuSans.ttf"),
    ([f"style.fonts=['{__file__}']"], r"style.fonts: .*test_painter.py cannot be read as a font"),
    (["style.font_sizes=[120]"], r"style.font_sizes: \[120\] give characters \d+ pixels high in a picture of 60"),
    (["style.width=24"], r"style.width: 24 has no room for 4 characters up to \d+ pixels wide"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "message"), MISTAKES)
def test_a_mistake_in_a_style_is_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(Mistake, match=message) as mistake:
        painter(*overrides)
    assert "\n" not in str(mistake.value)


def test_a_symbol_without_a_glyph_is_refused() -> None:
    with pytest.raises(Mistake, match=r"DroidSansMono.ttf has no glyph for '漢'"):
        painter(symbols="01漢")


def test_a_mistake_in_a_style_leaves_no_files(tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("+experiment=quickstart", "style.width=24")
    assert (code, err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_pictures_survive_saving_as_png(tmp_path: Path) -> None:
    picture, _ = painter().sample(5)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert (np.asarray(Image.open(tmp_path / "a.png")) == picture).all()


def test_poses_depend_only_on_their_index_and_are_standardised() -> None:
    own, numbers = painter(shortest=2, longest=4), np.arange(500, 4500)
    poses, lengths = own.poses(numbers), own.classes(numbers)[1]
    assert np.array_equal(poses[7:9], own.poses(numbers[7:9]), equal_nan=True)
    behind = np.arange(4) >= lengths[:, None]
    assert (np.isnan(poses) == behind[..., None]).all()
    drawn = poses[~behind]
    assert np.abs(drawn.mean(axis=0)).max() < 0.1
    assert np.abs(drawn.std(axis=0) - 1).max() < 0.1


def test_poses_hold_the_drawn_size() -> None:
    own, numbers = painter(shortest=2, longest=2), np.arange(300)  # so few characters that none is squeezed
    left, top, right, bottom = np.moveaxis(own.drawn(numbers)[1], -1, 0)
    for told, drawn in zip(np.moveaxis(own.poses(numbers), -1, 0), (right - left, bottom - top), strict=False):
        assert np.corrcoef(told.ravel(), drawn.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("stretch", ["true", "false"])
def test_poses_hold_the_drawn_rotation_and_warp(stretch: str) -> None:
    """Compare poses with the direction of the long axis of a straight character's ink."""
    plain = (*BARE, f"style.stretch={stretch}", "style.fade=false", "style.font_sizes=[40]")
    numbers = np.arange(200)

    def told_and_seen(unbent: str) -> tuple[np.ndarray, list[float]]:
        own = painter(*plain, unbent, symbols="I", shortest=1, longest=1)
        ink = 255.0 - own.pictures(numbers, grey=True)[..., 0]
        moments = [cv2.moments(np.where(picture > 40, picture, 0)) for picture in ink]
        return own.poses(numbers)[:, 0].T, [np.arctan2(2 * m["mu11"], m["mu02"] - m["mu20"]) for m in moments]

    (*_, turn), leaning = told_and_seen("style.warp=[0,0]")
    assert np.corrcoef(turn, leaning)[0, 1] < -0.9
    (*_, x1, _, x2, _), leaning = told_and_seen("style.tilt=[0,0]")
    assert np.corrcoef(x2 - x1, leaning)[0, 1] < -0.9


def test_slant_shears_a_character_and_keeps_its_height() -> None:
    """Compare the pose of a straight character with the shear of its ink."""
    plain = (*BARE, "style.stretch=false", "style.fade=false", "style.font_sizes=[40]", "style.tilt=[0,0]")
    numbers = np.arange(100)
    upright, leaning = (
        painter(*plain, "style.warp=[0,0]", f"style.slant={slant}", symbols="I", shortest=1, longest=1)
        for slant in ([0, 0], [-0.4, 0.4])
    )
    assert upright.poses(numbers).shape == (100, 1, 0)
    ink = [255.0 - own.pictures(numbers, grey=True)[..., 0] > 40 for own in (upright, leaning)]
    assert (ink[0].any(axis=2) == ink[1].any(axis=2)).all()
    moments = [cv2.moments(picture.astype(np.float32)) for picture in ink[1]]
    told = leaning.poses(numbers)[:, 0, 0]
    seen = [m["mu11"] / m["mu02"] for m in moments]
    assert np.corrcoef(told, seen)[0, 1] > 0.99
    assert 0.3 < max(seen) < 0.5


def test_sway_bends_a_stroke_by_its_reach() -> None:
    """Measure the height of a level stroke, which becomes a wave."""
    level = (*BARE, "style.stretch=false", "style.fade=false", "style.tilt=[0,0]", "style.warp=[0,0]")
    still, swaying = (
        painter(*level, f"style.sway={sway}", symbols="-", shortest=1, longest=1)
        for sway in ("null", "{_target_: capbench.render.style.Sway, reach: [6, 6], period: [20, 20]}")
    )
    ink = [own.pictures(np.arange(20), grey=True)[..., 0] < 200 for own in (still, swaying)]
    heights = [[np.ptp(np.nonzero(picture)[0]) for picture in pictures] for pictures in ink]
    assert max(heights[0]) < 10
    assert 14 <= max(heights[1]) < 10 + 12 + 1


def test_slant_with_fade_is_refused() -> None:
    with pytest.raises(Mistake, match=r"style.slant: nothing leans with style.fade"):
        painter("style.slant=[-0.2,0.2]")
