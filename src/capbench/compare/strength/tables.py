"""Tables on the strength of captchas: on screen, in Markdown and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from capbench.compare.learning import TARGETS
from capbench.compare.paper import line, plain
from capbench.compare.strength.analysis import PEOPLE, Bought, Captcha, Recogniser, Variant
from capbench.errors import lines, printable
from capbench.utils.atomic import replacing

SHARES = [f"{target * 100:.0f} %" for target in TARGETS]
WITHOUT_SYMBOL = "∅"

Table = list[list[str]]


def needs(captcha: Captcha) -> Table:
    """Return a table, headings first, of the images and seconds that each recogniser needs."""
    heading = ["recogniser", *(f"images to read {share}" for share in SHARES), *(f"CPU s to read {s}" for s in SHARES)]
    return [[*heading, "best accuracy"], *(_needs_of(recogniser) for recogniser in captcha.recognisers)]


def _needs_of(recogniser: Recogniser) -> list[str]:
    whole = recogniser.whole
    seconds = [whole.seconds(target) for target in TARGETS]
    most = max(whole.points, key=lambda point: point.exact)
    return [
        recogniser.name,
        *(str(whole.images(target)) for target in TARGETS),
        *("–" if reached is None else str(reached) for reached in seconds),
        f"{most.exact:.4f} ({most.low:.4f} to {most.high:.4f}) with {most.images:,.0f}",
    ]


def ingredients(captcha: Captcha) -> Table:
    """Return a table, headings first, of the factor of labelled images by ingredient and recogniser."""
    names = [recogniser.name for recogniser in captcha.recognisers]
    rows = []
    for ingredient, bought in captcha.ingredients:
        first = bought.get(captcha.strongest.name)
        amounts = [str(bought.get(name, "–")) for name in names]
        rows.append([ingredient, *amounts, points(first), verdict(first), PEOPLE.get(ingredient, "")])
    heading = ["ingredient", *(f"images, {name}" for name in names), "points of accuracy", "verdict", "people"]
    return [heading, *rows] if rows else []


def points(bought: Bought | None) -> str:
    """Return the change of accuracy in percentage points, or – if there is none."""
    return "–" if bought is None or bought.absent else f"{100 * bought.points:+.1f}"


def verdict(bought: Bought | None) -> str:
    """Return the verdict on the strongest recogniser, as an attacker would use that one."""
    return "not tried with the strongest recogniser" if bought is None else bought.verdict


def screen(captchas: Sequence[Captcha]) -> str:
    """Return the tables and verdicts as text for the screen."""
    shown: list[str] = []
    for captcha in captchas:
        shown += ["", captcha.name, "", *_aligned(needs(captcha))]
        made_of = [row[:-1] for row in ingredients(captcha)]
        shown += ["", *_aligned(made_of)] if made_of else []
        shown += ["", captcha.verdict]
    return lines(shown)


def _aligned(table: Table) -> list[str]:
    table = [list(map(printable, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def write_markdown(path: Path, captchas: Sequence[Captcha]) -> None:
    """Write the tables and verdicts as Markdown."""
    lines = []
    for captcha in captchas:
        lines += [f"## {plain(captcha.name)}", "", plain(captcha.verdict), ""]
        for table in (needs(captcha), ingredients(captcha), _symbols(captcha)):
            lines += [*_markdown(table), ""] if table else []
    lines.append(
        "Labelled images: interpolated between two amounts that were tried, with 95 % intervals, or forecast. CPU "
        "seconds: seconds of training, summed over all cores, until this share of the validation images was read. Factor "
        "of an ingredient: how many times as many labelled images the recogniser needs with the ingredient as without it, "
        "for the same accuracy."
    )
    with replacing(path) as file:
        file.write("\n".join(lines).rstrip() + "\n")


def _markdown(table: Table) -> list[str]:
    heading, *rows = table
    return [line(heading), line(["---"] * len(heading), raw=True), *map(line, rows)]


def _symbols(captcha: Captcha) -> Table:
    rows = [
        [one.symbol, f"{one.shares[len(captcha.strongest.whole.points) - 1]:.4f}",
         f"{one.interval[0]:.4f} to {one.interval[1]:.4f}", read_as(one.read_as), "yes" if one.is_hard else ""]
        for one in captcha.symbols
    ]  # fmt: skip
    return [["symbol", f"read, {captcha.strongest.name}", "95 % interval", "read as", "hard"], *rows] if rows else []


def read_as(mistakes: Sequence[tuple[str, int]]) -> str:
    """Return the wrong symbols and their counts as text."""
    return ", ".join(f"{read or WITHOUT_SYMBOL} ×{count:,}" for read, count in mistakes)


COLUMNS = ("target", "images", "images_how", "images_low", "images_high", "cpu_seconds", "cpu_how")


def write_csv(path: Path, captchas: Sequence[Captcha]) -> None:
    """Write a row for each captcha, recogniser, omitted ingredient and target accuracy."""
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["captcha", "recogniser", "without", *COLUMNS, "factor", "factor_low", "factor_high", "verdict"]
        )
        for captcha in captchas:
            for recogniser in captcha.recognisers:
                for ingredient, variant in [("", recogniser.whole), *recogniser.without.items()]:
                    bought = recogniser.bought(ingredient) if ingredient else None
                    for target in TARGETS:
                        writer.writerow(
                            [
                                captcha.name,
                                recogniser.name,
                                ingredient,
                                target,
                                *_reached(variant, target),
                                *_factor(bought),
                            ]
                        )


def _reached(variant: Variant, target: float) -> list[object]:
    images, seconds = variant.images(target), variant.seconds(target)
    ends = [images.amount, images.how, images.at_least, images.at_most]
    return [*("" if end is None else end for end in ends), *((seconds.amount, seconds.how) if seconds else ("", ""))]


def _factor(bought: Bought | None) -> list[object]:
    if bought is None:
        return [""] * 4
    return [*(bought.images or [""] * 3), bought.verdict]
