"""The page of compare in a real browser: trained runs, hostile names, and thousands of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capbench.compare import compare
from tests.helpers.browser import BACKGROUNDS, Scheme, Visit, needs_chromium
from tests.helpers.command import capbench
from tests.helpers.generated_runs import fake, many, study, texts_of
from tests.helpers.settings import FAST, composed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize

pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, needs_chromium]

MODELS = (["model=cnn"], ["model=crnn"], ["model=mlp", "view=characters"], ["model=knn", "view=characters"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page of four recognisers with three seeds each, trained briefly on single digits, and one unfinished run."""
    from capbench.runs import RunFolder
    from capbench.train import experiment

    root = tmp_path_factory.mktemp("real")
    easy = [
        "data.length=1",
        "data.split={train:64,val:16,test:64}",
        "cache=null",
        "trainer.limit_batches=null",
    ]
    for model in MODELS:
        for seed in (1, 2, 3):
            folder = RunFolder(root / "runs" / model[0].partition("=")[2] / str(seed))
            experiment.run(composed(*FAST, *easy, *model, f"seed={seed}"), folder, resumed=False)
    RunFolder(root / "runs" / "unfinished").begin(composed())
    return written(root)


def written(root: Path) -> Path:
    compare.run(
        {
            "runs": str(root / "runs"),
            "where": None,
            "by": "test/exact",
            "group": None,
            "pictures": "rendered",
            "strength": False,
            "out": str(root / "report"),
        }
    )
    return root / "report" / "index.html"


def opened(
    browser: Browser,
    page: Path,
    last: str = "repeat",
    color_scheme: Scheme | None = None,
    viewport: ViewportSize | None = None,
) -> Visit:
    return Visit(browser, page.as_uri(), last, color_scheme, viewport)


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    visit = opened(browser, report)
    yield visit
    assert visit.complaints == []
    visit.page.close()


RANKS, NAMES = "#runs-table tbody td:nth-child(2)", "#runs-table tbody th"


def test_runs_on_the_compare_page_are_ranked_sorted_and_filtered(visit: Visit) -> None:
    page = visit.page
    assert len(visit.texts("#ranking-table tbody tr")) == 4
    assert len(visit.texts(NAMES)) == 12
    by_rank = visit.texts(NAMES)
    page.get_by_role("region", name="Table of runs").get_by_role("button", name="run", exact=True).click()
    assert visit.texts(NAMES) == sorted(by_rank)
    page.get_by_role("region", name="Table of runs").get_by_role("button", name="run", exact=True).press("Enter")
    assert visit.texts(NAMES) == sorted(by_rank, reverse=True)
    assert page.locator("#runs-table th[aria-sort=descending]").inner_text().startswith("run")
    page.get_by_label("Filter").fill("mlp 2")
    assert "mlp/2" in visit.texts(NAMES)
    assert all(name.startswith("mlp") for name in visit.texts(NAMES))
    assert page.locator("#cost-charts circle").count() == 3 * len(visit.texts(NAMES))
    assert f"{len(visit.texts(NAMES))} of 12 runs" in page.locator("#shown").inner_text()
    assert "unfinished" in page.locator("#left-out-table").inner_text()


def test_two_chosen_runs_are_compared_and_their_captchas_shown(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="A: knn/1").click()
    page.get_by_label("B", exact=True).select_option(
        label=next(text for text in visit.texts("#second option") if "mlp/3" in text)
    )
    assert page.get_by_role("button", name="A: knn/1").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="B: mlp/3").get_attribute("aria-pressed") == "true"
    assert "two networks" in page.locator("#pair-verdict").inner_text()
    assert "McNemar" in page.locator("#pair-verdict").inner_text()
    assert ["model", "KNN", "MLP"] in [text.split("\t") for text in visit.texts("#differences tbody tr")]
    assert "seed=1" in page.locator("#repeat").inner_text() or "command" in page.locator("#repeat").inner_text()
    pictures = page.locator("#gallery img")
    assert pictures.count() > 0
    assert all(pictures.evaluate_all("all => all.map(one => one.complete && one.naturalWidth > 0)"))
    assert page.locator("#confusion table").count() == 2
    assert page.locator("#calibration path.curve").count() >= 2
    page.get_by_label("Show", exact=True).select_option("train/loss")
    assert "train/loss in training" in page.locator("#training-chart").inner_text()


@pytest.mark.parametrize("scheme", BACKGROUNDS)
def test_the_compare_page_is_accessible_in_light_and_dark(scheme: Scheme, browser: Browser, report: Path) -> None:
    visit = opened(browser, report, color_scheme=scheme)
    assert visit.background() == BACKGROUNDS[scheme]
    assert visit.serious() == []
    assert visit.complaints == []


def test_the_compare_page_fits_a_phone(browser: Browser, report: Path) -> None:
    visit = opened(browser, report, viewport={"width": 360, "height": 700})
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert visit.serious() == []


def test_no_data_runs_as_script_on_the_compare_page(browser: Browser, tmp_path: Path) -> None:
    root = study(tmp_path / "runs", seeds=1)
    nasty = "<img src=x onerror=document.title='run'><script>document.title='run'<∕script>"
    (root / "cnn").rename(root / nasty)
    predictions = root / nasty / "1" / "predictions.csv"
    predictions.write_text(predictions.read_text().replace("test_0,", f'"{nasty}",', 1))
    visit = opened(browser, written(tmp_path))
    assert any(nasty in name for name in visit.texts(NAMES))
    assert visit.page.title() == "CapBench: comparison of runs"
    assert visit.complaints == []


def test_pruned_runs_are_marked_on_the_compare_page(browser: Browser, tmp_path: Path) -> None:
    for number, pruned in enumerate((None, 2)):
        fake(tmp_path / "runs" / str(number), composed(f"optim.lr={0.1 + number}"), 0.9, texts_of(20), pruned=pruned)
    visit = opened(browser, written(tmp_path))
    assert ["given up" in row for row in visit.texts("#ranking-table tbody tr")] == [False, True]
    assert visit.texts(NAMES) == ["0", "1 (given up)"]
    assert visit.texts("#second option")[1].endswith("; given up)")
    assert visit.complaints == []


@pytest.fixture(scope="module")
def strength_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strength page that the preset strength_quick writes."""
    root = tmp_path_factory.mktemp("strength")
    done = capbench("+experiment=strength_quick", "trainer.progress=false", "hydra.sweep.dir=sweep", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "recogniser" in done.stdout and "ingredient" in done.stdout
    return root / "sweep" / "report" / "strength.html"


@pytest.mark.parametrize("scheme", BACKGROUNDS)
@pytest.mark.parametrize("width", [1280, 360])
def test_the_strength_page_shows_its_tables_and_is_accessible(
    scheme: Scheme, width: int, browser: Browser, strength_page: Path
) -> None:
    visit = opened(browser, strength_page, "made", color_scheme=scheme, viewport={"width": width, "height": 800})
    page = visit.page
    assert sorted(visit.texts("#captcha-1 [aria-label^='What each recogniser'] tbody th")) == ["CNN", "KNN"]
    assert sorted(visit.texts("#captcha-1 [aria-label^='What each ingredient'] tbody th")) == ["lines", "rotation"]
    assert sorted(visit.texts("#captcha-1 [aria-label^='How each symbol'] tbody th")) == [*"0123456789"]
    pictures = page.locator("#captcha-1 .pictures img")
    assert pictures.count() == 3 + 3
    assert all(pictures.evaluate_all("all => all.map(one => one.complete && one.naturalWidth > 0)"))
    assert page.locator("#captcha-1 figure svg[role=img]").count() == 2
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the first captcha"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.serious() == []
    assert visit.complaints == []


def test_no_data_runs_as_script_on_the_strength_page(browser: Browser, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=document['title']='run'>"  # no dot: the name of a class ends a path
    for style in ("default", "clean"):
        for size in (100, 1000):
            for without in (None, nasty):
                look = composed(f"style={style}", f"data.train_size={size}")
                look["data"]["style"]["without"] = without
                look["model"]["_target_"] = f"capbench.models.{nasty}"
                path = tmp_path / "runs" / f"{nasty}{style}" / f"{size}{without is None}"
                fake(path, look, size / 2000, [nasty, *texts_of(20)])
    compare.run({"runs": str(tmp_path / "runs"), "where": None, "by": "test/exact", "group": None, "strength": True, "pictures": "rendered",
          "out": str(tmp_path / "report")})  # fmt: skip
    visit = opened(browser, tmp_path / "report" / "strength.html", "made")
    assert {f"{nasty}default", f"{nasty}clean"} == set(visit.texts("main h2")[1:])
    assert nasty in visit.page.locator("#captcha-1").inner_text()
    assert visit.page.title() == "CapBench: the strength of a captcha"
    assert visit.complaints == []


def test_the_compare_page_shows_two_thousand_runs(
    browser: Browser, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    many(tmp_path / "runs", 2000)
    page = written(tmp_path)
    assert "2,000 runs in" in capfd.readouterr().out
    assert page.stat().st_size < 20e6
    visit = opened(browser, page)
    assert len(visit.texts(NAMES)) == 100
    visit.page.get_by_label("Filter").fill("knn")
    assert len(visit.texts(NAMES)) == 100
    visit.page.get_by_role("button", name="Show all rows").click()
    assert len(visit.texts(NAMES)) > 400
    assert visit.complaints == []
