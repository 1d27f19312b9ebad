"""Ice that follows the wind."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification.free_drift import (
    WindFactor,
    carried,
    fit_wind_factor,
    free_drift_concentration,
)

SHAPE = (24, 30)
SIDE = np.full(SHAPE, 10e3)
OCEAN = np.ones(SHAPE, bool)


def bump(column, row=12):
    y, x = np.indices(SHAPE)
    return np.exp(-((x - column) ** 2 + (y - row) ** 2) / 18.0)


def test_drift_is_to_the_right_of_the_wind():
    u, v = WindFactor().drift(10.0, 0.0)
    assert np.hypot(u, v) == pytest.approx(0.174) and v < 0
    assert np.degrees(np.arctan2(v, u)) == pytest.approx(-25)


def test_fit_finds_the_factor():
    rng = np.random.default_rng(0)
    wind = rng.normal(0, 8, (2, 3, *SHAPE))
    drift = np.stack(WindFactor(0.015, -18.0).drift(*wind)) + rng.normal(0, 0.02, wind.shape)
    weights = rng.random(SHAPE)
    weights[0] = 0
    drift[:, :, 0] = np.nan
    found = fit_wind_factor(drift, wind, weights=weights)
    assert found.factor == pytest.approx(0.015, rel=0.01)
    assert found.turning == pytest.approx(-18, abs=0.5)
    with pytest.raises(InputError, match="wind"):
        fit_wind_factor(drift[:, 0], 0 * wind[:, 0], weights=weights)


def test_steady_drift_moves_a_field():
    u = np.full(SHAPE, 0.1)  # 8.64 km a day
    drift = np.stack([u, 2 * u]), np.zeros((2, *SHAPE))
    spans = [3 * 86400, 86400]
    moved = carried(bump(10), *drift, side=SIDE, mask=OCEAN, seconds=spans)
    np.testing.assert_allclose(moved, bump(10 + 4.32), atol=0.03)
    centre = np.sum(moved * np.indices(SHAPE)[1]) / moved.sum()
    assert centre == pytest.approx(14.32, abs=0.04)
    still = carried(bump(10), 0 * drift[0], drift[1], side=SIDE, mask=OCEAN, seconds=spans)
    np.testing.assert_array_equal(still, bump(10))


def test_a_turning_drift_brings_ice_back():
    y, x = np.indices(SHAPE)
    turn = 2 * np.pi / (8 * 86400)  # once round in eight days
    u, v = -turn * (y - 12.0) * SIDE, turn * (x - 14.0) * SIDE
    moved = carried(bump(18), u[None], v[None], side=SIDE, mask=OCEAN, seconds=[8 * 86400])
    np.testing.assert_allclose(moved[5:-5, 5:-5], bump(18)[5:-5, 5:-5], atol=0.05)
    half = carried(bump(18), u[None], v[None], side=SIDE, mask=OCEAN, seconds=[4 * 86400])
    np.testing.assert_allclose(half[5:-5, 5:-5], bump(10)[5:-5, 5:-5], atol=0.05)


def test_land_gives_nothing_and_bounds_are_kept():
    rng = np.random.default_rng(1)
    mask = rng.random(SHAPE) > 0.2
    field = np.where(mask, rng.random(SHAPE), 1e20)
    u, v = rng.normal(0, 0.2, (2, 1, *SHAPE))
    moved = carried(field, u, v, side=SIDE, mask=mask, seconds=[2 * 86400])
    assert moved[mask].min() >= 0 and moved[mask].max() <= 1
    np.testing.assert_array_equal(moved[~mask], field[~mask])


def test_loose_ice_moves_and_pack_and_coast_stay():
    mask = OCEAN.copy()
    mask[:, :2] = False
    initial = np.where(np.indices(SHAPE)[1] < 15, 1.0, 0.0)
    initial[:, 10:15] = 0.5
    u = np.full((2, *SHAPE), 0.2)
    leads = [86400, 2 * 86400]
    found = free_drift_concentration(initial, u, 0 * u, side=SIDE, mask=mask, lead_seconds=leads)
    np.testing.assert_array_equal(found[:, :, :10], np.broadcast_to(initial[:, :10], (2, 24, 10)))
    extent = (found > 0.15).sum(axis=(1, 2)) / SHAPE[0]
    assert (extent > (initial > 0.15).sum() / SHAPE[0] + [1, 2]).all()
    with pytest.raises(InputError, match="ascending"):
        free_drift_concentration(initial, u, 0 * u, side=SIDE, mask=mask, lead_seconds=leads[::-1])
