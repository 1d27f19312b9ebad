"""Forecasts that any system has to beat."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification import baselines

RNG = np.random.default_rng(0)
INITIAL, START = RNG.random((2, 4, 5))
LEADS = RNG.random((3, 4, 5))


def damped(correlation, **bounds):
    return baselines.damped_anomaly_persistence(
        INITIAL, normal_start=START, normal_leads=LEADS, correlation=correlation, **bounds
    )


def test_persistence():
    forecast = baselines.persistence(INITIAL, 3)
    assert forecast.shape == (3, 4, 5)
    assert (forecast == INITIAL).all()


def test_climatology():
    assert (baselines.climatology(START, 3) == START).all()
    assert (baselines.climatology(LEADS, 3) == LEADS).all()
    with pytest.raises(InputError, match="with 2 leads"):
        baselines.climatology(LEADS, 2)


def test_damping_lies_between_climatology_and_anomaly_persistence():
    np.testing.assert_allclose(damped(np.zeros(3)), LEADS)
    np.testing.assert_allclose(damped(np.ones(3)), LEADS + (INITIAL - START))
    forecast = damped(np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(forecast[1], LEADS[1] + 0.5 * (INITIAL - START))
    local = np.broadcast_to(np.array([1.0, 0.5, 0.0])[:, None, None], LEADS.shape)
    np.testing.assert_array_equal(damped(local), forecast)


def test_without_seasonal_march_it_is_persistence():
    forecast = baselines.damped_anomaly_persistence(
        INITIAL,
        normal_start=START,
        normal_leads=baselines.persistence(START, 2),
        correlation=np.ones(2),
    )
    np.testing.assert_allclose(forecast, baselines.persistence(INITIAL, 2))


def test_bounds():
    free, bounded = damped(np.ones(3)), damped(np.ones(3), lower=0.0, upper=1.0)
    assert free.min() < 0 and free.max() > 1
    np.testing.assert_array_equal(bounded, free.clip(0, 1))


def test_correlation_is_checked():
    with pytest.raises(InputError, match="outside 0 to 1"):
        damped(np.array([1.2, 0.5, 0.1]))
    with pytest.raises(InputError, match="each of the 3 leads"):
        damped(np.ones(2))
