"""Calibration by earlier forecasts, on cases whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.forecast import calibration as cal

NOW = to_seconds("2016-03-01")
CELLS = 400


def case(seed, outcome, start=NOW - 10 * DAY, noise=0.0, spread=0.02):
    """A forecast with random predictors and an outcome made of them."""
    rng = np.random.default_rng(seed)
    observed = rng.uniform(0.3, 0.7, CELLS)
    predictors = rng.uniform(-0.1, 0.1, (2, CELLS))
    true = observed + outcome @ predictors + noise * rng.normal(size=CELLS)
    return cal.Lead(start, observed, predictors, np.full(CELLS, spread), true.clip(0, 1))


def test_factors_of_a_law_are_found():
    factors = np.array([0.6, -0.3])
    found = cal.calibration([case(seed, factors) for seed in range(5)], NOW)
    np.testing.assert_allclose(found.factors, factors, atol=1e-4)
    fresh = case(9, factors)
    told = cal.quantiles(found, fresh, np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(told, np.broadcast_to(fresh.outcome, told.shape), atol=1e-4)


def test_a_forecast_without_skill_becomes_persistence():
    nothing = [case(seed, np.zeros(2), noise=0.02) for seed in range(8)]
    found = cal.calibration(nothing, NOW)
    assert np.abs(found.factors).max() < 0.02
    fresh = case(9, np.zeros(2))
    np.testing.assert_allclose(cal.expected(fresh, found.factors), fresh.observed, atol=3e-3)


def test_a_predictor_that_never_changes_gets_no_factor():
    cases = [case(seed, np.array([0.5, 0.0])) for seed in range(5)]
    cases = [one._replace(predictors=one.predictors * np.array([[1.0], [0.0]])) for one in cases]
    cases = [one._replace(outcome=one.observed + 0.5 * one.predictors[0]) for one in cases]
    found = cal.calibration(cases, NOW)
    np.testing.assert_allclose(found.factors, [0.5, 0.0], atol=1e-4)


def test_cells_without_an_outcome_do_not_count():
    factors = np.array([0.4, 0.1])
    cases = [case(seed, factors) for seed in range(5)]
    holes = np.arange(CELLS) % 3 == 0
    spoiled = [one._replace(outcome=np.where(holes, np.nan, one.outcome)) for one in cases]
    found = cal.calibration(spoiled, NOW)
    np.testing.assert_allclose(found.factors, factors, atol=1e-4)
    assert np.isfinite(found.residuals).all() and found.residuals.size == 5 * (~holes).sum()


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_quantiles_hold_their_share_of_outcomes(noise):
    factors = np.array([0.5, 0.2])
    earlier = [case(seed, factors, noise=noise) for seed in range(20)]
    found = cal.calibration(earlier, NOW)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    shares = []
    for seed in range(100, 110):
        fresh = case(seed, factors, noise=noise)
        shares.append((fresh.outcome <= cal.quantiles(found, fresh, levels)).mean(axis=1))
    np.testing.assert_allclose(np.mean(shares, axis=0), levels, atol=0.02)


def test_errors_are_those_of_cells_alike():
    factors = np.array([0.5, 0.0])
    sure = [case(seed, factors, noise=0.01, spread=0.005) for seed in range(5)]
    unsure = [case(seed + 50, factors, noise=0.08, spread=0.2) for seed in range(5)]
    found = cal.calibration(sure + unsure, NOW)
    widths = [
        np.ptp(cal.quantiles(found, case(9, factors, spread=spread), [0.16, 0.84]), axis=0).mean()
        for spread in (0.005, 0.2)
    ]
    np.testing.assert_allclose(widths, [0.02, 0.16], rtol=0.2)


@given(st.integers(0, 2**31), st.floats(0, 0.5))
def test_quantiles_ascend_within_the_bounds(seed, noise):
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(4):
        observed = rng.choice([0.0, 1.0, 0.5], CELLS)
        change = rng.normal(0, 0.3, (4, CELLS))
        true = (observed + noise * rng.normal(size=CELLS)).clip(0, 1)
        cases.append(cal.Lead(NOW, observed, change, rng.uniform(0, 0.1, CELLS), true))
    found = cal.calibration(cases, NOW)
    told = cal.quantiles(found, cases[0], (np.arange(20) + 0.5) / 20)
    assert told.min() >= 0 and told.max() <= 1
    assert np.all(np.diff(told, axis=0) >= 0)


def test_members_keep_their_order_and_take_the_values():
    rng = np.random.default_rng(3)
    members = rng.uniform(size=(9, 50))
    values = np.sort(rng.uniform(size=(9, 50)), axis=0)
    found = cal.in_order_of(members, values)
    np.testing.assert_array_equal(np.sort(found, axis=0), values)
    np.testing.assert_array_equal(np.argsort(found, axis=0), np.argsort(members, axis=0))
    alike = cal.in_order_of(np.ones((9, 50)), values)
    np.testing.assert_array_equal(alike, values)


def test_weight_by_the_day_of_the_year():
    year = round(365.2425 * DAY)
    assert cal.season_weight(NOW, NOW) == 1.0
    assert cal.season_weight(NOW, NOW - 3 * year) == pytest.approx(1.0, abs=1e-4)
    one_sigma = NOW - 2 * year - 30 * DAY
    assert cal.season_weight(NOW, one_sigma) == pytest.approx(np.exp(-0.5), rel=0.02)
    assert cal.season_weight(NOW, one_sigma) == cal.season_weight(one_sigma, NOW)
    assert cal.season_weight(NOW, NOW - year // 2) < 1e-7


def test_too_few_of_the_season():
    summer = [case(seed, np.zeros(2), start=NOW - 180 * DAY) for seed in range(20)]
    with pytest.raises(InputError, match=r"20 earlier .* worth 0.0 .* give more forecasts"):
        cal.calibration(summer, NOW)
