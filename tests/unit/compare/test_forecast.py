"""Forecast of accuracy: it starts at what was measured, and its band holds hidden accuracies of measured curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from capbench.compare.forecast import BEGUN, FURTHER, SEEDS, WIDEST, Forecast
from capbench.compare.statistics import Z
from tests.helpers.repository import script

MANY = 10**9  # test images: so many that their chance, and the half added to right and to wrong readings, are nothing


def odds(accuracy: float) -> float:
    return float(np.log(accuracy / (1 - accuracy)))


def forecast(images: Sequence[float], accuracies: Sequence[float], tested: int = MANY) -> Forecast:
    made = Forecast.of(images, accuracies, [tested] * len(images))
    assert made is not None
    return made


@pytest.mark.parametrize("last", [0.15, 0.6805, 0.99])
@pytest.mark.parametrize("before", [0.0, 0.5, 0.995])
def test_a_forecast_starts_at_what_was_measured(before: float, last: float) -> None:
    middle, low, high = forecast([1000, 5000, 10_000], [0, before, last]).at(10_000)
    assert middle == pytest.approx(last, abs=1e-6)
    assert low < last < high


def test_seeds_of_one_amount_are_forecast_from_their_mean_accuracy() -> None:
    images = [1000, 2000, 4000, 4000, 4000]
    middle, low, high = forecast(images, [0.3, 0.6, 0.7, 0.8, 0.9]).at(4000)
    assert middle == pytest.approx(0.8, abs=1e-6)
    alone = forecast(images[:3], [0.3, 0.6, 0.8]).at(4000)
    assert low < alone[1] and high > alone[2]  # these seeds scatter more than seeds are taken to


def test_the_middle_rises_half_as_steeply_and_the_band_from_no_rise_to_the_whole() -> None:
    made = forecast([100, 1000, 2000, 4000], [0.01, 0.5, 0.6, 0.7])
    step = odds(0.7) - odds(0.6)
    middle, low, high = made.at(16_000)
    assert odds(middle) == pytest.approx(odds(0.7) + step, abs=1e-5)  # two doublings, half as steep
    two_runs = Z * SEEDS * 2**0.5
    assert odds(low) == pytest.approx(odds(0.7) - two_runs, abs=1e-5)
    in_the_rise = Z * SEEDS * (2 + 2 * 2**2) ** 0.5  # both ends of the last step, over twice its length
    assert odds(high) == pytest.approx(odds(0.7) + 2 * step + in_the_rise, abs=1e-5)


def test_the_last_rise_is_measured_over_twice_the_images_at_least() -> None:
    close = forecast([1000, 2000, 3900, 4000], [0.3, 0.6, 0.8, 0.7])
    apart = forecast([1000, 2000, 4000], [0.3, 0.6, 0.7])
    assert close.at(16_000) == apart.at(16_000)
    assert forecast([1000, 1100, 1200], [0.5, 0.6, 0.7]).rise > 0  # no amounts so far apart: the first and the last


def test_a_fallen_accuracy_is_forecast_to_stay() -> None:
    middle, low, high = forecast([100, 1000, 10_000], [0.9, 0.8, 0.7]).at(40_000)
    assert middle == pytest.approx(0.7, abs=1e-6) and low < 0.7 < high


def test_few_test_images_widen_the_band() -> None:
    widths = []
    for tested in (50, 500, 5000):
        _, low, high = forecast([100, 1000, 10_000], [0.5, 0.8, 0.9], tested).at(20_000)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_needed_images_lie_where_the_lines_cross() -> None:
    made = forecast([100, 1000, 10_000], [0.5, 0.8, 0.9])
    images, at_least = made.needed(0.915)
    assert images and at_least and at_least < images
    assert made.at(images)[0] == pytest.approx(0.915, abs=0.001)
    assert made.needed(0.9999) == (None, None)
    images, at_least = made.needed(0.955)
    assert images is None and at_least is not None  # the middle does not reach it, the band's upper end does


def test_a_curve_that_has_not_begun_to_rise_tells_nothing() -> None:
    made = forecast([100, 1000, 10_000], [0.001, 0.002, BEGUN - 0.01])
    assert made.at(20_000)[2] == 1
    assert made.told_to == 10_000 and made.drawn() == []
    assert made.needed(0.9999) == (None, pytest.approx(10_000))


def test_a_forecast_ends_where_its_band_is_too_wide() -> None:
    made = forecast([1000, 2000, 4000], [0.3, 0.5, 0.65])
    assert 4000 < made.told_to < FURTHER * 4000
    _, low, high = made.at(made.told_to)
    assert high - low == pytest.approx(WIDEST, abs=0.01)
    drawn = made.drawn()
    assert (drawn[0][0], drawn[-1][0]) == pytest.approx((4000, made.told_to))
    assert forecast([1000, 2000, 4000], [0.9, 0.95, 0.96]).told_to == FURTHER * 4000


def test_two_amounts_of_images_give_no_forecast() -> None:
    assert Forecast.of([100, 100, 1000], [0.1, 0.2, 0.5], [100] * 3) is None


def test_accuracies_of_0_and_1_are_forecast() -> None:
    middle, low, high = forecast([100, 1000, 10_000], [0, 0.5, 1], 100).at(40_000)
    assert 0.9 < low < middle < high <= 1


def test_the_band_holds_hidden_accuracies_of_measured_curves() -> None:
    """Forecast the larger amounts of the curves in experiments/forecast/curves.csv from their smaller ones."""
    hidden = script("forecast/hidden.py")
    told = [row for row in hidden.forecasts(hidden.kept()) if row["told"]]
    once = [row for row in told if row["largest"]]
    assert len(told) >= 40 and len(once) >= 40
    for rows in (told, once):
        assert sum(row["held"] for row in rows) >= 0.9 * len(rows)
        assert np.median([abs(row["middle"] - row["measured"]) for row in rows]) < 0.01


def test_a_curve_that_a_study_repeats_is_added_under_a_number() -> None:
    measured = script("forecast/measured.py")
    old, new = ([measured.Point(images, exact, 100) for images in (1, 2, 3, 4)] for exact in (0.5, 0.6))
    found = measured.joined({"a": old, "b": old[:3]}, iter([("a", old), ("a", new), ("c", new[:3])]))
    assert found == {"a": old, "b": old[:3], "a (2)": new}
