"""The built site in a real browser: it fits a phone, and needs no other host."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.helpers.browser import BACKGROUNDS, Scheme, chromium, needs_chromium
from tests.helpers.repository import ROOT
from tools.docs.site import gather

if TYPE_CHECKING:
    from playwright.sync_api import Request

pytestmark = pytest.mark.slow
PHONE = 390  # pixels


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of the pages in `folder`/build/pages as make docs does."""
    pytest.importorskip("zensical", reason="needs the extra docs: make test installs it")
    shutil.copyfile(ROOT / "mkdocs.yml", folder / "mkdocs.yml")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    gather(folder / "build" / "pages")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


@pytest.fixture(scope="module")
def home(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@needs_chromium
@pytest.mark.parametrize("scheme", BACKGROUNDS)
def test_no_page_is_wider_than_a_phone_or_asks_another_host(scheme: Scheme, site: Path, home: str) -> None:
    complaints: list[str] = []
    names = sorted(path.relative_to(site / "docs").as_posix() for path in (site / "docs").rglob("*.html"))
    assert len(names) > 40

    def asked(request: Request) -> None:
        if not request.url.startswith((home, "data:", f"blob:{home}")):
            complaints.append(f"asks for {request.url}")

    with chromium() as browser:
        page = browser.new_page(color_scheme=scheme, viewport={"width": PHONE, "height": 844})
        page.on("request", asked)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in ["../index.html", *names]:
            page.goto(f"{home}docs/{name}")
            width = page.evaluate("document.documentElement.scrollWidth")
            tables = page.evaluate(
                "[...document.querySelectorAll('table')].filter((table) => table.scrollWidth > innerWidth).length"
            )
            if width > PHONE or tables:
                complaints.append(f"{name}: {width} pixels wide, {tables} tables wider than the screen")
        grey = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
        assert (int(grey) > 128) == (scheme == "light")
    assert not complaints


def test_every_link_of_the_site_leads_to_a_file(site: Path) -> None:
    for page in site.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="?([^"\s>]+)', page.read_text(encoding="utf-8")):
            path = unquote(link.partition("#")[0])
            if path and not re.match(r"\w+:|/", path):
                assert (page.parent / path).exists(), f"{page.relative_to(site)}: {link}"


@pytest.mark.parametrize("link", ["nowhere.md", "index.md#nowhere"])
def test_a_broken_link_or_anchor_fails_the_build(link: str, tmp_path: Path) -> None:
    gather(tmp_path / "build" / "pages")
    with (tmp_path / "build" / "pages" / "docs" / "index.md").open("a") as index:
        index.write(f"\n[broken]({link})\n")
    assert build(tmp_path).returncode != 0
