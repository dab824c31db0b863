"""Labels found by looking: tables of any form, texts in file names, wrong rows, and what cannot be decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from capbench.data.look import labels, texts
from capbench.data.look.kinds import Kind, kind
from capbench.data.look.names import places
from capbench.errors import Mistake
from capbench.images.folder import Files

DIGITS, LOWER_36 = "0123456789", "0123456789abcdefghijklmnopqrstuvwxyz"


def made(symbols: str, count: int, shortest: int = 4, longest: int = 4, seed: int = 1) -> list[str]:
    """Return texts, one for each image."""
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(symbols), random.integers(shortest, longest + 1))) for _ in range(count)]


def folder_of(at: Path, names: Sequence[str], **tables: str) -> Files:
    """Return a folder of empty files with these names, and with tables by the names of their files without the suffix."""
    for name in names:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(b"")
    for name, content in tables.items():
        (at / f"{name}.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return Files(str(at), "data.root")


def found(files: Files) -> dict[str, str]:
    return {sample.name: sample.text for sample in labels.find(files).samples}


SHAPES: dict[str, Callable[[int, str], str]] = {
    "the text": lambda i, text: f"{text}.jpg",
    "a number and the text": lambda i, text: f"{i}_{text}.png",
    "a padded number and the text": lambda i, text: f"{i:06}-{text}.png",
    "the text and a hash": lambda i, text: f"{text}-{0xA1B2C3D4 * (i + 1) % 0xFFFFFFFF:08x}.png",
    "the text and a short hash": lambda i, text: f"{text}-{40503 * (i + 1) % 0xFFFF:04x}.png",
    "the text and a long hash": lambda i, text: f"{text}_{i * 7919:032x}.png",
    "between words": lambda i, text: f"cat_{text}_x.jpg",
    "after a part's name": lambda i, text: f"{'train' if i % 5 else 'val'}_{text}_{i}.jpg",
    "with numbers of copies": lambda i, text: f"{text}.{i % 3}.png" if i % 2 else f"{text}.png",
    "in folders": lambda i, text: f"{i % 3}/{text}-{i}.gif",
}


@pytest.mark.parametrize("of", ["digits", "letters", "free lengths"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_in_a_name_is_found(shape: str, of: str, tmp_path: Path) -> None:
    symbols = LOWER_36[10:] if of == "letters" else LOWER_36 if of == "free lengths" else DIGITS
    known = list(dict.fromkeys(made(symbols, 300, 4, 7 if of == "free lengths" else 4)))
    names = {SHAPES[shape](number, text): text for number, text in enumerate(known)}
    files = folder_of(tmp_path, list(names))
    assert found(files) == names
    (place,) = places(files.images)
    for name, text in names.items():
        match = re.fullmatch(place.pattern, name.rpartition("/")[2])
        assert match is not None and match["label"] == text, (name, place.pattern)


def test_a_minus_in_texts_is_no_separator_where_another_one_is(tmp_path: Path) -> None:
    sums = [f"{a}{sign}{b}=" for a in range(1, 10) for b in range(1, 8) for sign in "+-"]
    names = {f"{text}_{number * 7919:032x}.png": text for number, text in enumerate(sums)}
    assert found(folder_of(tmp_path, list(names))) == names


def test_two_pieces_that_may_be_the_text_are_named(tmp_path: Path) -> None:
    both = zip(made(DIGITS, 100), made(DIGITS, 100, seed=2), strict=True)
    files = folder_of(tmp_path, sorted({f"{first}_{second}.png" for first, second in both}))
    with pytest.raises(Mistake, match=r"several pieces that may be its text; say which, with data=filenames") as told:
        labels.find(files)
    first, second = files.images[0][:-4].split("_")
    assert repr(first) in str(told.value) and repr(second) in str(told.value)
    pattern = re.findall(r"data\.pattern='(.*?)'\"", str(told.value))[1]
    match = re.fullmatch(pattern, files.images[0])
    assert match is not None and match["label"] == second


TEXTS = list(dict.fromkeys(made(LOWER_36, 60)))
NAMES = [f"images/{number}.png" for number in range(len(TEXTS))]
KNOWN = dict(zip(NAMES, TEXTS, strict=True))


def table(row: str, heading: str = "") -> str:
    rows = [row.format(name=name, end=name.rpartition("/")[2], stem=name[7:-4], text=KNOWN[name]) for name in NAMES]
    return "\n".join([*([heading] if heading else []), *rows]) + "\n"


@pytest.mark.parametrize(
    ("row", "heading"),
    [
        ("{name},{text}", "filename,label"),
        ("{name};{text}", "file;solution"),
        ("{text}\t{end}\tx", "what\twhere\twhy"),
        ("{end},{text}", ""),
        ("{stem}|{text}", "id|text"),
        ("{end} {text}", ""),
        ('"C:\\captchas\\{end}","{text}"', "path,text"),
        ("{stem},{end},{text},0.9{stem}", "row,file,answer,confidence"),
        ("{name},{text}\n", "filename,label"),
    ],
)
def test_tables_of_any_form_are_read(row: str, heading: str, tmp_path: Path) -> None:
    assert found(folder_of(tmp_path, NAMES, anything=table(row, heading))) == KNOWN


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    files = folder_of(tmp_path, NAMES)
    (tmp_path / "labels.csv").write_bytes(table("{name},{text}", "fichier,réponse").encode(encoding))
    assert found(files) == KNOWN


def test_wrong_rows_are_listed_and_the_others_are_used(tmp_path: Path) -> None:
    wrong = "images/0.png,other\nimages/none.png,abcd\nimages/1.png,\n"
    known = labels.find(folder_of(tmp_path, NAMES, labels=table("{name},{text}", "filename,label") + wrong))
    assert {sample.name: sample.text for sample in known.samples} == {n: t for n, t in KNOWN.items() if n != NAMES[0]}
    line = len(TEXTS) + 2
    assert known.left_out == [
        f"{tmp_path}/labels.csv:{line}: 'images/0.png' is 'other' here and {TEXTS[0]!r} at {tmp_path}/labels.csv:2",
        f"{tmp_path}/labels.csv:{line + 1}: 'images/none.png' does not exist",
        f"{tmp_path}/labels.csv:{line + 2}: 'images/1.png' has no text",
    ]


def test_labels_for_half_of_the_images_are_used(tmp_path: Path) -> None:
    more = [f"more/{number}.png" for number in range(60)]
    known = labels.find(folder_of(tmp_path, [*NAMES, *more], labels=table("{name},{text}", "filename,label")))
    assert len(known.samples) == len(NAMES)
    assert known.told[1] == f"60 of {len(NAMES) + 60} images have no label and are not used"


def test_labels_csv_wins_over_other_tables_and_others_are_named(tmp_path: Path) -> None:
    other = table("{name},zzz{text}", "filename,label")
    files = folder_of(tmp_path, NAMES, labels=table("{name},{text}", "filename,label"), old=other)
    assert found(files) == KNOWN
    (tmp_path / "labels.csv").rename(tmp_path / "new.csv")
    with pytest.raises(Mistake, match=r"both new\.csv and old\.csv in .* say which, as data=csv data\.labels=new\.csv"):
        labels.find(Files(str(tmp_path), "data.root"))


def test_two_columns_that_may_hold_the_texts_are_named(tmp_path: Path) -> None:
    rows = zip(NAMES, made(DIGITS, len(NAMES)), made(DIGITS, len(NAMES), seed=2), strict=True)
    files = folder_of(tmp_path, NAMES, mine="file,one,two\n" + "".join(f"{','.join(row)}\n" for row in rows))
    with pytest.raises(Mistake, match=r"mine\.csv: 'one' or 'two' may be the column .*data\.label_column=one"):
        labels.find(files)


@pytest.mark.parametrize(
    ("names", "tables", "told"),
    [
        ([], {}, r"^data\.root: .* holds no image; give"),
        (["a.txt.png"] * 1, {}, r"has no labels: no table names its images, and their names, such as 'a\.txt\.png'"),
        ([f"photo {i}.png" for i in range(20)], {}, r"has no labels: .* add a labels\.csv with the columns"),
        ([f"img{i:04}.png" for i in range(20)], {}, r"has no labels: .*'img0000\.png', hold no texts"),
        (["1.png"], {"labels": "filename,label\n1.png,abcd\n"}, r"holds 1 labelled image; a reader needs at least 10"),
        (
            ["1.png"],
            {"labels": "filename,width,height\n1.png,9,9\n2.png,9,9\n"},
            r"no column of it holds their texts; add one",
        ),
        (
            [f"{i}.png" for i in range(9)],
            {"labels": "f,l\n" + "".join(f"{i}.png,{i}{i}\n" for i in range(9))},
            "9 labelled images",
        ),
    ],
)
def test_folders_without_labels_end_in_one_line(
    names: list[str], tables: dict[str, str], told: str, tmp_path: Path
) -> None:
    with pytest.raises(Mistake, match=told) as line:
        labels.find(folder_of(tmp_path, names, **tables))
    assert "\n" not in str(line.value)


def test_zeros_that_a_spreadsheet_removed_are_restored(tmp_path: Path) -> None:
    numbers = made(DIGITS, 300)
    names = [f"{number}.png" for number in range(300)]
    rows = "".join(f"{name},{int(text)}\n" for name, text in zip(names, numbers, strict=True))
    known = labels.find(folder_of(tmp_path, names, labels="filename,label\n" + rows))
    assert [sample.text for sample in known.samples] == numbers
    assert "lost zeros at their beginning" in known.told[1]


@pytest.mark.parametrize(
    "numbers", [made(DIGITS, 300, 3, 6), made("123456789", 300), made(DIGITS, 300), made(LOWER_36, 300)]
)
def test_zeros_are_not_added_to_other_texts(numbers: list[str]) -> None:
    assert texts.lost_zeros(numbers) is None


def test_a_rare_length_is_left_out(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(len(TEXTS))]
    known = dict(zip(names, [*TEXTS[:-1], TEXTS[-1][:3]], strict=True))
    rows = "".join(f"{name},{text}\n" for name, text in known.items())
    found = labels.find(folder_of(tmp_path, names, labels="filename,label\n" + rows))
    assert len(found.samples) == len(TEXTS) - 1
    assert found.left_out[0].endswith(f"{TEXTS[-1][:3]!r} has 3 symbols, others 4")
    assert texts.lengths(made(DIGITS, 300, 3, 6)) == (3, 6)


def test_a_rare_case_is_folded() -> None:
    assert texts.fold(["abcd"] * 99 + ["abCD"]) == "lower"
    assert texts.fold(["ABCD"] * 99 + ["abCD"]) == "upper"
    assert texts.fold(["ABcd", "1234"]) is None
    assert texts.fold(["abcd"]) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (TEXTS, Kind.TEXT),
        (made(DIGITS, 100, 3, 6), Kind.TEXT),
        ([str(number) for number in range(1, 90)], Kind.COUNTER),
        (["train"] * 80 + ["val"] * 20, Kind.OTHER),
        (["cat"] * 100, Kind.OTHER),
        ([f"{number * 7919:032x}" for number in range(100)], Kind.OTHER),
        ([f"a{number * 1511 % 0xFFFF:04x}" for number in range(100)], Kind.HEX),
        (made(DIGITS, 1000, 1, 1), Kind.SYMBOL),
    ],
)
def test_kinds_of_values(values: list[str], expected: Kind) -> None:
    assert kind(values) is expected
