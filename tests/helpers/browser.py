"""Page in a real browser: its texts, its console messages, and its requests to other servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: make system installs it")
Scheme = Literal["light", "dark"]
BACKGROUNDS: dict[Scheme, str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a headless Chromium; skip the test where Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        # Root and most containers cannot use the sandbox, and /dev/shm is small in containers.
        args = ["--no-sandbox", "--disable-dev-shm-usage"]
        yield started.chromium.launch(executable_path=CHROMIUM, args=args)


class Visit:
    """Open page; the constructor returns when the element `last`, which the page fills last, has text."""

    def __init__(
        self,
        browser: Browser,
        home: str,
        last: str,
        color_scheme: Scheme | None = None,
        viewport: ViewportSize | None = None,
    ) -> None:
        self.page = browser.new_page(color_scheme=color_scheme, viewport=viewport)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, home))
        self.page.goto(home)
        self.await_text(last)

    def await_text(self, element: str, text: str = "") -> None:
        """Wait until `element`, an id, contains `text`, or any text at all.

        A locator runs in an isolated world. `wait_for_function` polls with eval, which the page's Content Security
        Policy forbids from the second poll on.
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

    def background(self) -> str:
        """Return the colour behind the page."""
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that match a CSS selector."""
        return self.page.locator(selector).all_inner_texts()

    def serious(self) -> list[str]:
        """Return the serious and critical violations that an accessibility checker finds."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in ("serious", "critical")]
