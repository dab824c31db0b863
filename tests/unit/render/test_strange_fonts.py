"""Fonts from a stranger: they are drawn, or refused in one line that names the file, before they cost much."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from capbench.errors import Mistake
from capbench.render.coverage import Coverage
from capbench.render.faces import bundled_fonts, face, known
from capbench.render.reference import CaptchaPackage
from capbench.render.single_line import MOST_BYTES, line_font
from tests.fuzz.font import cff, collection, put_together, taken_apart
from tests.helpers.painter import painter
from tests.helpers.settings import style

GLYPH = '<glyph unicode="0" d="{}"/>'
CROWDED = "".join(GLYPH.format("M0 0" + "t1 1" * 4_000).replace("0", symbol, 1) for symbol in "0123456789ab")
OUTLINES = bundled_fonts()["cmss10.ttf"].read_bytes()
DIGITS = {ord(digit) for digit in "0123456789"}


def svg(path: Path, glyph: str, em: str = "1000", before: str = "", more: str = "") -> str:
    path.write_text(
        f'{before}<svg xmlns="http://www.w3.org/2000/svg"><font horiz-adv-x="500" {more}>'
        f'<font-face units-per-em="{em}"/>{glyph}</font></svg>'
    )
    return str(path)


@pytest.mark.parametrize(
    ("glyph", "options", "match"),
    [
        (GLYPH.format("M0 0H9000"), {}, "a length of 9000 is over 8 times units-per-em"),
        (GLYPH.format("M0 0H700"), {"em": "1"}, "over 8 times units-per-em"),
        (GLYPH.format("M0 0H1e999"), {}, "is over 8 times"),
        (GLYPH.format("M0 0H9"), {"em": "1e-300"}, "units-per-em is 1e-300; 0.001 to 1e"),
        (GLYPH.format("M0 0H9"), {"em": "nan"}, "units-per-em is nan"),
        (GLYPH.format("M0 0H9"), {"more": 'stroke-width="500"'}, "a stroke-width is not above 0 and up to 0.25 of"),
        (GLYPH.format("M0 0" + "h9" * 10_000), {}, "a path has over 16,384 characters"),
        (CROWDED, {}, "its paths have over 524,288 points"),
        (GLYPH.format("C0 0 1 1 2 2"), {}, "Path must start with a moveto"),
        (GLYPH.format("M0 0C1 2"), {}, "Not enough coordinates"),
        (GLYPH.format("&a;"), {"before": '<!DOCTYPE svg [<!ENTITY a "M0 0">]>'}, "it declares entities"),
        (GLYPH.format("M0 0H9"), {"before": '<?xml version="1.0" encoding="none"?>'}, "unknown encoding"),
        (GLYPH.format("M0 0H9"), {"before": "<!--" + "x" * MOST_BYTES + "-->"}, "it has over 1,048,576 bytes"),
        (GLYPH.format("M0 0H9"), {"before": "<a>"}, "no element found|mismatched|unclosed"),
    ],
    ids=range(14),
)  # fmt: skip
def test_an_invalid_or_oversized_svg_font_is_refused(
    glyph: str, options: dict[str, str], match: str, tmp_path: Path
) -> None:
    path = svg(tmp_path / "own.svg", glyph, **options)
    with pytest.raises(Mistake, match=match) as told:
        line_font(path)
    assert path in str(told.value) and "\n" not in str(told.value)


def test_glyphs_over_the_limit_of_pixels_are_refused(tmp_path: Path) -> None:
    path = svg(tmp_path / "own.svg", GLYPH.format("M-7000 -7000L7000 7000"))
    with pytest.raises(Mistake, match=r"own\.svg cannot be drawn \(its glyph '0' takes 4,480×1,120 pixels") as told:
        painter(f"style.fonts=['{path}']", "style.pens=[2]", "style.stretch=false", "style.fade=false",
                "style.font_sizes=[80]", "style.widths=[4]", symbols="0", shortest=1, longest=1)  # fmt: skip
    assert "\n" not in str(told.value)


def test_pens_over_the_limit_of_work_are_refused(tmp_path: Path) -> None:
    path = svg(tmp_path / "own.svg", "".join(GLYPH.format("M0 0L2000 2000").replace("0", symbol, 1) for symbol in "0123456789"),
               more='stroke-width="250"')  # fmt: skip
    with pytest.raises(Mistake, match=r"style\.font_sizes: to draw all glyphs with pens and glyphs as large"):
        painter(f"style.fonts=['{path}']", "style.pens=[]", "style.stretch=false", "style.fade=false",
                "style.font_sizes=[200]", "style.width=1024", "style.height=1024", shortest=1, longest=1)  # fmt: skip


def font(path: Path, **tables: bytes | None) -> str:
    """Write a small font with some tables replaced or removed."""
    parts = taken_apart(OUTLINES) | {name.encode(): data for name, data in tables.items() if data is not None}
    kept = {name: data for name, data in parts.items() if tables.get(name.decode(), b"") is not None}
    path.write_bytes(put_together(OUTLINES[:4], kept))
    return str(path)


def characters(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">H", kind) + body


def groups(kind: int, *some: tuple[int, int, int]) -> bytes:
    return characters(
        kind, struct.pack(">HIII", 0, 0, 0, len(some)) + b"".join(struct.pack(">III", *one) for one in some)
    )


HUGE = groups(12, *[(0, 0x10FFFF, 1)] * 5_000)
OVER_ONE_ANOTHER = characters(4, struct.pack(">HHHHHH", 0, 0, 2 * 9_000, 0, 0, 0)
                              + b"\xff\xff" * 9_000 + bytes(2) + bytes(2 * 9_000) + bytes(4 * 9_000))  # fmt: skip


@pytest.mark.parametrize("table", [HUGE, OVER_ONE_ANOTHER], ids=["groups", "segments"])
def test_a_huge_character_map_is_looked_up_not_expanded(table: bytes, tmp_path: Path) -> None:
    """Look characters up in tables that list all characters thousands of times."""
    there = known(font(tmp_path / "own.ttf", cmap=table))
    assert "A" in there and "漢" in there


@pytest.mark.parametrize(
    ("table", "there"),
    [
        (characters(0, struct.pack(">HH", 262, 0) + bytes(48) + bytes(range(1, 11)) + bytes(198)), DIGITS),
        (characters(6, struct.pack(">HHHH", 30, 0, 48, 10) + struct.pack(">10H", *range(1, 11))), DIGITS),
        (characters(10, struct.pack(">HIIII", 0, 40, 0, 48, 10) + struct.pack(">10H", *range(1, 11))), DIGITS),
        (groups(12, (48, 57, 1)), DIGITS),
        (groups(13, (48, 57, 1)), DIGITS),
        (groups(12, (48, 57, 0)), DIGITS - {48}),
        (groups(12), set()),
        (characters(12, b""), set()),
        (characters(4, struct.pack(">HHHHHH", 0, 0, 2**16 - 1, 0, 0, 0)), set()),
    ],
    ids=range(9),
)
def test_every_format_of_character_map_is_looked_up(table: bytes, there: set[int], tmp_path: Path) -> None:
    own = Coverage(font(tmp_path / "own.ttf", cmap=table))
    assert {code for code in range(0x11000) if chr(code) in own} == there


@pytest.mark.parametrize("name", ["cmss10.ttf", "DejaVuSans.ttf", "STIXSizOneSymReg.ttf", "LastResortHE-Regular.ttf"])
def test_the_characters_of_a_font_agree_with_fonttools(name: str) -> None:
    path = str(bundled_fonts()[name])
    with TTFont(path) as other:
        glyphs = other.getReverseGlyphMap()
        found = {code for code, glyph in other.getBestCmap().items() if glyphs[glyph]}
    own = Coverage(path)
    assert {code for code in range(0x3000) if chr(code) in own} == {code for code in found if code < 0x3000}


def test_font_collections_and_postscript_outlines_are_drawn(tmp_path: Path) -> None:
    for name, content in (("own.ttc", collection(OUTLINES)), ("own.otf", cff())):
        (tmp_path / name).write_bytes(content)
        assert "7" in known(str(tmp_path / name))
        assert face(str(tmp_path / name), 30).getlength("7") > 5


@pytest.mark.parametrize(
    "content", [b"", b"wOFF" + bytes(99), b"wOF2" + bytes(99), b"OTTO", OUTLINES[:40], b"%!PS-AdobeFont"]
)
def test_a_file_that_is_no_font_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.ttf").write_bytes(content)
    with pytest.raises(Mistake, match=r"own\.ttf cannot be read as a font \(it ") as told:
        known(str(tmp_path / "own.ttf"))
    assert "\n" not in str(told.value)


def one_em() -> bytes:
    """Return the table `head` with so few units per em that one unit is as large as a letter."""
    head = bytearray(taken_apart(OUTLINES)[b"head"])
    struct.pack_into(">H", head, 18, 16)
    return bytes(head)


def metrics(ascent: int, descent: int) -> bytes:
    whole = bytearray(taken_apart(OUTLINES)[b"hhea"])
    struct.pack_into(">hh", whole, 4, ascent, descent)
    return bytes(whole)


@pytest.mark.parametrize(
    ("tables", "match"),
    [
        ({"loca": b""}, "cannot be drawn|has no glyph|no room"),
        ({"head": None}, "cannot be drawn"),
        ({"head": b"\xff" * 54}, "cannot be drawn"),
        ({"maxp": None}, "cannot be drawn"),
        ({"hmtx": b""}, "cannot be drawn"),
        ({"head": one_em()}, "would reach .* pixels at a size of"),
        ({"hhea": metrics(32767, -32768)}, "its lines would reach"),
        ({"hhea": metrics(-3000, 3000)}, "gives '0' no room on the line|must be >= 0"),
        ({"cmap": None}, "has no table of Unicode characters"),
    ],
)
@pytest.mark.parametrize("renderer", ["capbench", "captcha"])
def test_a_damaged_font_is_an_error_of_one_line(
    renderer: str, tables: dict[str, bytes | None], match: str, tmp_path: Path
) -> None:
    path = font(tmp_path / "own.ttf", **tables)
    with pytest.raises(Mistake, match=match) as told:
        if renderer == "capbench":
            painter("style=default", f"style.fonts=['{path}']", symbols="01", shortest=1, longest=1).sample(0)
        else:
            CaptchaPackage(style("style=default", f"style.fonts=['{path}']"), "01", 1, 1, 5).sample(0)
    assert path in str(told.value) and "\n" not in str(told.value)
