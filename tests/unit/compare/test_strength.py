"""Strength of a captcha, computed from runs of known accuracies."""

from __future__ import annotations

import math
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from capbench.compare import compare, folders
from capbench.compare.learning import UNTOLD, Reached
from capbench.compare.statistics import Factor
from capbench.compare.strength import analysis
from capbench.compare.strength.analysis import Bought, Captcha
from capbench.errors import Mistake
from capbench.runs import Prediction, RunFolder
from tests.helpers.generated_runs import fake, texts_of
from tests.helpers.markup import NASTY, Elements
from tests.helpers.protocols import Cli
from tests.helpers.settings import composed
from tests.helpers.tables import read_csv

SLOPE, OFFSET = 1.2, -8.0  # log-odds of reading a text over the log of labelled images
SIZES = (250, 1000, 4000)
MANY = 10**7  # texts tested: so many that the intervals are narrow


def read_with(images: float, harder: float = 1.0) -> float:
    """Return the share of captchas read, where `harder` times as many images are needed as the line says."""
    return 1 / (1 + math.exp(-(SLOPE * math.log(images / harder) + OFFSET)))


def needed(share: float, harder: float = 1.0) -> float:
    return harder * math.exp((math.log(share / (1 - share)) - OFFSET) / SLOPE)


composed_once = cache(composed)


def settings(size: int, *, model: str = "cnn", without: str | None = None, style: str = "default") -> dict[str, Any]:
    whole = deepcopy(composed_once("model=cnn" if model == NASTY else f"model={model}", f"style={style}"))
    whole["data"] |= {"train_size": size, "style": whole["data"]["style"] | {"without": without}}
    return whole


def trained(path: str, size: int, exact: float, *, tested: int = MANY, digest: str = "", **look: Any) -> None:
    result: dict[str, Any] = {"test/exact": exact, "test/images": tested, "data/hash": digest or path}
    fake(Path("runs") / path, settings(size, **look), exact, texts_of(60), **result)


def study(**easier: float) -> None:
    """Write runs of a CNN, of a KNN that needs 20 times as many images, and of a CNN without each ingredient.

    `easier` gives the factor by which an ingredient multiplies the needed images.
    """
    for size in SIZES:
        trained(f"cnn/{size}", size, read_with(size))
        trained(f"knn/{size}", size, read_with(size, harder=20), model="knn")
        for ingredient, factor in easier.items():
            wiggle = 1.05 if size == 1000 else 1.0
            trained(f"cnn/{ingredient}/{size}", size, read_with(size, harder=wiggle / factor), without=ingredient)


def found() -> list[Captcha]:
    runs, left_out = folders.read(Path("runs"))
    assert left_out == []
    return analysis.captchas(runs)


def written(name: str = "report") -> Path:
    wanted = {
        "runs": "runs",
        "where": None,
        "by": "test/exact",
        "group": None,
        "strength": True,
        "pictures": "rendered",
        "out": name,
    }
    compare.run(wanted)
    return Path(name)


def test_images_needed_for_an_accuracy_are_measured_or_forecast() -> None:
    study()
    (captcha,) = found()
    assert [recogniser.name for recogniser in captcha.recognisers] == ["CNN", "KNN"]
    network, neighbours = captcha.recognisers
    half, most, all_but_one = (network.whole.images(target) for target in (0.5, 0.9, 0.99))
    rest = math.log(0.9 / 0.1) - (SLOPE * math.log(4000) + OFFSET)  # a forecast rises half as steeply as the line
    assert half.how == "measured" and half.amount == pytest.approx(needed(0.5), rel=0.01)
    assert most.how == "forecast" and most.amount == pytest.approx(4000 * math.exp(rest / (SLOPE / 2)), rel=0.01)
    assert str(all_but_one) == "not within 16,000"
    assert [str(neighbours.whole.images(target)) for target in (0.5, 0.9)] == [UNTOLD, "not within 16,000"]
    assert str(most).endswith(", forecast")
    assert "CNN reads it best: half of its texts from 790 (" in captcha.verdict


def test_an_accuracy_of_every_amount_needs_at_most_the_least_amount() -> None:
    for size in SIZES:
        trained(str(size), size, 0.97)
    (captcha,) = found()
    assert str(captcha.strongest.whole.images(0.9)) == "at most 250"
    assert str(captcha.strongest.whole.images(0.99)) == "not within 16,000"


def test_a_curve_that_has_flattened_below_a_target_cannot_tell_its_images() -> None:
    for size, exact in ((250, 0.5), (1000, 0.85), (2000, 0.89), (4000, 0.89)):
        trained(str(size), size, exact)
    (captcha,) = found()
    assert captcha.strongest.whole.images(0.9) == Reached("cannot be told", 4000)
    assert captcha.verdict.startswith(
        "CNN reads it best: half of its texts from at most 250 labelled images on, nine in "
    )
    assert "nine in ten: cannot be told from these." in captcha.verdict


def test_a_captcha_that_nobody_reads_yet_cannot_tell_its_images() -> None:
    for size in SIZES:
        trained(str(size), size, size / 400_000)
    (captcha,) = found()
    assert captcha.verdict.startswith(
        "No recogniser reads half of its texts yet: CNN is the best, and how many images it"
    )
    assert "needs cannot be told from these." in captcha.verdict


def test_seeds_widen_the_interval_of_needed_images() -> None:
    for size in SIZES:
        for seed, harder in ((1, 0.7), (2, 1.0), (3, 1.4)):
            look = settings(size) | {"seed": seed}
            result: dict[str, Any] = {"test/exact": read_with(size, harder), "test/images": MANY}
            fake(Path("runs") / f"{size}_{seed}", look, 0.5, texts_of(20), **result)
    (captcha,) = found()
    half = captcha.strongest.whole.images(0.5)
    assert half.at_least == pytest.approx(needed(0.5, 0.7), rel=0.05)
    assert half.at_most == pytest.approx(needed(0.5, 1.4), rel=0.05)
    assert half.at_least is not None and half.at_most is not None and half.at_least < half.amount < half.at_most


def test_needed_seconds_end_with_the_first_epoch_that_reads_enough() -> None:
    study()
    (captcha,) = found()
    # generated: epoch n ends after 15 n CPU seconds and reads skill × (1 − 0.6ⁿ) of 2,000 validation images
    best = read_with(4000)
    epoch = next(n for n in range(1, 13) if best * (1 - 0.6**n) >= 0.5)
    half = captcha.strongest.whole.seconds(0.5)
    assert half is not None and half.amount == 15 * epoch
    assert str(captcha.strongest.whole.seconds(0.99)) == "not within 180"


def test_needed_seconds_are_unknown_without_curves() -> None:
    study()
    for path in Path("runs").rglob("metrics.csv"):
        path.write_text("epoch,seconds\n1,2\n")
    (captcha,) = found()
    assert captcha.strongest.whole.seconds(0.5) is None


def test_the_factor_of_each_ingredient_is_found() -> None:
    study(rotation=3.0, lines=1.0, dots=0.4)
    (captcha,) = found()
    assert [name for name, _ in captcha.ingredients] == ["rotation", "lines", "dots"]
    bought = {name: by["CNN"] for name, by in captcha.ingredients}
    for name, factor in (("rotation", 3.0), ("lines", 1.0), ("dots", 0.4)):
        images = bought[name].images
        assert images is not None and images.value == pytest.approx(factor / 1.05 ** (1 / 3), rel=0.02)
        assert images.at_least < images.value < images.at_most
    assert bought["rotation"].verdict == "makes reading harder for machines" and bought["rotation"].points < 0
    assert bought["lines"].verdict == "does not stop machines: leave it out, for people's sake"
    assert bought["dots"].verdict == "makes reading easier for machines: leave it out"
    assert "Does not stop machines, but bothers people: lines, dots." in captcha.verdict


def test_an_ingredient_that_the_style_lacks_is_named() -> None:
    for size in SIZES:
        trained(f"whole/{size}", size, read_with(size), digest=f"{size}")
        trained(f"without/{size}", size, read_with(size), digest=f"{size}", without="lines")
    (captcha,) = found()
    ((_, bought),) = captcha.ingredients
    assert bought["CNN"].verdict == "the style does not use it"
    assert "Costs machines nothing" not in captcha.verdict


def test_too_few_pairs_give_no_verdict_on_an_ingredient() -> None:
    study()
    trained("cnn/dots", 1000, 0.9, without="dots")
    (captcha,) = found()
    ((_, bought),) = captcha.ingredients
    assert bought["CNN"].verdict.startswith("unknown")


def test_uncertain_ingredients_are_not_called_useless() -> None:
    study()
    for size, factor in zip(SIZES, (0.5, 1.0, 2.5), strict=True):
        trained(f"cnn/warp/{size}", size, read_with(size, harder=1 / factor), without="warp")
    (captcha,) = found()
    ((_, bought),) = captcha.ingredients
    assert bought["CNN"].verdict.startswith("no significant effect")
    assert "Costs machines nothing" not in captcha.verdict


def test_symbols_that_resist_longest_are_named() -> None:
    texts = [f"{n:04d}" for n in range(2000)]
    for size, missed in zip(SIZES, (1.0, 0.8, 0.6), strict=True):
        folder = fake(Path("runs") / str(size), settings(size), 0.5, texts)
        answers = [t.replace("8", "3") if n < missed * len(texts) else t for n, t in enumerate(texts)]
        answers = [a.replace("7", "1") if n % 19 == 0 else a for n, a in enumerate(answers)]
        folder.write_predictions(
            Prediction(f"test_{n}", t, a, 0.5) for n, (t, a) in enumerate(zip(texts, answers, strict=True))
        )
    (captcha,) = found()
    first, second, *others = captcha.symbols
    eights = [sum(t.count("8") for t in texts[int(m * len(texts)) :]) for m in (1.0, 0.8, 0.6)]
    assert first.symbol == "8" and first.is_hard
    assert first.shares == [count / sum(t.count("8") for t in texts) for count in eights]
    assert [symbol for symbol, _ in first.read_as] == ["3"]
    # It is read a little less than the others, but not significantly.
    assert second.symbol == "7" and second.interval[0] < 0.95 < second.interval[1] and not second.is_hard
    assert all(one.shares == [1, 1, 1] and not one.is_hard for one in others)
    assert captcha.verdict.endswith("Hardest symbols: 8.")


def test_seeds_do_not_add_images_of_a_symbol() -> None:
    """Compare the intervals of one seed and of four that read alike."""
    texts = [f"{n:04d}" for n in range(200)]
    intervals = []
    for seeds in ((1,), (1, 2, 3, 4)):
        for size in SIZES:
            for seed in seeds:
                folder = RunFolder(Path("runs") / f"{size}_{seed}")
                if not folder.config.exists():
                    fake(folder.path, settings(size) | {"seed": seed}, 0.5, texts)
                folder.write_predictions(Prediction(t, t, t.replace("8", "3"), 0.5) for t in texts)
        (captcha,) = found()
        intervals.append({one.symbol: one.interval for one in captcha.symbols})
    assert intervals[0] == intervals[1]


def test_pruned_trials_are_no_points_of_a_curve() -> None:
    study()
    fake(Path("runs/given_up"), settings(4000) | {"seed": 2}, 0.1, texts_of(60), pruned=1)
    (captcha,) = found()
    assert [len(recogniser.whole.runs) for recogniser in captcha.recognisers] == [3, 3]


def test_captchas_are_grouped_by_style_and_named_by_folder() -> None:
    for style in ("default", "clean"):
        for size in SIZES:
            trained(f"{style}/{size}", size, read_with(size), style=style)
    assert sorted(captcha.name for captcha in found()) == ["clean", "default"]


def test_strength_of_a_single_amount_of_images_is_refused() -> None:
    trained("only", 1000, 0.5)
    with pytest.raises(Mistake, match=r"strength: no recogniser .* several numbers of labelled images"):
        found()


def test_compare_strength_prints_tables_and_writes_the_report(cli: Cli) -> None:
    study(rotation=3.0, lines=1.0)
    code, out, err = cli("compare", "strength=true")
    assert (code, err) == (0, "")
    assert re.search(r"^CNN +790 \(\S+ to \S+\) +6,\d00 \(.*\), forecast +not within 16,000 ", out, flags=re.MULTILINE)
    assert re.search(
        r"^rotation +×\S+ \(.*\) +– +-\d+\.\d +makes reading harder for machines$", out, flags=re.MULTILINE
    )
    assert {path.name for path in Path("report").iterdir()} == {
        *("index.html", "report.md", "runs.csv"),
        *("strength.html", "strength.md", "strength.csv"),
    }
    rows = read_csv(Path("report/strength.csv"))
    assert len(rows) == 3 * 4  # three targets × (two recognisers, and one of them without each of two ingredients)
    one = next(row for row in rows if row["without"] == "rotation" and row["target"] == "0.5")
    assert float(one["images"]) == pytest.approx(needed(0.5) / 3, rel=0.05)
    assert float(one["factor"]) == pytest.approx(3, rel=0.05)
    report = Path("report/strength.md").read_text()
    assert "| CNN | 790 (" in report and "| rotation |" in report and "| 0 |" in report
    assert Path("report/strength.html").stat().st_size < 300_000


def test_data_never_becomes_markup_of_the_strength_page() -> None:
    texts = [NASTY, *texts_of(30)]
    folder_name = NASTY.replace("/", "∕")
    for size in SIZES:
        for without in (None, NASTY):
            for model in ("cnn", NASTY):
                look = settings(size, without=without)
                look["model"]["_target_"] = f"capbench.models.{model}"
                path = Path("runs") / folder_name / f"{size}_{without is None}_{model == NASTY}"
                fake(path, look, read_with(size), texts, [f"{NASTY}{n}.png" for n in range(31)])
            look = settings(size, style="clean", without=without)
            fake(Path("runs") / f"{folder_name}2" / f"{size}_{without is None}", look, read_with(size), texts)
    content = (written() / "strength.html").read_text()
    elements = Elements(content)
    assert len(elements.attributes["script"]) == 2 and "img" not in elements.attributes
    assert "<" not in elements.texts["script"][0]
    assert "alert(1)" in elements.texts["script"][0]
    assert not re.search(r"(?<!\\)[<`]", Path("report/strength.md").read_text())


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (None, "–"),
        (Factor(1.234, 0.81, 5.678), "×1.2 (0.81 to 5.7)"),
        (Factor(40, 3, 4e7), "×40 (3 to over 1,000)"),
        (Factor(4e7, 2e5, 1e9), "over ×1,000"),
    ],
)
def test_a_factor_beyond_the_tried_amounts_is_shown_as_a_bound(images: Factor | None, told: str) -> None:
    assert str(Bought(images, -0.1, 3, absent=False)) == told
