"""HTML page on the strength of captchas."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from capbench.compare import document, gallery, readings
from capbench.compare.document import short
from capbench.compare.folders import Pictures
from capbench.compare.strength import tables
from capbench.compare.strength.analysis import Captcha, Variant

TEMPLATE = Path(__file__).with_name("page.html.jinja")
PICTURED = 3


def write(path: Path, folder: str, captchas: Sequence[Captcha], pictures: Pictures = "rendered") -> None:
    """Write the page on the strength of the captchas; `folder` is where the runs are."""
    content = {
        "folder": folder,
        "version": version("capbench"),
        "captchas": [_told(captcha, pictures) for captcha in captchas],
    }
    document.write(path, TEMPLATE, ["page.js"], content)


def _told(captcha: Captcha, pictures: Pictures) -> dict[str, Any]:
    strongest = captcha.strongest
    return {
        "name": captcha.name,
        "verdict": captcha.verdict,
        "pictures": _pictures(strongest.whole, pictures),
        "needs": tables.needs(captcha),
        "curves": [{"name": one.name, **_curve(one.whole)} for one in captcha.recognisers],
        "ingredients": tables.ingredients(captcha),
        "without": [
            {
                "name": ingredient,
                "points": _points(strongest.without[ingredient]) if ingredient in strongest.without else [],
                "pictures": _pictures(
                    next(one.without[ingredient] for one in captcha.recognisers if ingredient in one.without),
                    pictures,
                ),
            }
            for ingredient, _ in captcha.ingredients
        ],
        "amounts": [point.images for point in strongest.whole.points],
        "symbols": [
            {
                "symbol": one.symbol,
                "shares": [short(share) for share in one.shares],
                "interval": [short(end) for end in one.interval],
                "read_as": tables.read_as(one.read_as),
                "is_hard": one.is_hard,
            }
            for one in captcha.symbols
        ],
    }


def _points(variant: Variant) -> list[list[float | None]]:
    return [[short(number) for number in point[:4]] for point in variant.points]


def _curve(variant: Variant) -> dict[str, Any]:
    """Return the measured points, and the forecast beyond the most images."""
    forecast = variant.forecast.drawn() if variant.forecast is not None else []
    return {"points": _points(variant), "forecast": [[short(number) for number in point] for point in forecast]}


def _pictures(variant: Variant, wanted: Pictures) -> list[tuple[str, str]]:
    """Return texts and pictures of the first test images; the same texts whichever ingredient was left out."""
    for run in variant.runs:
        read = readings.of(run)
        if read is not None:
            texts = dict(zip(read.names[:PICTURED], read.texts[:PICTURED], strict=True))
            return [(texts[name], picture) for name, picture in gallery.draw(run, texts, wanted).items()]
    return []
