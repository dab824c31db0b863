"""Settings of a rendered captcha's look, each checked alone and against the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len
from captcha.image import DEFAULT_FONTS

from capbench.errors import Mistake
from capbench.render.faces import check_font, font_file, has_single_lines
from capbench.render.ingredient import Ingredient
from capbench.render.installed import installed_fonts
from capbench.render.single_line import line_font
from capbench.types import Byte, CountOrZero

MOST_FACES = 1024
MOST_LAYERS = 32  # layers of noise
MOST_ITEMS = 2000  # of one layer
LEAST_ZOOM, MOST_ZOOM = 0.4, 8.0

Side = Annotated[int, Ge(8), Le(1024)]
FontSize = Annotated[int, Ge(5), Le(200)]
Wide = Annotated[float, Ge(0.25), Le(4)]
Pen = Annotated[float, Ge(0.5), Le(16)]
Forms = Annotated[str, Len(2)]
Part = Annotated[float, Ge(0), Le(1)]
Number = Annotated[float, Ge(-360), Le(360)]
LeftOut = Literal["rotation", "warp", "overlap", "placement", "lines", "dots", "contrast", "fonts"]

Numbers = Annotated[list[Number], Len(2, 2)]
Shares = Annotated[list[Part], Len(2, 2)]
Slants = Annotated[list[Annotated[float, Ge(-1), Le(1)]], Len(2, 2)]
Levels = Annotated[list[Byte], Len(2, 2)]
Counts = Annotated[list[Annotated[int, Ge(0), Le(MOST_ITEMS)]], Len(2, 2)]
Sizes = Annotated[list[Annotated[float, Ge(1), Le(64)]], Len(2, 2)]
Pixels = Annotated[list[Annotated[float, Ge(0), Le(8)]], Len(2, 2)]
Reach = Annotated[list[Annotated[float, Ge(0), Le(32)]], Len(2, 2)]
Zoom = Annotated[list[Annotated[float, Ge(LEAST_ZOOM), Le(MOST_ZOOM)]], Len(2, 2)]
Quality = Annotated[list[Annotated[int, Ge(1), Le(100)]], Len(2, 2)]


def check_order(settings: object, at: str) -> None:
    """Raise Mistake for a pair [lowest, highest] whose first number is the greater."""
    for setting in fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, setting.name)
        pair = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
        if pair and setting.name not in ("font_sizes", "widths", "pens", "warp") and value[0] > value[1]:
            raise Mistake(f"{at}.{setting.name}: {value} is reversed; write [lowest, highest]")


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Range that a random colour is drawn from.

    Without `saturation`, red, green and blue are each drawn from `levels`, 0 to 255. With it, the brightest of the
    three is drawn from `levels`, and the hue is drawn, or is the text's.
    """

    levels: Levels
    saturation: Shares | None
    hue: Literal["own", "text"]

    def check(self, at: str) -> None:
        """Raise Mistake for settings that contradict each other; `at` is the key of the colour."""
        check_order(self, at)
        if self.hue == "text" and self.saturation is None:
            raise Mistake(f"{at}.hue: text needs a saturation, such as [0.5, 1.0]")


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """Gradient from the background's colour to another one, at an angle in degrees drawn for each picture."""

    to: Colour
    angle: Numbers

    def __post_init__(self) -> None:
        check_order(self, "style.gradient")
        self.to.check("style.gradient.to")


@dataclass(frozen=True, kw_only=True)
class Sway:
    """Wave that shifts columns of pixels up or down and rows to a side, by up to `reach` pixels.

    `period` is in pixels.
    """

    reach: Reach
    period: Annotated[list[Annotated[float, Ge(8), Le(4096)]], Len(2, 2)]

    def __post_init__(self) -> None:
        check_order(self, "style.sway")


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """Distortion of text and background.

    `bend` is the share of the height by which the sides lie lower than the middle, or higher if it is negative. `taper`
    is the share by which the left side is higher than the middle, and the right one lower. `swirl` is the turn of the
    middle in degrees.
    """

    bend: Slants = field(default_factory=lambda: [0.0, 0.0])
    taper: Slants = field(default_factory=lambda: [0.0, 0.0])
    swirl: Numbers = field(default_factory=lambda: [0.0, 0.0])

    def __post_init__(self) -> None:
        check_order(self, "style.distortion")


@dataclass(frozen=True, kw_only=True)
class Texture:
    """Texture of the background that shifts its pixels by up to `depth` grey levels; `period` is in pixels."""

    kind: Literal["stripes", "checks", "mesh", "clouds"]
    period: Annotated[list[Annotated[float, Ge(2), Le(256)]], Len(2, 2)]
    depth: Levels

    def __post_init__(self) -> None:
        check_order(self, "style.texture")


@dataclass(frozen=True, kw_only=True)
class Ink:
    """Ink of characters that are more than filled with one colour.

    `shadow` is its distance in pixels, 0 for none. `second` is the colour of shadow, rim and pattern; without it, the
    background shows where a pattern is. `period` is the pattern's, in pixels. `blur` is the number of times that
    characters are blurred over 3×3 pixels.
    """

    shape: Literal["filled", "hollow", "rimmed"] = "filled"
    shadow: Pixels = field(default_factory=lambda: [0.0, 0.0])
    pattern: Literal["none", "stripes", "checks", "halves", "dots"] = "none"
    period: Sizes = field(default_factory=lambda: [4.0, 4.0])
    second: Colour | None = None
    blur: Annotated[int, Ge(0), Le(4)] = 0

    def __post_init__(self) -> None:
        check_order(self, "style.ink")
        if self.second is not None:
            self.second.check("style.ink.second")
        elif self.shape == "rimmed" or self.shadow[1] > 0:
            raise Mistake("style.ink.second: null is no colour for a rim or a shadow; give one")


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Palette of `levels` levels for each channel, evenly from 0 to 255."""

    levels: Annotated[list[Annotated[int, Ge(2), Le(64)]], Len(2, 2)]
    dither: Literal["none", "ordered", "diffused"]

    def __post_init__(self) -> None:
        check_order(self, "style.palette")


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Layer of noise: `count` items, each in a colour of its own, or in the text's where `colour` is null.

    A layer that is `behind` is drawn before the text.
    """

    count: Counts
    size: Sizes
    colour: Colour | None
    behind: bool

    def __post_init__(self) -> None:
        at = f"style.noise ({type(self).__name__})"
        check_order(self, at)
        if self.colour is not None:
            self.colour.check(f"{at}.colour")


@dataclass(frozen=True, kw_only=True)
class Specks(Noise):
    """Tiny diagonal strokes, `size` pixels wide, at random places."""


@dataclass(frozen=True, kw_only=True)
class Dots(Noise):
    """Round dots of `size` pixels across, at random places."""


@dataclass(frozen=True, kw_only=True)
class Arc(Noise):
    """Lower halves of ellipses, `size` pixels thick, as the captcha package draws its curve."""


@dataclass(frozen=True, kw_only=True)
class Line(Noise):
    """Straight strokes, `size` pixels thick; `length` is a share of the width, `tilt` is in degrees."""

    length: Shares
    tilt: Numbers


@dataclass(frozen=True, kw_only=True)
class Wave(Noise):
    """Sine waves, `size` pixels thick; `length` and `period` are shares of the width.

    `amplitude` and `middle` are shares of the height. Without a `middle`, a wave stands at a random height where all of
    it is visible.
    """

    length: Shares
    amplitude: Shares
    period: Annotated[list[Annotated[float, Ge(0.02), Le(10)]], Len(2, 2)]
    middle: Annotated[list[Annotated[float, Gt(0), Le(1)]], Len(2, 2)] | None = None


@dataclass(frozen=True, kw_only=True)
class Grid(Noise):
    """Level and upright lines over the whole picture, `size` pixels thick and `step` pixels apart."""

    step: Annotated[list[Annotated[float, Ge(2), Le(256)]], Len(2, 2)]


@dataclass(frozen=True, kw_only=True)
class Frame(Noise):
    """Frames at the picture's edge, `size` pixels thick."""


@dataclass(frozen=True, kw_only=True)
class Rings(Noise):
    """Circles, `size` pixels thick, of `radius` pixels, at random places."""

    radius: Annotated[list[Annotated[float, Ge(1), Le(256)]], Len(2, 2)]


@dataclass(frozen=True, kw_only=True)
class Style:
    """Settings of a style; conf/style/default.yaml explains each of them."""

    width: Side
    height: Side

    fonts: list[str] | Literal["installed"] | None
    font_sizes: list[FontSize]
    outline: Part
    stretch: bool
    tilt: Numbers
    warp: Shares

    align: Literal["left", "centre", "spread"]
    margin: Part
    overlap: Numbers
    spaces: Part
    play: Numbers
    lift: Numbers

    text: Colour
    own_colours: bool
    opacity: Shares
    fade: bool
    hard: bool
    scatter: Pixels
    hatch: CountOrZero

    background: Colour
    gradient: Gradient | None
    grain: Byte
    noise: list[Noise]

    smooth: bool
    blur: Pixels
    jpeg: Quality | None

    without: LeftOut | None = None
    widths: list[Wide] = field(default_factory=lambda: [1.0])
    pens: list[Pen] = field(default_factory=list)
    forms: list[Forms] = field(default_factory=list)
    slant: Slants = field(default_factory=lambda: [0.0, 0.0])
    sway: Sway | None = None
    own: list[Ingredient] = field(default_factory=list)
    distortion: Distortion | None = None
    contrast: Levels = field(default_factory=lambda: [0, 255])
    ink: Ink | None = None
    texture: Texture | None = None
    zoom: Zoom = field(default_factory=lambda: [1.0, 1.0])
    blocky: bool = False
    palette: Palette | None = None

    def __post_init__(self) -> None:
        check_order(self, "style")
        self.text.check("style.text")
        self.background.check("style.background")
        if not self.font_sizes:
            raise Mistake("style.font_sizes: is empty; give one or more sizes in pixels, such as [42, 50, 56]")
        if not self.widths:
            raise Mistake("style.widths: is empty; give one or more factors, such as [1.0]")
        if len(self.noise) > MOST_LAYERS:
            raise Mistake(f"style.noise: has {len(self.noise):,} layers; give at most {MOST_LAYERS}")
        if self.faces > MOST_FACES:
            raise Mistake(
                f"style: fonts, font_sizes, widths and pens make {self.faces:,} faces together; give fewer, for at most "
                f"{MOST_FACES:,}"
            )
        if self.fonts is not None and not self.fonts:
            raise Mistake(
                "style.fonts: is empty; give paths of TrueType or single-line SVG fonts, or null for the captcha package's own"
            )
        if self.fade and self.ink is not None:
            raise Mistake("style.ink: is not used with style.fade, as the captcha package draws; set style.fade=false")
        if self.fade and any(self.slant):
            raise Mistake(
                "style.slant: nothing leans with style.fade, as the captcha package draws; set style.fade=false"
            )
        if self.text.hue == "text":
            raise Mistake("style.text.hue: text would be its own; set own")
        for font in self.font_files:
            check_font(font, "")
            if has_single_lines(font):
                self._check_lines(font)
        if self.pens and not any(has_single_lines(font) for font in self.font_files):
            raise Mistake(
                "style.pens: none of style.fonts has lines for a pen; leave it [], or add an SVG font of single lines"
            )
        if self.without is not None:
            for name, value in ABSENT[self.without](self).items():
                object.__setattr__(self, name, value)

    def _check_lines(self, font: str) -> None:
        if self.stretch or self.outline > 0:
            raise Mistake(f"style.fonts: {font} has lines for a pen; set style.stretch=false and style.outline=0")
        if not self.pens and (thin := line_font(font).without_width):
            raise Mistake(
                f"style.fonts: {font} says of {thin!r} no stroke-width; give style.pens in pixels, such as [2.0]"
            )

    @property
    def faces(self) -> int:
        """Number of faces of one form and one outline in which a character may be drawn."""
        return len(self.font_files) * len(self.font_sizes) * len(self.widths) * max(1, len(self.pens))

    @property
    def font_files(self) -> list[str]:
        """Path of each font."""
        if isinstance(self.fonts, str):
            return installed_fonts()
        return [font_file(font) for font in self.fonts] if self.fonts else list(DEFAULT_FONTS)


def _without_contrast(style: Style) -> dict[str, Any]:
    """Return the settings for black text on white."""
    black, white = ([level, level] for level in (0, 255))
    return {
        "text": Colour(levels=black, saturation=None, hue="own"),
        "background": Colour(levels=white, saturation=None, hue="own"),
        "own_colours": False,
        "opacity": [1.0, 1.0],
        "fade": False,
        "gradient": None,
        "contrast": [0, 255],
        "ink": None,
        "texture": None,
    }


def _without_fonts(style: Style) -> dict[str, Any]:
    """Return the settings for one face in the middle size and width, with the first form of each symbol."""
    size, wide = (sorted(of)[len(of) // 2] for of in (style.font_sizes, style.widths))
    pens = sorted(style.pens)[len(style.pens) // 2 :][:1]
    one = {"font_sizes": [size], "widths": [wide], "pens": pens, "forms": [form[:2] for form in style.forms]}
    return {"fonts": style.font_files[:1], **one, "outline": 0.0}


def _without(style: Style, *kinds: type[Noise]) -> list[Noise]:
    return [layer for layer in style.noise if not isinstance(layer, kinds)]


ABSENT: dict[LeftOut, Callable[[Style], dict[str, Any]]] = {
    "rotation": lambda style: {"tilt": [0.0, 0.0], "slant": [0.0, 0.0]},
    "warp": lambda style: {"warp": [0.0, 0.0], "sway": None, "distortion": None, "scatter": [0.0, 0.0]},
    "overlap": lambda style: {"overlap": [min(0.0, share) for share in style.overlap]},
    "placement": lambda style: {"spaces": 0.0, "play": [0.0, 0.0], "lift": [0.0, 0.0]},
    "lines": lambda style: {"noise": _without(style, Arc, Line, Wave, Grid, Frame, Rings)},
    "dots": lambda style: {"noise": _without(style, Specks, Dots), "grain": 0, "texture": None},
    "contrast": _without_contrast,
    "fonts": _without_fonts,
}
"""Settings of a style without an ingredient, by the ingredient"""
