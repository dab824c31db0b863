"""The page of serve in a real browser: images dropped, pasted and chosen, errors, two runs, a token."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")
playwright = pytest.importorskip("playwright.sync_api")

from capbench.serve.process import Served  # noqa: E402
from tests.helpers.browser import BACKGROUNDS, Scheme, Visit, needs_chromium  # noqa: E402
from tests.helpers.graphs import graph, offline, picture  # noqa: E402
from tests.helpers.tables import read_csv  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FileChooser, FilePayload, Page, ViewportSize

pytestmark = [pytest.mark.slow, needs_chromium]

HAND_OVER = """([kind, files]) => {
  const data = new DataTransfer();
  for (const [name, type, content] of files)
    data.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, { type }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("graphs")
    return [graph(folder / "a.onnx", "first"), graph(folder / "b.onnx", "second", seed=2)]


@pytest.fixture(scope="module")
def two(graphs: list[Path]) -> Iterator[Served]:
    with Served(f"[{graphs[0]},{graphs[1]}]") as server:
        yield server


class Reading(Visit):
    """Page of a server, and a person's actions on it."""

    def __init__(
        self,
        browser: Browser,
        server: Served,
        color_scheme: Scheme | None = None,
        viewport: ViewportSize | None = None,
    ) -> None:
        super().__init__(browser, f"http://127.0.0.1:{server.port}/", "runs", color_scheme, viewport)

    def hand_over(self, kind: str, *files: tuple[str, bytes]) -> None:
        types = {".png": "image/png", ".jpg": "image/jpeg", ".txt": "text/plain"}
        given = [(name, types[name[-4:]], base64.b64encode(content).decode()) for name, content in files]
        self.page.evaluate(HAND_OVER, [kind, given])

    def status(self, text: str) -> None:
        self.await_text("status", text)


@pytest.fixture
def visit(browser: Browser, two: Served) -> Iterator[Reading]:
    visit = Reading(browser, two)
    yield visit
    assert visit.complaints == []
    visit.page.close()


def png(name: str, content: bytes) -> FilePayload:
    """Return a file as a file dialogue gives it to a page."""
    return {"name": name, "mimeType": "image/png", "buffer": content}


def test_dropped_images_are_read_by_each_run(visit: Reading, graphs: list[Path]) -> None:
    assert visit.texts("#runs") == ["Images are read by first (alphabet 0123456789) and second (alphabet 0123456789)."]
    visit.hand_over("drop", ("one.png", picture(1)), ("two.jpg", picture(2, ".jpg")))
    visit.status("2 images read.")
    expected = [[offline(path, file)[0].text for path in graphs] for file in (picture(2, ".jpg"), picture(1))]
    items = visit.page.locator("#answers > li")
    assert [items.nth(n).locator(".text code").all_inner_texts() for n in range(2)] == expected
    assert items.nth(0).locator(".differ").inner_text() == "The runs read different texts."
    assert visit.page.locator("#answers img").evaluate_all(
        "all => all.every(one => one.complete && one.naturalWidth === 50)"
    )
    rows = items.nth(0).locator(".reading").nth(0).locator("tbody tr")
    read = offline(graphs[0], picture(2, ".jpg"))[0]
    assert rows.count() == 4
    for number, character in enumerate(read.characters):
        shown = rows.nth(number).inner_text().split()
        assert [shown[0], shown[3]] == [character.symbol, character.runner_up]
        assert abs(float(shown[1]) - 100 * character.confidence) < 0.06
        width, share = (
            rows.nth(number)
            .locator(".bar")
            .nth(0)
            .evaluate("bar => [parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth, bar.clientWidth]")
        )
        assert share > 20 and abs(width - character.confidence) < 0.02


def test_pasted_images_and_base64_texts_are_read(visit: Reading, graphs: list[Path]) -> None:
    visit.hand_over("paste", ("image.png", picture(3)))
    visit.status("1 image read.")
    uri = f"data:image/png;base64,{base64.b64encode(picture(4)).decode()}"
    visit.page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        uri,
    )
    visit.status("2 images read.")
    texts = visit.texts("#answers .reading:first-of-type .text code")
    assert [read.text for read in offline(graphs[0], picture(4), picture(3))] == texts[::1]


def test_errors_are_shown_and_answers_can_be_downloaded(visit: Reading, graphs: list[Path], tmp_path: Path) -> None:
    nasty = '<img src=x onerror=document.title="run">,"a.png'
    visit.page.set_input_files(
        "#files",
        [
            png(nasty, picture(1)),
            png("half.png", picture(1)[:200]),
            png("wide.png", picture(1, width=99)),
            png("large.png", bytes(17 * 2**20)),
        ],
    )
    visit.status("1 image read; 3 could not be read, see below.")
    wrong = visit.texts("#answers .is-wrong")
    assert "a request may have 16,777,216 bytes" in wrong[0]
    assert len(wrong) == 4 and all("20×50" in text for text in wrong[1:3])
    assert wrong[3].startswith("Not read: is truncated")
    assert visit.page.title() == "CapBench: read captchas"
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download answers.csv").click()
    download.value.save_as(tmp_path / "answers.csv")
    rows = read_csv(tmp_path / "answers.csv")
    assert [row["filename"] for row in rows] == [nasty, nasty, "half.png", "wide.png", "wide.png", "large.png"]
    assert [row["text"] for row in rows[:2]] == [offline(path, picture(1))[0].text for path in graphs]
    assert rows[2]["error"].startswith("is truncated") and rows[2]["text"] == ""
    visit.page.get_by_role("button", name="Clear").click()
    assert visit.page.locator("#answers li").count() == 0


def test_more_images_than_a_request_takes_are_all_read(visit: Reading) -> None:
    visit.hand_over("drop", *((f"{number}.png", picture(number)) for number in range(70)))
    visit.status("70 images read.")
    assert visit.texts("#answers h3")[0] == "69.png"


def chooser_opened_by_key(page: Page) -> FileChooser:
    """Press Enter and return the file dialogue that opens.

    A browser opens a dialogue only within seconds of a person's key, which may be too short on a busy machine, so the
    key is pressed up to four times.
    """
    for _ in range(4):
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press("Enter")
            return chooser.value
        except playwright.TimeoutError:
            continue
    raise AssertionError("Enter opens no dialogue for files")


def test_the_serve_page_can_be_used_by_keyboard(visit: Reading) -> None:
    focused = "document.activeElement.id || document.activeElement.className"
    page = visit.page
    order = []
    for _ in range(2):
        page.keyboard.press("Tab")
        order.append(page.evaluate(focused))
    assert order == ["skip", "files"]
    chooser_opened_by_key(page).set_files([png("a.png", picture(1))])
    visit.status("1 image read.")
    order = []
    for _ in range(2):
        page.keyboard.press("Tab")
        order.append(page.evaluate(focused))
    assert order == ["save", "clear"]
    page.keyboard.press("Enter")
    visit.status("All images are removed.")
    assert page.evaluate(focused) == "files"


@pytest.mark.parametrize("scheme", BACKGROUNDS)
def test_the_serve_page_is_accessible_in_light_and_dark(scheme: Scheme, browser: Browser, two: Served) -> None:
    visit = Reading(browser, two, color_scheme=scheme)
    assert visit.serious() == []  # without answers as well
    visit.hand_over("drop", ("one.png", picture(1)), ("bad.png", b"bad"))
    visit.status("1 image read; 1 could not be read")
    assert visit.background() == BACKGROUNDS[scheme]
    assert visit.serious() == []
    assert visit.complaints == []


def test_the_serve_page_fits_a_phone(browser: Browser, two: Served) -> None:
    visit = Reading(browser, two, viewport={"width": 360, "height": 700})
    visit.hand_over("drop", ("a-name-that-is-quite-long-and-has-no-spaces-at-all-in-it.png", picture(1)))
    visit.status("1 image read.")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert visit.serious() == []


def test_the_serve_page_asks_for_the_token_and_uses_it(
    browser: Browser, graphs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPBENCH_TOKEN", "right")
    with Served(graphs[0]) as server:
        visit = Reading(browser, server)
        visit.page.get_by_label("Token").fill("wrong")
        visit.page.keyboard.press("Enter")
        visit.hand_over("drop", ("one.png", picture(1)))
        visit.status("token is missing or wrong")
        assert visit.serious() == []
        visit.page.get_by_label("Token").fill("right")
        visit.page.get_by_role("button", name="Use token").click()
        visit.status("1 image read.")
        visit.page.reload()
        visit.await_text("runs")
        visit.hand_over("drop", ("two.png", picture(2)))
        visit.status("1 image read.")
        assert [text for text in visit.complaints if "401" not in text] == []


def test_the_serve_page_reports_a_stopped_server(browser: Browser, graphs: list[Path]) -> None:
    with Served(graphs[0]) as server:
        visit = Reading(browser, server)
    visit.hand_over("drop", ("one.png", picture(1)))
    visit.status("0 images read; 1 could not be read")
    assert "the service does not answer" in visit.texts("#answers .is-wrong")[0]
