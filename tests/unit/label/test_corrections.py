"""Corrections of labels, and gold labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from capbench.errors import Mistake
from capbench.images.folder import Files
from capbench.label.corrections import Corrections, read_gold
from capbench.text import Alphabet, Codec

CODEC = Codec(Alphabet(symbols="0123456789", fold=None), 4, 4, "positions")
KEPT, GIVEN = Path("labels/corrections.csv"), Path("given.csv")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(name.encode())
    return folder


@pytest.fixture
def corrections(images: Path) -> Callable[[], Corrections]:
    return lambda: Corrections(KEPT, CODEC, Files(str(images), "images"))


def said(text: str, at: int, path: Path = GIVEN) -> Path:
    path.write_text("filename,label\n" + text, encoding="utf-8")
    os.utime(path, (at, at))
    return path


def test_the_newest_correction_wins_and_changes_are_reported(corrections: Callable[[], Corrections]) -> None:
    first = corrections()
    first.merge(said("a.png,1111\nb.png,2222\n", at=100))
    assert first.notices == []
    second = corrections()
    second.merge(said("a.png,3333\nb.png,2222\nc.png,\n", at=200))
    assert second.notices == ["given.csv: changes earlier corrections: a.png 1111 → 3333"]
    assert second.texts == corrections().texts == {"a.png": "3333", "b.png": "2222", "c.png": ""}
    kept = KEPT.read_text()
    assert kept.count("a.png") == 2 and kept.count("b.png") == 1  # a line is added for each change

    # An older file takes back no correction, but may add new ones.
    third = corrections()
    third.merge(said("a.png,1111\n", at=100))
    assert third.notices == [f"given.csv: is older than {KEPT}; not taken where the two differ: a.png 3333 → 1111"]
    assert third.texts == corrections().texts == second.texts
    assert KEPT.read_text() == kept


def test_a_correction_of_a_replaced_image_is_not_applied(corrections: Callable[[], Corrections], images: Path) -> None:
    corrections().merge(said("a.png,1111\nb.png,2222\nc.png,3333\n", at=100))
    (images / "a.png").write_bytes(b"another")
    (images / "b.png").unlink()
    later = corrections()
    assert later.texts == {"c.png": "3333"}
    assert later.notices == [f"{KEPT}: not taken, as the images under these names have changed: a.png"]
    later.merge(said("a.png,4444\n", at=200))
    (images / "b.png").write_bytes(b"b")
    assert corrections().texts == {"a.png": "4444", "b.png": "2222", "c.png": "3333"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbffilename,label\r\na.png,12\r\nb.png,3456\r\n,\r\n",
        b'\xef\xbb\xbf"filename";"label"\r\na.png;12\r\n"b.png";3456\r\n;\r\n',
        b"no;label;filename\r\n1;12;a.png\r\n2;3456;b.png",
        b"filename\tlabel\na.png\t0012\nb.png\t3456",
    ],
)
def test_corrections_saved_by_a_spreadsheet_are_read(content: bytes, corrections: Callable[[], Corrections]) -> None:
    KEPT.parent.mkdir()
    KEPT.write_bytes(content)
    edited = corrections()
    assert edited.texts == {"a.png": "0012", "b.png": "3456"}
    edited.merge(said("c.png,7890\n", at=2**31))
    assert KEPT.read_bytes().startswith(content)
    assert corrections().texts == {"a.png": "0012", "b.png": "3456", "c.png": "7890"}


def test_an_invalid_correction_is_an_error_of_one_line(corrections: Callable[[], Corrections], images: Path) -> None:
    for text, message in (
        ("a.png,12345\n", "given.csv: 'a.png' is labelled '12345', which has 5 symbols where 4 are expected; correct"),
        ("d.png,1234\n", "given.csv: 'd.png' is not one of the images; did you mean "),
        (",1234\n", "given.csv: '.' is not one of the images; "),
    ):
        with pytest.raises(Mistake, match=message.replace(".", r"\.")):
            corrections().merge(said(text, at=100))
    GIVEN.write_bytes(b"filename,label\ncaf\xe9.png,1\n")
    with pytest.raises(Mistake, match=r"given\.csv: is not a CSV file in UTF-8 \('utf-8'"):
        corrections().merge(GIVEN)
    GIVEN.write_text("")
    with pytest.raises(Mistake, match=r"given\.csv: has no column 'filename'; there is nothing to choose from"):
        corrections().merge(GIVEN)


def test_gold_labels_get_lost_zeros_back_and_empty_rows_are_ignored(images: Path) -> None:
    assert read_gold(said("a.png,12\nb.png,\nx.png,5678\n", at=1), CODEC, ["a.png"]) == {
        "a.png": "0012", "x.png": "5678",
    }  # fmt: skip
