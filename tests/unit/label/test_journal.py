"""Journal of the engines' answers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from capbench.errors import Mistake
from capbench.label.journal import Answer, Journal
from capbench.text import Reading

ONE = Answer("image1", "engine", Reading("ab", 0.25, (0.5, 0.5)), 0.125, "")
TWO = Answer("image2", "engine", Reading("é", 1.0, (1.0,)), 0.5, "")
THREE = Answer("image3", "engine", Reading("", 0.0, ()), 0.5, "refused")


def test_journal_answers_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "readings.jsonl"
    with closing(Journal(path)) as journal:
        journal.add([ONE])
        journal.add([TWO, THREE])
    with closing(Journal(path)) as journal:
        assert list(journal.answers.values()) == [ONE, TWO, THREE]


def test_a_journal_in_use_cannot_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    with closing(Journal(path)) as journal:
        journal.add([ONE])
        with pytest.raises(Mistake, match=r"out: another labelling is writing .*readings\.jsonl; wait until it ends"):
            Journal(path)
        journal.add([TWO])
    with closing(Journal(path)) as journal:
        assert list(journal.answers.values()) == [ONE, TWO]


def test_a_damaged_line_of_a_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    with closing(Journal(path)) as journal:
        journal.add([ONE])
    path.write_bytes(path.read_bytes() + b"\0" * 20 + b"\n")
    with pytest.raises(Mistake, match=r"readings\.jsonl:2: is damaged; remove the line"):
        Journal(path)


def test_a_journal_cut_anywhere_loses_only_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    with closing(Journal(path)) as journal:
        journal.add([ONE, TWO])
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with closing(Journal(path)) as journal:
            assert list(journal.answers.values()) == ([ONE] if length >= first else [])
            journal.add([THREE])
        with closing(Journal(path)) as journal:
            assert list(journal.answers.values())[-1] == THREE
