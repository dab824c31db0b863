"""Site of the documentation: its navigation, and the files that it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import pages
from tests.helpers.repository import ROOT
from tools.docs import site

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def navigated(entries: list[Any]) -> Iterator[str]:
    """Yield the pages of the navigation, in its order."""
    for entry in entries:
        below = next(iter(entry.values())) if isinstance(entry, dict) else entry
        if isinstance(below, str):
            yield below
        else:
            yield from navigated(below)


def test_the_navigation_has_every_page_in_the_order_of_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = dict.fromkeys(f"docs/{link.partition('#')[0]}" for link in pages.links(index))
    listed = [page for page in navigated(CONFIG["nav"]) if page.startswith("docs/")]
    assert listed == ["docs/index.md", *linked]
    assert set(listed) == {pages.name_of(page) for page in pages.DOCS}


def test_the_site_holds_what_pages_link_to_and_nothing_else(tmp_path: Path) -> None:
    site.gather(tmp_path)
    held = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {pages.name_of(page) for page in pages.PAGES} <= held
    assert {"SECURITY.md", "experiments/quickstart/curves.png", "docs/site.css"} <= held
    assert not {"Makefile", "src/capbench/errors.py"} & held


@pytest.mark.parametrize("link", ["nowhere.md", "folder"])
def test_a_link_that_leads_to_no_file_is_an_error(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "ROOT", tmp_path)
    (tmp_path / "folder").mkdir()
    page = tmp_path / "page.md"
    page.write_text(f"`[code](is-no-link.md)` [other site](https://example.org) [here](page.md#top) [broken]({link})\n")
    with pytest.raises(SystemExit, match=rf"^page.md: {link} is not a file"):
        site.linked([page])


def test_nothing_of_the_site_is_configured_to_come_from_another_host() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not [
        path for key in ("extra_css", "extra_javascript") for path in CONFIG[key] if not (ROOT / path).is_file()
    ]
