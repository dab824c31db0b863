"""Styles at the limits of their settings: what one picture leaves in the kernel's buffers never shows in another."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.painter import painter

SOFT = ("style.fade=false", "style.stretch=false")
LARGE_SWAY = "style.sway={_target_: capbench.render.style.Sway, reach: [0, 32], period: [8, 210]}"
ROSE = "{_target_: capbench.render.style.Colour, levels: [150, 255], saturation: [0.1, 0.9], hue: text}"
GRADIENT = f"style.gradient={{_target_: capbench.render.style.Gradient, to: {ROSE}, angle: [-90, 270]}}"


def layer(kind: str, size: str, more: str = "") -> str:
    """Return a layer of noise with a few items of a kind."""
    return (
        f"{{_target_: capbench.render.style.{kind}, count: [2, 5], size: {size}, colour: {ROSE}, behind: false{more}}}"
    )


NOISE = "style.noise=[" + ",".join([
    layer("Specks", "[1, 3]"), layer("Dots", "[1, 64]"), layer("Arc", "[1, 9]"),
    layer("Line", "[1, 64]", ", length: [0, 1], tilt: [-180, 180]"),
    layer("Wave", "[1, 9]", ", length: [0, 1], amplitude: [0, 1], period: [0.02, 3]"),
]) + "]"  # fmt: skip

ODD = {
    "turned and torn": (*SOFT, "style.warp=[1,1]", "style.slant=[-1,1]", "style.tilt=[-180,180]"),
    "faded and torn": ("style.warp=[1,1]", "style.tilt=[-180,180]", "style.lift=[-60,60]", "style.play=[-60,60]"),
    "stretched": ("style.fade=false", "style.warp=[1,1]", "style.tilt=[-90,90]", "style.slant=[-1,1]"),
    "beside the picture": (*SOFT, "style.lift=[-360,360]", "style.play=[-360,360]", "style.align=spread"),
    "rough": (*SOFT, "style.scatter=[0,8]", "style.hatch=3", LARGE_SWAY, GRADIENT, "style.grain=255"),
    "hard": (*SOFT, "style.hard=true", "style.outline=0.5", "style.scatter=[0,8]", LARGE_SWAY, NOISE),
    "noisy": (NOISE, GRADIENT, "style.width=150"),
    "small": (NOISE, "style.width=70", "style.height=20", "style.font_sizes=[12,16]"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_style_draws_a_picture_alone_as_among_others(name: str) -> None:
    own, numbers = painter(*ODD[name], shortest=1, longest=3), np.arange(40)
    for grey in (True, False):
        together = own.pictures(numbers, grey=grey, threads=1)
        alone = [own.pictures(numbers[number : number + 1], grey=grey)[0] for number in reversed(range(40))]
        assert (together == np.stack(alone)[::-1]).all()
        assert len({picture.tobytes() for picture in together}) == 40
