"""The page of compare: its data, its security policy, its pictures and curves."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from capbench.compare import page, paper
from capbench.compare.comparison import compare
from capbench.compare.folders import Pictures, Run
from capbench.data.sources.base import Sample
from capbench.images import folder
from capbench.render.faces import bundled_fonts
from capbench.settings import build
from tests.helpers.generated_runs import fake, study, texts_of
from tests.helpers.markup import NASTY, Elements
from tests.helpers.settings import composed


def written(root: Path) -> tuple[str, Any]:
    page.write(Path("index.html"), compare(root, None, "test/exact", None))
    content = Path("index.html").read_text()
    return content, json.loads(Elements(content).texts["script"][0])


def test_the_page_allows_only_its_own_script_and_style() -> None:
    content, _ = written(study(Path("runs")))
    elements = Elements(content)
    policy = elements.attributes["meta"][1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind, text in (("style", elements.texts["style"][0]), ("script", elements.texts["script"][1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", content)


def test_data_never_becomes_markup_of_the_page() -> None:
    texts = [NASTY, *texts_of(30)]
    settings = {**composed(), "name": NASTY, "tags": [NASTY]}
    fake(Path("runs") / "a", settings, 0.0, texts, [f"{NASTY}{n}.png" for n in range(31)], command=NASTY, git=NASTY)
    fake(Path("runs") / NASTY.replace("/", "∕"), {**settings, "seed": 2}, 0.9, texts, command="\u2028")
    (Path("runs") / "a" / NASTY.replace("/", "-")).mkdir()
    (Path("runs") / "a" / NASTY.replace("/", "-") / "config.yaml").write_text("a: 1\n")
    content, data = written(Path("runs"))
    assert len(Elements(content).attributes["script"]) == 2
    assert "img" not in Elements(content).attributes
    assert "<" not in Elements(content).texts["script"][0]
    assert NASTY in data["facts"]["command"]["values"]
    comparison = compare(Path("runs"), None, "test/exact", None)
    paper.write_markdown(Path("report.md"), comparison)
    assert not re.search(r"(?<!\\)[<`]", Path("report.md").read_text())


def test_a_run_without_predictions_or_curves_is_still_measured() -> None:
    study(Path("runs"), seeds=1)
    for name in ("predictions.csv", "metrics.csv"):
        (Path("runs/mlp/1") / name).unlink()
    _, data = written(Path("runs"))
    place = data["names"].index("mlp/1")
    assert data["judged"][place] is None
    assert data["curves"][place] is None
    assert 0.5 < data["measures"]["test/exact"][place] < 0.7
    assert sum(judged is not None for judged in data["judged"]) == 3


def test_the_page_encodes_right_readings_as_bits() -> None:
    _, data = written(study(Path("runs"), images=37, seeds=1))
    for name, judged in zip(data["names"], data["judged"], strict=True):
        rows = Path("runs", name, "predictions.csv").read_text().splitlines()[1:]
        right = [row.split(",")[1] == row.split(",")[2] for row in rows]
        bits = base64.b64decode(judged["right"])
        assert [bool(bits[place // 8] >> place % 8 & 1) for place in range(37)] == right
        assert sum(count for count, _, _ in judged["calibration"]) == 37


def good_and_bad(settings: dict[str, Any], samples: Sequence[Sample]) -> None:
    """Write two runs that read these test images so differently that they dispute some."""
    texts, names = [sample.text for sample in samples], [sample.name for sample in samples]
    for model, skill in (("good", 0.95), ("bad", 0.5)):
        changed = {**settings, "name": model, "optim": {**settings["optim"], "lr": skill}}
        fake(Path("runs") / model, changed, skill, texts, names)


def pictures(wanted: Pictures = "rendered") -> dict[str, Any]:
    (exam,) = page.data(compare(Path("runs"), None, "test/exact", None), wanted)["exams"]
    return dict(exam["pictures"])


def test_the_page_shows_disputed_captchas() -> None:
    settings = composed("data.split={train:8,val:8,test:60}")
    samples = build(settings["data"]).only("test").samples[-60:]
    texts = [sample.text for sample in samples]
    good_and_bad(settings, samples)
    _, data = written(Path("runs"))
    (exam,) = data["exams"]
    assert 8 <= len(exam["pictures"]) <= 16
    for place, (text, source) in exam["pictures"].items():
        assert text == texts[int(place)]
        assert source.startswith("data:image/webp;base64,")
        assert any(place in judged["answers"] for judged in data["judged"])


def test_images_of_a_labelled_folder_are_shown_only_on_demand(labelled: Path) -> None:
    settings = composed("data=csv", f"data.root={labelled}", "alphabet=digits")
    good_and_bad(settings, build(settings["data"]).samples)
    assert not pictures()
    assert len(pictures("all")) >= 8


def test_a_source_of_files_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = composed("data=csv", "data.root=/", "alphabet=digits")
    good_and_bad(settings, [Sample(f"{number}.png", text, "", None) for number, text in enumerate(texts_of(60))])

    def opened(*_: Any) -> None:
        raise AssertionError("a folder was opened")

    monkeypatch.setattr(folder.Files, "__init__", opened)
    assert not pictures()


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(["style.fonts=[{font}]"], id="a font of the run's choosing"),
        pytest.param(["style.font_sizes=[" + ",".join(["42"] * 2000) + "]"], id="thousands of sizes"),
    ],
)
def test_an_oversized_style_or_a_foreign_font_is_not_drawn(look: list[str], tmp_path: Path) -> None:
    font = shutil.copy(bundled_fonts()["DejaVuSans.ttf"], tmp_path / "own.ttf")
    settings = composed("data.split={train:8,val:8,test:60}")
    samples = build(settings["data"]).only("test").samples[-60:]
    good_and_bad(composed("data.split={train:8,val:8,test:60}", *(of.format(font=font) for of in look)), samples)
    assert not pictures()


def test_only_the_beginning_of_a_huge_test_part_is_drawn() -> None:
    settings = composed("data.split={train:8,val:8,test:60}")
    samples = build(settings["data"]).only("test").samples[-60:]
    good_and_bad(composed("data.split={train:8,val:8,test:1000000000000}"), samples)
    assert 8 <= len(pictures()) <= 16


def test_the_page_forecasts_learning_curves() -> None:
    for size, skill in ((100, 0.2), (1000, 0.6), (10000, 0.9)):
        fake(Path("runs") / str(size), composed(f"data.train_size={size}"), skill, texts_of(200))
    _, data = written(Path("runs"))
    (curve,) = data["learning"]
    assert curve["most"] == 10000
    assert [point[0] for point in curve["line"]] == [100, 1000, 10000]
    assert curve["forecast"][0][:2] == pytest.approx([10000, curve["line"][-1][1]], abs=0.01)
    assert curve["forecast"][-1][0] == 40000
    assert 0.9 < curve["forecast"][-1][1] < 1
    assert curve["furthest"].startswith("with 40,000: 0.9")


def test_long_training_curves_are_thinned(tmp_path: Path) -> None:
    study(tmp_path / "runs", seeds=1)
    path = tmp_path / "runs" / "cnn" / "1" / "metrics.csv"
    path.write_text("epoch,val/exact\n" + "".join(f"{epoch},0.5\n" for epoch in range(1, 501)))
    run: Run = compare(tmp_path / "runs", None, "test/exact", None).runs[0]
    curve = page._curve(run)
    assert curve is not None
    assert len(curve["epoch"]) == page.MOST_EPOCHS
    assert (curve["epoch"][0], curve["epoch"][-1]) == (1, 500)


@pytest.mark.parametrize("content", ["", "epoch\n", "epoch,val/exact\n1\n", "epoch,val/exact\na,b\n"])
def test_a_damaged_training_curve_is_left_out(content: str) -> None:
    study(Path("runs"), seeds=1)
    Path("runs/cnn/1/metrics.csv").write_text(content)
    assert page._curve(compare(Path("runs"), None, "test/exact", None).runs[0]) is None
