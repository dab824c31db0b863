"""Mixture of styles: each captcha has a style of its own, drawn from a distribution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Len

from capbench.errors import Mistake, printable
from capbench.render.faces import has_single_lines
from capbench.render.style import (
    MOST_LAYERS,
    Colour,
    Distortion,
    Gradient,
    Ink,
    Noise,
    Palette,
    Side,
    Style,
    Sway,
    Texture,
    check_order,
)
from capbench.settings import check

MOST_VARIANTS = 1024  # of all axes together
SHARE = "share"
SHARED = {
    *("width", "height", "own", "without"),
    *("fonts", "font_sizes", "widths", "pens", "forms", "outline", "stretch", "fade"),
}
"""Settings that no variant may have: glyphs are drawn once for all captchas"""

Plain = bool | int | float | str | None
Part = Colour | Gradient | Sway | Distortion | Ink | Texture | Palette
Variant = dict[str, list[Noise] | list[float] | dict[str, list[float] | str | None] | Part | Plain]
Sides = Annotated[list[Side], Len(2, 2)]
Lengths = Annotated[list[Annotated[float, Gt(0), Le(4)]], Len(2, 2)]
Portion = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the pictures of a mixture, and of the text in them.

    `height` and `width` are in pixels, and as many pictures are from 20 to 40 pixels high as from 40 to 80. `text` is
    the size of the font as a share of the height. `advance` is the room of each character in the width, as a share of
    the size of the font.
    """

    height: Sides
    width: Sides
    text: Lengths
    advance: Lengths

    def __post_init__(self) -> None:
        check_order(self, "style.sizes")


@dataclass(frozen=True, kw_only=True)
class Mixture(Style):
    """Distribution of styles: differences from a style, of which each captcha takes one along each axis.

    `variants` names the axes. Each is a list of settings that differ from those of the mixture itself, with a `share`,
    1 where it is not given; the noise of all axes is drawn. Where the first variant of an axis is empty, calm captchas
    take it more often. How calm a captcha is, is drawn, too.

    Pixels and counts are those of a text of 40 pixels in a picture of `width` × `height`; in other sizes they are as
    large and as many beside the characters. `font_sizes` are those in which fonts are drawn before they are brought to size.
    `mixed_fonts` and `mixed_sizes` are the shares of captchas whose characters differ in font or in size.
    """

    sizes: Sizes
    mixed_fonts: Portion
    mixed_sizes: Portion
    variants: dict[str, list[Variant]]

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(has_single_lines(font) for font in self.font_files) or len(self.widths) > 1 or self.forms:
            raise Mistake(
                "style.fonts: a mixture draws TrueType fonts in one width and form; set style.widths=[1.0], "
                "style.forms=[] and other style.fonts"
            )
        if sum(map(len, self.variants.values())) > MOST_VARIANTS:
            raise Mistake(f"style.variants: are more than {MOST_VARIANTS:,}; give fewer")
        owners: dict[str, str] = {}
        for axis, variants in self.variants.items():
            if not variants:
                raise Mistake(f"style.variants.{axis}: is empty; give one or more variants, or remove it")
            for key in _keys(variants) - {"noise"}:
                if key in owners:
                    raise Mistake(f"style.variants.{axis}: has {key} as {owners[key]} has; keep it in one of them")
                owners[key] = axis
        _ = self.shares  # a share that is none is refused here
        layers = sum(max(len(style.noise) for style in styles) for styles in self.styles.values())
        if layers > MOST_LAYERS:
            raise Mistake(f"style.variants: have {layers:,} layers of noise together; give at most {MOST_LAYERS}")

    @cached_property
    def plain(self) -> Style:
        """The style that the variants differ from, without noise, and without the fonts, which are the mixture's."""
        own = {field.name: getattr(self, field.name) for field in fields(Style)}
        return Style(**own | {"noise": [], "fonts": None})

    @cached_property
    def styles(self) -> dict[str, list[Style]]:
        """Styles with one variant, by axis; noise of the mixture itself is an axis of one variant."""
        own = {"": [replace(self.plain, noise=self.noise)]}
        return own | {
            axis: [self._style(f"style.variants.{axis}.{number}", one) for number, one in enumerate(variants)]
            for axis, variants in self.variants.items()
        }

    @cached_property
    def shares(self) -> dict[str, list[float]]:
        """Shares of the variants, by axis; those of an axis sum up to 1."""
        shares = {"": [1.0]}
        for axis, variants in self.variants.items():
            given = [_share(f"style.variants.{axis}.{number}", one) for number, one in enumerate(variants)]
            if sum(given) == 0:
                raise Mistake(f"style.variants.{axis}: no share is above 0; give one that is")
            shares[axis] = [share / sum(given) for share in given]
        return shares

    @cached_property
    def calmed(self) -> set[str]:
        """Axes whose first variant is empty."""
        return {axis for axis, variants in self.variants.items() if not _keys(variants[:1])}

    def _style(self, at: str, variant: Variant) -> Style:
        """Return the plain style with the settings of one variant, whose key is `at`."""
        given: dict[str, Any] = {key: value for key, value in variant.items() if key != SHARE}
        if outside := given.keys() & SHARED:
            raise Mistake(f"{at}.{min(outside)}: is the same for all captchas of a mixture; set style.{min(outside)}")
        for key, value in given.items():
            before = getattr(self.plain, key, None)
            if isinstance(value, dict) and is_dataclass(before) and not isinstance(before, type):
                check({**_settings(before), **value}, type(before), f"{at}.{key}")
                given[key] = replace(before, **value)
        check({**_settings(self.plain), **given}, Style, at)
        return replace(self.plain, **given)


def _settings(of: Any) -> dict[str, Any]:
    """Return the settings of an object, by name."""
    return {field.name: getattr(of, field.name) for field in fields(of)}


def _keys(variants: Iterable[Variant]) -> set[str]:
    """Return the settings that variants name."""
    return {key for variant in variants for key in variant} - {SHARE}


def _share(at: str, variant: Variant) -> float:
    """Return the share of a variant, whose key is `at`."""
    share = variant.get(SHARE, 1)
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share < float("inf"):
        raise Mistake(f"{at}.share: {printable(repr(share))} is not accepted; give a number from 0 up, such as 2")
    return float(share)
