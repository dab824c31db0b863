"""Statistics of comparisons, held against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from capbench.compare.statistics import (
    Difference,
    Readers,
    common_slope,
    crossing,
    difference,
    factor,
    holm,
    log_odds,
    mcnemar,
    spread,
)
from capbench.metrics import wilson
from tests.helpers.repository import script


@pytest.mark.parametrize("pair", [(0, 0), (1, 0), (0, 6), (3, 3), (10, 2), (5, 20), (40, 39), (1200, 1300), (0, 3000)])
def test_mcnemar_agrees_with_the_binomial_test_of_scipy(pair: tuple[int, int]) -> None:
    first, second = pair
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert mcnemar(second, first) == mcnemar(first, second)


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (7, 10), (3980, 4000)])
def test_wilson_interval_agrees_with_scipy(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_spread_is_the_sample_standard_deviation() -> None:
    values = [0.9, 0.95, 0.91]
    assert spread(values) == pytest.approx(stats.tstd(values))
    assert spread(values[:1]) is None


def alike(repeats: int, trainings: tuple[int, int], accuracy: float) -> list[tuple[bool, bool]]:
    """Return whether sides of equal settings are called different: by the verdict, and by the images' votes alone."""
    simulate = script("verdict/simulate.py")
    rng = np.random.default_rng(3)
    world = simulate.World(seeds=0.3, taste=0.0)
    return [simulate.tells(*world.draw(rng, [accuracy, accuracy], trainings, 1000)) for _ in range(repeats)]


@pytest.mark.parametrize("accuracy", [0.6, 0.99])
@pytest.mark.parametrize("trainings", [(2, 2), (4, 4), (2, 8)])
def test_equal_settings_are_rarely_called_different(trainings: tuple[int, int], accuracy: float) -> None:
    told, by_votes = np.mean(alike(400, trainings, accuracy), axis=0)
    noise = np.sqrt(0.05 * 0.95 / 400)
    assert told < 0.05 + 3 * noise
    assert by_votes > 0.05 + 9 * noise  # a test of two networks that ignores the scatter between seeds


def readers(right: np.ndarray) -> Readers:
    return Readers(right.mean(axis=1), right.mean(axis=0), np.full(right.shape[1], len(right)))


def test_different_settings_are_called_different() -> None:
    simulate = script("verdict/simulate.py")
    rng = np.random.default_rng(4)
    world = simulate.World(seeds=0.1, taste=0.0)
    found = [difference(*map(readers, world.draw(rng, [0.95, 0.9], (3, 3), 4000))) for _ in range(50)]
    assert np.mean([one.is_sure for one in found]) > 0.8
    assert np.mean([one.at_least < 0.05 < one.at_most for one in found]) > 0.9


def test_the_interval_on_endless_images_equals_welchs() -> None:
    first, second = np.array([0.95, 0.93, 0.96, 0.94]), np.array([0.9, 0.92, 0.93, 0.86])
    images = 10**6
    sides = [Readers(side, np.full(images, side.mean()), np.full(images, 10**9)) for side in (first, second)]
    found, welch = difference(*sides), stats.ttest_ind(first, second, equal_var=False)
    interval = welch.confidence_interval()
    assert (found.at_least, found.at_most) == pytest.approx(interval, rel=1e-3)


def test_two_seeds_that_agree_do_not_narrow_the_interval() -> None:
    images = np.zeros(10**6)
    lone, many = np.array([0.95, 0.9501]), np.linspace(0.9, 0.96, 8)
    sides = [Readers(side, images + side.mean(), np.full(10**6, 10**9)) for side in (lone, many)]
    welch = stats.ttest_ind(lone, many, equal_var=False).confidence_interval()
    assert difference(*sides).at_most > 1.1 * welch.high


@pytest.mark.parametrize(("images", "sure"), [(1, False), (2, False), (5, False), (6, True)])
def test_a_few_images_are_significant_when_the_exact_test_is(images: int, sure: bool) -> None:
    all_read, none_read = np.ones((8, images)), np.zeros((8, images))
    found = difference(readers(all_read), readers(none_read))
    assert (found.value, found.is_sure) == (1, sure)
    assert (mcnemar(images, 0) < 0.05) == sure
    assert not difference(readers(all_read), readers(all_read)).is_sure


def test_crossing_agrees_with_interpolation() -> None:
    images, odds = [100, 300, 1000, 3000], [-3.0, -1.0, 0.5, 2.0]
    for wanted in (-2.5, -1.0, 0.0, 1.9):
        at = crossing(images, odds, wanted)
        assert at is not None
        assert np.interp(np.log(at), np.log(images), odds) == pytest.approx(wanted)
    assert crossing(images, odds, -4.0) == 100
    assert crossing(images, odds, 2.1) is None
    first_of_two = crossing([100, 300, 1000], [0.0, 3.0, -1.0], 1.5)
    assert first_of_two == pytest.approx(100 * 3**0.5)


def test_common_slope_equals_that_of_a_covariance_analysis() -> None:
    """Compare with least squares of log-odds over the log of images, with an offset for each group."""
    draws = np.random.default_rng(3)
    images = [np.array([100, 300, 1000]), np.array([300, 1000, 3000, 10000])]
    odds = [
        1.1 * np.log(images[0]) - 6 + draws.normal(0, 0.3, 3),
        1.1 * np.log(images[1]) - 8 + draws.normal(0, 0.3, 4),
    ]
    design = np.zeros((7, 3))
    design[:, 0] = np.log(np.concatenate(images))
    design[:3, 1] = design[3:, 2] = 1
    expected = np.linalg.lstsq(design, np.concatenate(odds), rcond=None)[0][0]
    groups = [(x.tolist(), y.tolist()) for x, y in zip(images, odds, strict=True)]
    assert common_slope(groups) == pytest.approx(expected)
    assert common_slope([([100, 100], [0.0, 1.0])]) is None


def test_factor_equals_a_paired_t_interval() -> None:
    draws = np.random.default_rng(5)
    whole = draws.normal(0, 1, 6)
    without = whole + draws.normal(0.8, 0.3, 6)
    interval = stats.ttest_rel(without, whole).confidence_interval()
    found = factor((without - whole).tolist(), 1.2)
    assert found is not None
    assert np.log(found) * 1.2 == pytest.approx([(without - whole).mean(), interval.low, interval.high])
    assert factor([0.5], 1.2) is None
    assert factor([0.5, 0.6], -1.0) is None
    assert max(factor([-900.0, 900.0], 1e-3) or [0]) == pytest.approx(1e9)


def test_log_odds_are_exact_and_finite() -> None:
    assert log_odds([0.25], [10**9])[0] == pytest.approx(np.log(1 / 3), abs=1e-6)
    assert np.isfinite(log_odds([0, 1], [10, 10])).all()


@pytest.mark.parametrize(
    ("values", "tests", "corrected"),
    [
        # Four tests, by hand: 0.005 × 4, 0.01 × 3, 0.03 × 2, and 0.04 × 1, which is raised to the one before it.
        ([0.01, 0.04, 0.03, 0.005], 4, [0.03, 0.06, 0.06, 0.02]),
        ([0.01, 0.04], 4, [0.04, 0.12]),  # two of four: the others count as less significant
        ([0.04], 1, [0.04]),
        ([0.5, 0.9], 3, [1.0, 1.0]),
        ([], 0, []),
    ],
)
def test_holm_agrees_with_values_by_hand(values: list[float], tests: int, corrected: list[float]) -> None:
    assert holm(values, tests) == pytest.approx(corrected)


@pytest.mark.parametrize("trainings", [1, 3])
def test_the_best_of_ten_equal_rows_is_rarely_called_better(trainings: int) -> None:
    best, rows = script("verdict/best.py"), 10
    rng = np.random.default_rng(5)
    told = [best.errs(best.values(rng, rows, trainings), rows) for _ in range(600)]
    shares = {way: np.mean([one[way] for one in told]) for way in best.WAYS}
    assert shares["pairs"] < 0.05
    assert shares["uncorrected"] > 0.2


@pytest.mark.parametrize("share", [0.5, 0.02, 1e-6])
def test_the_p_value_is_where_the_interval_touches_0(share: float) -> None:
    found = Difference(0.1, 0.001, 0.0, 4.0)
    assert found.p == pytest.approx(2 * stats.t.sf(0.1 / 0.001**0.5, 4))
    only_images = Difference(-stats.norm.isf(share / 2) * 0.01, 0.0, 0.0001, 4.0)
    assert only_images.p == pytest.approx(share, rel=1e-6)
    assert only_images.is_sure == (only_images.p < 0.05) == (only_images.at_most < 0)
