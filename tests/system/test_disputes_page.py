"""The page of disputed images in a real browser: texts are typed, and saved as corrections."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from capbench.data.corrections import digest_of
from capbench.images.folder import Files
from capbench.label import disputes
from capbench.label.agreement import Decision
from capbench.text import Reading
from tests.helpers.browser import Visit, chromium, needs_chromium

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, needs_chromium]


def test_what_is_typed_is_saved_as_corrections(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    names = ["a.png", 'b,"<i>.png', "c.png", "d.png"]
    for number, name in enumerate(names):
        Image.new("RGB", (60, 30), (number, 0, 0)).save(folder / name)
    disputes.page(
        tmp_path / "disputed.html",
        Files(str(folder), "images"),
        dict.fromkeys(names, Decision("", 0.0, (), "the engines disagree")),
        {name: {"a": Reading("12", 0.5, (0.7, 0.7))} for name in names},
    )
    with chromium() as browser:
        visit = Visit(browser, (tmp_path / "disputed.html").as_uri(), "save")
        page = visit.page
        page.get_by_label("text of a.png").fill("12")
        page.keyboard.press("Enter")
        page.keyboard.type(" -")
        page.get_by_label("text of c.png").fill('3"4')
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save corrections.csv").click()
        saving.value.save_as(tmp_path / "corrections.csv")
        assert saving.value.suggested_filename == "corrections.csv"
        assert visit.serious() == []
        assert visit.complaints == []
    with (tmp_path / "corrections.csv").open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    digests = [digest_of((folder / name).read_bytes()) for name in names]
    assert rows == [("a.png", "12", digests[0]), (names[1], "", digests[1]), ("c.png", '3"4', digests[2])]
