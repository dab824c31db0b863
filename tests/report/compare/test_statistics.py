"""The statistics agree with scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from capbench.metrics import wilson
from capbench.report.compare.statistics import Growth, common_slope, crossing, factor, log_odds, mcnemar, spread


@pytest.mark.parametrize("pair", [(0, 0), (1, 0), (0, 6), (3, 3), (10, 2), (5, 20), (40, 39), (1200, 1300), (0, 3000)])
def test_mcnemar(pair: tuple[int, int]) -> None:
    first, second = pair
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert mcnemar(second, first) == mcnemar(first, second)


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (7, 10), (3980, 4000)])
def test_wilson(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_spread() -> None:
    values = [0.9, 0.95, 0.91]
    assert spread(values) == pytest.approx(stats.tstd(values))
    assert spread(values[:1]) is None


def growing(images: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    odds = 1.2 * np.log(images) - 8 + np.random.default_rng(seed).normal(0, noise, len(images))
    return 1 / (1 + np.exp(-odds))


def test_the_line_and_its_band() -> None:
    images = np.array([100, 100, 300, 1000, 3000, 10000])
    tested = 10**9  # so many that the half added to right and wrong tells nothing
    accuracies = growing(images, 0.2)
    fit = Growth.of(images.tolist(), accuracies.tolist(), [tested] * len(images))
    assert fit is not None
    x, y = np.log(images), np.log(accuracies / (1 - accuracies))
    line = stats.linregress(x, y)
    assert (fit.slope, fit.offset) == pytest.approx((line.slope, line.intercept), abs=1e-6)

    # The interval of a new observation, from the covariance of the two coefficients.
    coefficients, covariance = np.polyfit(x, y, 1, cov="unscaled")
    variance = ((y - np.polyval(coefficients, x)) ** 2).sum() / (len(x) - 2)
    place = np.array([np.log(40000), 1])
    reach = stats.t.ppf(0.975, len(x) - 2) * np.sqrt(variance * (1 + place @ covariance @ place))
    middle = np.polyval(coefficients, np.log(40000))
    expected = [1 / (1 + np.exp(-odds)) for odds in (middle, middle - reach, middle + reach)]
    assert fit.at(40000) == pytest.approx(expected, rel=1e-5)


def test_how_many_images_an_accuracy_needs() -> None:
    images = np.array([100, 1000, 10000])
    fit = Growth.of(images.tolist(), growing(images, 0).tolist(), [10**9] * 3)
    assert fit is not None
    assert fit.needed(0.5).images == pytest.approx(np.exp(8 / 1.2), rel=0.01)
    fallen = Growth.of([100, 1000, 10000], [0.9, 0.8, 0.7], [1000] * 3)
    assert fallen is not None and fallen.needed(0.95) == (None, None, None)


def test_what_is_needed_lies_where_the_band_crosses() -> None:
    images = np.array([100, 300, 1000, 3000, 10000])
    fit = Growth.of(images.tolist(), growing(images, 0.3, 1).tolist(), [10**9] * 5)
    assert fit is not None
    needed, least, most = fit.needed(0.9)
    assert needed and least and most and least < needed < most
    assert fit.at(needed)[0] == pytest.approx(0.9, abs=0.002)
    assert fit.at(least)[2] == pytest.approx(0.9, abs=0.002)
    assert fit.at(most)[1] == pytest.approx(0.9, abs=0.002)
    assert fit.needed(1 - 1e-12).images is None


def test_the_band_holds_what_it_says() -> None:
    images = np.array([100, 300, 1000, 3000, 10000])
    inside = 0
    for seed in range(400):
        accuracies = growing(np.append(images, 40000), 0.3, seed)
        fit = Growth.of(images.tolist(), accuracies[:-1].tolist(), [10**9] * 5)
        assert fit is not None
        _, low, high = fit.at(40000)
        inside += low <= accuracies[-1] <= high
    assert 0.92 < inside / 400 < 0.98


def test_too_little_to_fit() -> None:
    assert Growth.of([100, 100, 1000], [0.1, 0.2, 0.5], [100] * 3) is None


def test_all_or_none_read_is_finite() -> None:
    fit = Growth.of([100, 1000, 10000], [0, 0.5, 1], [100] * 3)
    assert fit is not None
    assert 0 < fit.at(100)[0] < 0.1 and 0.9 < fit.at(10000)[0] < 1


def test_a_curve_crosses_where_interpolation_says() -> None:
    images, odds = [100, 300, 1000, 3000], [-3.0, -1.0, 0.5, 2.0]
    for wanted in (-2.5, -1.0, 0.0, 1.9):
        at = crossing(images, odds, wanted)
        assert at is not None
        assert np.interp(np.log(at), np.log(images), odds) == pytest.approx(wanted)
    assert crossing(images, odds, -4.0) == 100
    assert crossing(images, odds, 2.1) is None
    assert crossing([100, 300, 1000], [0.0, 3.0, -1.0], 1.5) == pytest.approx(100 * 3**0.5)  # the first time counts


def test_the_common_slope_is_that_of_a_covariance_analysis() -> None:
    """Least squares of log-odds over the log of images, with an offset of its own for each group."""
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


def test_a_factor_is_a_paired_t_interval() -> None:
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


def test_log_odds() -> None:
    assert log_odds([0.25], [10**9])[0] == pytest.approx(np.log(1 / 3), abs=1e-6)
    assert np.isfinite(log_odds([0, 1], [10, 10])).all()
