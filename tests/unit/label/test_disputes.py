"""Page of disputed images."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from capbench.images.folder import Files
from capbench.label import disputes
from capbench.label.agreement import Decision
from capbench.text import Reading


def test_oversized_and_missing_images_are_listed_on_the_disputes_page(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (3_000_000, 1)).save(folder / "wide.png")
    Image.new("RGB", (2000, 1000)).save(folder / "large.png")
    names = ["wide.png", "large.png", "gone.png"]
    disputes.page(
        tmp_path / "page.html",
        Files(str(folder), "images"),
        dict.fromkeys(names, Decision("", 0.0, (), "the engines disagree")),
        {name: {"a": Reading("12", 0.5, (0.7, 0.7))} for name in names},
    )
    page = (tmp_path / "page.html").read_text()
    assert "3 of 3 disputed images" in page
    assert page.count("<input name=") == page.count('data-image="') == 2
    assert "gone.png</td><td></td><td>cannot be read" in page
    assert len(page) < 20_000


def test_names_texts_and_reasons_are_no_markup(tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>\"'"
    Image.new("RGB", (60, 30)).save(tmp_path / f"{nasty}.png")
    disputes.page(
        tmp_path / "page.html",
        Files(str(tmp_path), "images"),
        {f"{nasty}.png": Decision("", 0.0, (), nasty)},
        {f"{nasty}.png": {nasty: Reading(nasty, 0.5, (0.7, 0.7))}},
    )
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") == 1
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&#34;&#39;") == 7
