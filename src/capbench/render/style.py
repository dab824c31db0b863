"""How a rendered captcha looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

from capbench.errors import Mistake
from capbench.ranges import Pixels


@dataclass(frozen=True, kw_only=True)
class Style:
    """Size and type of a rendered captcha; what it leaves out is the renderer's own."""

    width: Pixels
    height: Pixels
    fonts: list[str] | None
    font_sizes: list[Pixels]

    def __post_init__(self) -> None:
        if not self.font_sizes:
            raise Mistake("style.font_sizes: is empty; give one or more sizes in pixels, such as [42, 50, 56]")
        for font in self.fonts or []:
            if not Path(font).is_file():
                raise Mistake(f"style.fonts: {font} is not a file; give the paths of TrueType fonts")
            try:
                ImageFont.truetype(font, self.font_sizes[0])
            except OSError as error:
                raise Mistake(f"style.fonts: {font} cannot be read as a font ({error})") from error
