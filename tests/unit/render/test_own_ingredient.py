"""Ingredients of a style that are a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from capbench import Ingredient, trust
from capbench.errors import Mistake
from capbench.render.painter import Painter
from capbench.render.style import Style
from capbench.settings import build
from tests.helpers import own_parts
from tests.helpers.own_parts import SCRATCHES
from tests.helpers.protocols import Cli
from tests.helpers.settings import style

INDICES = np.arange(70)


@pytest.fixture(autouse=True)
def trusted() -> Iterator[None]:
    with own_parts.importable(), trust.trusting(["own_parts"]):
        yield


def painter(look: Style, *own: Ingredient) -> Painter:
    return Painter(replace(look, own=[*own]), "0123456789", 4, 4, 1)


@pytest.mark.parametrize("grey", [True, False])
def test_a_sample_is_the_same_alone_in_a_batch_and_by_several_threads(grey: bool) -> None:
    scratched = painter(style("style=clean"), build(SCRATCHES))
    batch = scratched.pictures(INDICES, grey=grey, threads=1)
    assert np.array_equal(batch, scratched.pictures(INDICES, grey=grey, threads=2))
    assert np.array_equal(batch[7:8], scratched.pictures(INDICES[7:8], grey=grey))
    assert len({picture.tobytes() for picture in batch}) == len(batch)


def test_it_changes_the_picture_that_is_drawn_without_it() -> None:
    plain, scratched = painter(style("style=clean")), painter(style("style=clean"), build(SCRATCHES))
    changed = (plain.pictures(INDICES) != scratched.pictures(INDICES)).any(axis=(1, 3))
    assert ((changed.sum(axis=1) >= 1) & (changed.sum(axis=1) <= 3)).all()
    assert (scratched.pictures(INDICES).transpose(0, 2, 1, 3)[changed] == 0).all()
    assert len(np.unique(changed, axis=0)) > len(INDICES) // 2  # each sample draws numbers of its own
    assert plain.texts(INDICES) == scratched.texts(INDICES)


def test_two_equal_ingredients_draw_different_numbers() -> None:
    once, twice = (painter(style("style=clean"), *[build(SCRATCHES)] * count) for count in (1, 2))
    assert (twice.pictures(INDICES) == 0).sum() > (once.pictures(INDICES) == 0).sum()


def test_another_shape_or_type_is_refused() -> None:
    class Smaller(Ingredient):
        def __call__(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
            return picture[1:]

    class Real(Ingredient):
        def __call__(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
            return picture / 2

    for ingredient in (Smaller(), Real()):
        with pytest.raises(Mistake, match=rf"^style\.own: {type(ingredient).__name__} makes .*; keep the shape and"):
            painter(style("style=clean"), ingredient).pictures(INDICES)


def test_the_captcha_package_itself_draws_none(cli: Cli) -> None:
    own = "style.own=[{_target_: own_parts.Scratches, count: 3}]"
    code, _, err = cli("data.renderer=captcha", own, "trust=own_parts")
    assert code == 2 and "data.renderer: captcha draws only as that package does" in err, err


def test_the_command_line_draws_it_and_refuses_a_typo(cli: Cli) -> None:
    for name, told in (("count", None), ("cuont", "style.own.0.cuont: is not a setting")):
        own = f"style.own=[{{_target_: own_parts.Scratches, {name}: 3}}]"
        code, _, err = cli("render", "count=3", "out=drawn", "style=clean", own, "trust=own_parts")
        assert (code == 0) if told is None else (code == 2 and told in err), err
