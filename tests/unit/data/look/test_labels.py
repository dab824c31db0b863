"""Labels found by looking: tables of any form, texts in file names, wrong rows, and what cannot be decided."""

from __future__ import annotations

import re
import unicodedata
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


def test_labels_csv_wins_over_other_tables_and_others_that_differ_are_named(tmp_path: Path) -> None:
    other = table("{name},zzz{text}", "filename,label")
    files = folder_of(tmp_path, NAMES, labels=table("{name},{text}", "filename,label"), old=other)
    assert found(files) == KNOWN
    (tmp_path / "labels.csv").rename(tmp_path / "new.csv")
    told = rf"both new\.csv and old\.csv in .* and '.*' is '{TEXTS[0]}' and 'zzz{TEXTS[0]}'; say which, as data=csv data\.labels=new"
    with pytest.raises(Mistake, match=told):
        labels.find(Files(str(tmp_path), "data.root"))


def test_tables_that_do_not_differ_are_used_together(tmp_path: Path) -> None:
    """Each part has its own table, with names as in its folder; a third table repeats some rows."""
    names = [f"{'train' if number % 3 else 'test'}/{number // 3}-{number % 3 == 2}.png" for number in range(len(TEXTS))]
    known = dict(zip(names, TEXTS, strict=True))
    files = folder_of(tmp_path, names, some="".join(f"{name},{known[name]}\n" for name in names[:20]))
    for part in ("train", "test"):
        own = "".join(f"{name.rpartition('/')[2]},{text}\n" for name, text in known.items() if name.startswith(part))
        (tmp_path / part / "own.csv").write_text("filename,label\n" + own)
    assert found(Files(str(files.root), "data.root")) == known


@pytest.mark.parametrize("suffix", [".txt", ".gt.txt"])
def test_texts_in_files_beside_the_images_are_read(suffix: str, tmp_path: Path) -> None:
    files = folder_of(tmp_path, NAMES)
    for name, text in KNOWN.items():
        (tmp_path / name.replace(".png", suffix)).write_text(f"{text}\r\n")
    assert found(files) == KNOWN
    (tmp_path / NAMES[0].replace(".png", suffix)).write_text("two words")
    (tmp_path / NAMES[1].replace(".png", suffix)).unlink()
    known = labels.find(Files(str(tmp_path), "data.root"))
    assert {sample.name for sample in known.samples} == {*NAMES[2:]}
    assert known.left_out == [f"{tmp_path}/images/0{suffix}: is not one word of text"]


def test_other_files_beside_the_images_are_no_texts(tmp_path: Path) -> None:
    names = {f"{number}_{text}.png": text for number, text in enumerate(TEXTS)}
    files = folder_of(tmp_path, list(names))
    for name in names:
        (tmp_path / name).with_suffix(".txt").write_text("0 0.5 0.5 0.1 0.2\n1 0.7 0.5 0.1 0.2\n")
    assert found(files) == names


def test_names_in_a_table_may_differ_in_case_and_in_the_form_of_accents(tmp_path: Path) -> None:
    names = [unicodedata.normalize("NFD", f"Prüfbild {number}.PNG") for number in range(len(TEXTS))]
    rows = [f"{unicodedata.normalize('NFC', name).lower()},{text}" for name, text in zip(names, TEXTS, strict=True)]
    files = folder_of(tmp_path, names, labels="\n".join(["filename,label", *rows]) + "\n")
    assert [sample.text for sample in labels.find(files).samples] == TEXTS


def test_numbers_that_begin_anew_in_each_folder_are_no_texts(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in "abc" for number in range(20)]
    with pytest.raises(Mistake, match=r"'a/0\.png', hold no texts"):
        labels.find(folder_of(tmp_path, names))


def test_a_table_for_more_images_than_there_are_is_used(tmp_path: Path) -> None:
    files = folder_of(tmp_path, NAMES[:12], labels=table("{name},{text}", "filename,label"))
    assert len(found(files)) == 12


def test_a_table_that_names_other_images_is_told(tmp_path: Path) -> None:
    other = "filename,label\n" + "".join(f"x{number}.png,abcd\n" for number in range(99))
    told = "labels.csv names less than half of the images and is not used"
    with pytest.raises(Mistake, match=rf"has no labels: {told}, and their names, such as 'images/0\.png'"):
        labels.find(folder_of(tmp_path / "numbered", NAMES, labels=other))
    known = labels.find(folder_of(tmp_path / "named", [f"{text}.png" for text in TEXTS], labels=other))
    assert known.told[1] == told


def test_texts_that_cannot_be_drawn_are_left_out(tmp_path: Path) -> None:
    rows = [f"{name},{text}{chr(0) if number < 3 else ''}" for number, (name, text) in enumerate(KNOWN.items())]
    known = labels.find(folder_of(tmp_path, NAMES, labels="\n".join(["filename,label", *rows]) + "\n"))
    assert len(known.samples) == len(TEXTS) - 3
    assert known.left_out[0].endswith(f"'{TEXTS[0]}\\x00' has a symbol that cannot be drawn")


def test_fractions_that_a_program_added_are_removed(tmp_path: Path) -> None:
    numbers = made(DIGITS, 60)
    rows = "".join(f"{number}.png,{float(text)}\n" for number, text in enumerate(numbers))
    known = labels.find(
        folder_of(tmp_path, [f"{number}.png" for number in range(60)], labels="filename,label\n" + rows)
    )
    assert [sample.text for sample in known.samples] == numbers


def test_two_columns_that_may_hold_the_texts_are_named(tmp_path: Path) -> None:
    rows = zip(NAMES, made(DIGITS, len(NAMES)), made(DIGITS, len(NAMES), seed=2), strict=True)
    files = folder_of(tmp_path, NAMES, mine="file,one,two\n" + "".join(f"{','.join(row)}\n" for row in rows))
    with pytest.raises(Mistake, match=r"mine\.csv: 'one' or 'two' may be the column .*data\.label_column=one"):
        labels.find(files)


@pytest.mark.parametrize(
    ("names", "tables", "told"),
    [
        ([], {}, r"^data\.root: .* holds no image; images are \.b64, .* in the folder or the zip file itself$"),
        (["a.tif", "b.tif", "c.zip"], {}, r"holds no image but 2 \.tif, 1 \.zip; images are \.b64"),
        (["7136.png"], {}, r"holds 1 image; a reader needs at least 10, better some hundred$"),
        (["7136.png", "5183.png"], {}, r"holds 2 images; a reader needs"),
        ([f"photo {i}.png" for i in range(20)], {}, r"has no labels: .* add a labels\.csv with the columns"),
        ([f"img{i:04}.png" for i in range(20)], {}, r"has no labels: .*'img0000\.png', hold no texts"),
        (
            [f"{i}.png" for i in range(20)],
            {"labels": "filename,label\n1.png,abcd\n" + "".join(f"{i}.png,\n" for i in range(2, 20))},
            r"holds 1 labelled image \(.*labels\.csv:3: '2\.png' has no text\); a reader needs at least 10",
        ),
        (
            [f"{i}.png" for i in range(20)],
            {"labels": "filename,width,height\n" + "".join(f"{i}.png,9,9\n" for i in range(20))},
            r"no column of it holds their texts; add one",
        ),
        (
            [f"{i}.png" for i in range(19)],
            {"labels": "f,l\n" + "".join(f"{i}.png,{i}{i}\n" for i in range(9)) + "10.png,\n"},
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
