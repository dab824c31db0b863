"""SVG fonts of single lines with odd attributes and paths, entities, deep nesting and extreme sizes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from capbench.render.faces import bundled_fonts
from tests.fuzz.font import SYMBOLS, Drawn
from tests.fuzz.mutations import damaged, generator, pick

NUMBERS = [
    *(
        "0",
        "1",
        "-1",
        "0.001",
        "8",
        "22",
        "100",
        "1000",
        "1e4",
        "65535",
        "1e6",
        "1e9",
        "2147483648",
        "1e30",
        "1e308",
        "1e309",
    ),
    *(
        "-1e308",
        "1e-308",
        "nan",
        "inf",
        "-inf",
        "",
        " 5 ",
        "1_0",
        "5px",
        "٣",
        "0x10",
        "--1",
        "1e",
        "." * 50,
        "9" * 5000,
    ),
]
ATTRIBUTES = ["horiz-adv-x", "units-per-em", "ascent", "descent", "stroke-width", "unicode", "d", "id"]
PATHS = ["M", "m", "L", "l", "H", "h", "V", "v", "C", "c", "S", "s", "Q", "q", "T", "t", "A", "a", "Z", "z"]
TAKEN = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


class door(Drawn):
    """Door that draws an SVG font with strokes of two pixels: small, four times as wide, or in the largest size."""

    suffix = ".svg"

    def __init__(self, folder: Path, seed: int) -> None:
        fonts = [path.read_bytes() for name, path in bundled_fonts().items() if name.endswith(self.suffix)]
        super().__init__(folder, seed, fonts)

    def made(self, number: int) -> bytes:
        random = generator("svg", self.seed, number)
        look = bytes([int(random.integers(len(self.looks)))])
        content = pick(random, self.fonts)
        way = int(random.integers(8))
        if way == 0:
            return look + damaged(content, random, self.fonts)
        if way == 1:
            return look + bombs(content, random)
        tree = ElementTree.fromstring(content)
        for _ in range(random.integers(1, 6)):
            _change(tree, random)
        try:
            return look + ElementTree.tostring(tree, encoding=pick(random, ["utf-8", "utf-8", "utf-16", "us-ascii"]))
        except (TypeError, ValueError, UnicodeError):  # XML cannot hold some texts
            return look + content


def path(random: np.random.Generator) -> str:
    """Return an SVG path of up to 20,000 steps, with valid or invalid numbers."""
    steps = int(10 ** random.uniform(0, 4.3))
    odd = random.random() < 0.5
    scale = 10 ** random.uniform(-1, 4)
    whole = []
    for step in range(steps):
        kind = "M" if not step and random.random() < 0.9 else pick(random, PATHS)
        count = max(0, TAKEN[kind.upper()] + (int(random.integers(-1, 2)) if odd and random.random() < 0.1 else 0))
        numbers = [
            pick(random, NUMBERS) if odd and random.random() < 0.02 else f"{x:.5g}"
            for x in random.normal(0, scale, count)
        ]
        if kind in "Aa" and count == 7:
            numbers[3:5] = [str(random.integers(2)), str(random.integers(2))]
        whole.append(kind + " ".join(numbers))
    return pick(random, ["", " ", "\n"]).join(whole)


def _change(tree: ElementTree.Element, random: np.random.Generator) -> None:
    elements = [*tree.iter()]
    one, other = pick(random, elements), pick(random, elements)
    way = random.integers(8)
    if way == 0:
        one.set(pick(random, ATTRIBUTES), pick(random, NUMBERS))
    elif way == 1:
        face = next((element for element in elements if element.tag.endswith("font-face")), one)
        face.set(pick(random, ATTRIBUTES[:5]), pick(random, NUMBERS))
    elif way == 2:
        font = next((element for element in elements if element.tag.endswith("}font")), one)
        font.set(pick(random, ATTRIBUTES[:5]), pick(random, NUMBERS))
    elif way in (3, 4):
        glyphs = [
            element for element in elements if element.tag.endswith("glyph") and element.get("unicode", "x") in SYMBOLS
        ]
        pick(random, glyphs or [one]).set("d", path(random))
    elif way == 5:
        one.set("unicode", pick(random, [*SYMBOLS, "", "fi", "漢", " ", "x" * 999]))
    elif way == 6 and one is not tree and other is not one:
        other.extend(
            [one] * int(10 ** random.uniform(0, 1.5))
            if one not in [*one] and len([*one.iter()]) < 3 and one not in [*other.iter()][1:]
            else []
        )
    else:
        one.tag = pick(
            random,
            ["svg", "font", "glyph", "font-face", "use", "image", "filter", one.tag.rpartition("}")[2], other.tag],
        )


def bombs(content: bytes, random: np.random.Generator) -> bytes:
    """Return a small file with exponential entities, deep nesting, or huge numbers of glyphs or steps."""
    count = int(10 ** random.uniform(0, 5))
    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(int(random.integers(1, 12))))
    head, end = '<svg xmlns="http://www.w3.org/2000/svg"><font horiz-adv-x="9">', "</font></svg>"
    glyph = '<glyph unicode="{}" d="{}"/>'
    one = pick(random, ["h9h-9", "t9 9", "a9 9 9 0 1 9 9", "c1 2 3 4 5 6", "l9-9", "z", "M0 0", "1 1 ", "0"])
    texts = [
        f'<!DOCTYPE svg [<!ENTITY a0 "a">{laughs}]>{head}<glyph unicode="&a3;" d="M0 0h9"/>{end}',
        f'<!DOCTYPE svg [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]>{head}{end}',
        f'<!DOCTYPE svg [<!ENTITY a SYSTEM "/dev/zero">]>{head}<glyph unicode="0" d="&a;"/>{end}',
        f'<!DOCTYPE svg SYSTEM "/dev/zero" [<!ATTLIST glyph d CDATA "M0 0h{"9" * count}">]>{head}<glyph unicode="0"/>{end}',
        "<a>" * count,
        head + "<font>" * count + end,
        head + "".join(glyph.format(symbol, "M0 0" + one * count) for symbol in SYMBOLS) + end,
        head + glyph.format("&#x30;", "M0 0h9") * count + end,
        head + "".join(glyph.format(chr(0x4E00 + n), "M0 0" + one * 9) for n in range(min(count, 20_000))) + end,
        f"{head}<font-face units-per-em='{pick(random, NUMBERS)}'/>"
        + glyph.format("0", f"M0 0h{pick(random, NUMBERS)}") * 3
        + end,
        f"<svg><font horiz-adv-x='9' stroke-width='{pick(random, NUMBERS)}'>"
        + "".join(glyph.format(s, "M0 0h900v900") for s in SYMBOLS)
        + end,
        "<!--" + "-" * count,
        "<?xml version='1.0' encoding='" + pick(random, ["utf-7", "utf-32", "cp037", "x" * 999]) + "'?>" + head + end,
        content.decode() + " " * count * 20,
    ]
    return pick(random, texts).encode()
