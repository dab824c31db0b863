"""Labels in file names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capbench.data.naming import plain_labels
from capbench.errors import Mistake
from capbench.settings import build
from tests.helpers.settings import composed


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["5UFQ.jpg", "8aaB.jpg"], ["5UFQ", "8aaB"]),
        (["50_7136.png", "7_0042.png"], ["7136", "0042"]),
        (["0_123.png", "1_12345.png", "12_1234.png"], ["123", "12345", "1234"]),
        (["train/0_7136.png", "test/0_0042.png"], ["7136", "0042"]),  # numbered anew in each folder
        (["0_7136.png", "0_7136.txt"], ["7136", "7136"]),
        (["8+7=.png", "10x2=.png"], ["8+7=", "10x2="]),
        (["3_8+7=.png"], ["8+7="]),
    ],
)
def test_labels_are_found_in_file_names_with_or_without_a_number(names: list[str], labels: list[str]) -> None:
    assert plain_labels("DIR", names) == labels


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train_0008.png"], r"DIR/train_0008\.png: 'train' or '0008' may be its text; .*data\.pattern="),
        (["cat_7136_x.jpg"], r"DIR/cat_7136_x\.jpg: 'cat', '7136' or 'x' may be its text"),
        (["7136-a1b2.png"], r"'7136' or 'a1b2' may be its text"),
        (["7136 (1).png"], r"'7136' or '1' may be its text"),
        (["0009.png", "0000.1.png"], r"DIR/0000\.1\.png: '0000' or '1' may be its text"),
        (
            ["1112_0.png", "1112_1.png"],
            r"DIR/1112_1\.png: '1112' or '1' may be its text, as it begins like 1112_0\.png",
        ),
        (["7136.png", "7136_1.png"], r"DIR/7136_1\.png: '7136' or '1' may be its text, as it begins like 7136\.png"),
        (
            ["7136_9.png", "0042_10.png"],
            r"DIR/7136_9\.png: '7136' or '9' may be its text, because all first pieces have the same length",
        ),
        (["_.png"], r"DIR/_\.png: holds no text; rename it"),
    ],
)
def test_an_ambiguous_file_name_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(Mistake, match=message) as refused:
        plain_labels("DIR", names)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "labels"),
    [("train_0008.png", ["train", "0008"]), ("0000.1.png", ["0000", "1"]), ("cat-7136 (x).jpg", ["cat", "7136", "x"])],
)
def test_suggested_patterns_find_each_piece_of_a_name(name: str, labels: list[str], tmp_path: Path) -> None:
    with pytest.raises(Mistake) as refused:
        plain_labels("DIR", [name])
    told = re.findall(r'"(data\.pattern=.*?)"', str(refused.value))
    assert len(told) == len(labels)
    (tmp_path / name).write_bytes(b"")
    for pattern, label in zip(told, labels, strict=True):
        source = build(composed("data=filenames", f"data.root={tmp_path}", pattern)["data"])
        assert [sample.text for sample in source.samples] == [label]
