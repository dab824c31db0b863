"""A page in a real browser: what it shows, and what it complains of or asks of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: make system installs it")


@contextmanager
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        # As root, and within most containers, there is no sandbox; and /dev/shm is small there.
        args = ["--no-sandbox", "--disable-dev-shm-usage"]
        yield started.chromium.launch(executable_path=CHROMIUM, args=args)


class Visit:
    """A page opened, until the element `last`, which it fills last, holds something."""

    def __init__(self, browser: Any, home: str, last: str, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, home))
        self.page.goto(home)
        self.await_text(last)

    def await_text(self, element: str, text: str = "") -> None:
        """Wait until `element`, an id, shows `text`, or anything at all.

        A locator waits in a world of its own. `wait_for_function` polls by eval, which a page's Content Security
        Policy forbids from the second look on.
        """
        from playwright.sync_api import expect

        shown = expect(self.page.locator(f"#{element}"))
        if text:
            shown.to_contain_text(text, timeout=30_000)
        else:
            shown.not_to_be_empty(timeout=30_000)

    def _asked(self, url: str, home: str) -> None:
        own = url.startswith(home) if home.startswith("http") else url == home
        if not own and not url.startswith(("data:", f"blob:{home}")):
            self.complaints.append(f"asks for {url}")

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def serious(self) -> list[str]:
        """What an accessibility checker finds that matters."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in ("serious", "critical")]
