"""Atomic replacement of files."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from capbench.utils.atomic import UNFINISHED, share


@pytest.fixture(params=[True, False], ids=["with hard links", "without"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")  # the error of FAT and some network file systems

    if not request.param:
        monkeypatch.setattr(os, "link", refused)
    return request.param


def test_share_gives_the_target_the_content_of_the_source(links: bool, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for content in ("first", "second"):
        new = tmp_path / "new"
        new.write_text(content)
        new.replace(source)
        share(source, target)
        assert target.read_text() == content
        assert source.samefile(target) == links
    assert {path.name for path in tmp_path.iterdir()} == {"source", "target"}


def test_a_target_stays_whole_where_the_source_is_missing(links: bool, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("before")
    with pytest.raises(FileNotFoundError):
        share(tmp_path / "missing", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"target"}


def test_a_part_file_of_a_killed_process_is_replaced(links: bool, tmp_path: Path) -> None:
    source, target, left = tmp_path / "source", tmp_path / "target", tmp_path / f".target{UNFINISHED}"
    source.write_text("new")
    target.write_text("old")
    left.write_text("of an earlier epoch")
    share(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "new")
    assert not left.exists()
