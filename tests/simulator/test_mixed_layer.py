"""Slab mixed layer: heat to the ice, relaxation, freezing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.simulator.mixed_layer import MixedLayer, freezing_temperature

LAYER = MixedLayer()
FREEZING = float(LAYER.freezing_point)
DAY = 86400.0


def test_freezing_point_of_sea_water():
    # Check value of Unesco (1983) at the surface.
    assert float(freezing_temperature(5.0)) == pytest.approx(-0.274, abs=1e-3)
    assert float(freezing_temperature(35.0)) == pytest.approx(-1.922, abs=1e-3)


def flux(temperature, concentration, squared_speed, dt, layer=LAYER):
    values = map(jnp.array, (temperature, concentration, squared_speed))
    return float(layer.basal_flux(*values, dt))


def test_flux_is_that_of_exchange_in_a_short_step():
    friction = np.sqrt(5.5e-3 * 0.04 + 0.005**2)
    expected = 1025.0 * 3987.0 * 0.006 * friction * 0.2
    assert flux(FREEZING + 0.2, 1.0, 0.04, 1.0) == pytest.approx(expected, rel=1e-4)
    assert flux(FREEZING + 0.2, 0.0, 0.04, 100 * DAY) == pytest.approx(expected, rel=1e-12)
    still = 1025.0 * 3987.0 * 0.006 * 0.005 * 0.2
    assert flux(FREEZING + 0.2, 1.0, 0.0, 1.0) == pytest.approx(still, rel=1e-4)


@pytest.mark.parametrize("dt", [DAY, 1000 * DAY])
def test_no_step_takes_the_water_past_freezing(dt):
    given = 0.7 * flux(FREEZING + 2.0, 0.7, 1.0, dt) * dt
    capacity = float(LAYER.heat_capacity)
    assert 0 < given <= 2.0 * capacity * (1 + 1e-12)
    half = 0.7 * flux(FREEZING + 2.0, 0.7, 1.0, dt / 2) * dt / 2
    then = 0.7 * flux(FREEZING + 2.0 - half / capacity, 0.7, 1.0, dt / 2) * dt / 2
    assert half + then == pytest.approx(given, rel=1e-10)  # the exact solution of its equation


def test_flux_is_smooth_where_ice_vanishes():
    slope = jax.vmap(
        jax.grad(lambda a: LAYER.basal_flux(jnp.array(0.0), a, jnp.array(0.01), 3600.0))
    )
    found = np.asarray(slope(jnp.array([0.0, 1e-9, 1e-4, 0.01, 0.03])))
    assert np.all(np.isfinite(found)) and np.ptp(found) < 0.03 * abs(found[0])


def test_relaxation():
    temperature = jnp.array([0.0, -1.0, FREEZING])
    target = jnp.array([273.15, 275.15, 100.0])  # the last is below freezing
    gain = LAYER.relaxation(temperature, target, 30 * DAY)
    part = 1 - np.exp(-1.0)
    expected = float(LAYER.heat_capacity) * part * np.array([0.0, 3.0, 0.0])
    np.testing.assert_allclose(gain, expected, rtol=1e-12, atol=1e-6)
    assert not np.any(LAYER.relaxation(temperature, None, DAY))


def test_water_freezes_rather_than_cools_below_freezing():
    temperature = jnp.array([FREEZING + 0.1, FREEZING + 0.1])
    heat = jnp.array([-0.05, -0.3]) * LAYER.heat_capacity
    found, to_freeze = LAYER.advance(temperature, heat)
    np.testing.assert_allclose(found, [FREEZING + 0.05, FREEZING], rtol=1e-12)
    np.testing.assert_allclose(to_freeze / LAYER.heat_capacity, [0.0, 0.2], atol=1e-12)
    np.testing.assert_allclose(
        LAYER.heat(found) - to_freeze - LAYER.heat(temperature), heat, rtol=1e-9
    )


def test_depth_and_salinity_may_be_fields():
    layer = MixedLayer(depth=jnp.array([[20.0, 40.0]]), salinity=jnp.array([[32.0, 34.0]]))
    assert layer.freezing_point.shape == layer.heat_capacity.shape == (1, 2)
    warm = jnp.zeros((1, 2))
    assert layer.basal_flux(warm, warm + 0.5, warm, 3600.0).shape == (1, 2)
