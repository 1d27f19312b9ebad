"""Free drift against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.simulator.free_drift import FreeDrift

from .conftest import random_state, steady_forcing

GRID = Grid.box((4, 5), 20e3)
velocity = jax.jit(FreeDrift.velocity)
ONES, ZEROS = np.ones(GRID.shape), np.zeros(GRID.shape)


def thin_ice(concentration):
    return IceState(concentration, 0.01 * concentration, ZEROS, ZEROS, ZEROS, ZEROS)


@pytest.mark.parametrize("direction", [0.0, 77.0, 200.0])
def test_speed_and_turning(direction):
    wind = 8.0 * np.exp(1j * np.radians(direction))
    drift = FreeDrift(wind_factor=0.016, turning_angle=30.0)
    u, v = velocity(drift, thin_ice(ONES), wind.real * ONES, wind.imag * ONES, GRID)
    expected = 0.016 * wind * np.exp(-1j * np.radians(30.0)) * (1 - np.exp(-1 / 0.05))
    np.testing.assert_allclose(u[GRID.mask_u], expected.real, rtol=1e-9)
    np.testing.assert_allclose(v[GRID.mask_v], expected.imag, rtol=1e-9)
    assert not np.any(u[~GRID.mask_u]) and not np.any(v[~GRID.mask_v])


def test_no_ice_no_drift(arctic100):
    state = random_state(arctic100, 1)
    wind = 10 * np.ones(arctic100.shape)
    u, v = velocity(FreeDrift(), state, wind, -wind, arctic100)
    ice = state.concentration > 0
    beside = arctic100.mask_u & (ice | np.roll(ice, -1, 1))
    np.testing.assert_array_equal(np.asarray(u) != 0, beside)
    beside = arctic100.mask_v & (ice | np.roll(ice, -1, 0))
    np.testing.assert_array_equal(np.asarray(v) != 0, beside)


def test_thick_compact_ice_holds_back_what_comes_and_not_what_goes():
    volume = 0.01 * ONES
    concentration = ONES.copy()
    volume[1, 2], concentration[1, 2] = 3.0, 0.95
    state = IceState(concentration, volume, ZEROS, ZEROS, ZEROS, ZEROS)
    drift = FreeDrift(turning_angle=0.0, arrest_thickness=2.0)
    u, v = velocity(drift, state, 4.0 * ONES, 4.0 * ONES, GRID)
    free = 0.016 * 4.0
    held = free / (1 + np.exp(-20 * 0.05) * (3.0 / 2.0) ** 4)
    np.testing.assert_allclose([u[1, 1], v[0, 2]], held, rtol=1e-7)
    np.testing.assert_allclose([u[1, 2], v[1, 2], u[1, 0]], free, rtol=1e-7)


def test_slope_of_the_wind_factor():
    state = thin_ice(0.7 * ONES)

    def speed(factor):
        return velocity(FreeDrift(wind_factor=factor), state, 5.0 * ONES, ZEROS, GRID)[0][1, 1]

    slope = jax.grad(speed)(jnp.asarray(0.016))
    assert float(slope) == pytest.approx(float(speed(0.016)) / 0.016, rel=1e-12)


def test_advance_uses_the_mean_wind_and_changes_the_velocity_alone():
    state = random_state(GRID, 2)
    forcing = steady_forcing(GRID, 0.0, 0.0, 260.0)
    forcing.wind_u[1] = 6.0
    after = FreeDrift().advance(state, forcing, GRID, 3600, 1)
    u, v = velocity(FreeDrift(), state, 3.0 * ONES, ZEROS, GRID)
    np.testing.assert_allclose(after.u, u, rtol=1e-14)
    np.testing.assert_allclose(after.v, v, rtol=1e-14)
    for name in ("concentration", "ice_volume", "snow_volume", "damage"):
        assert getattr(after, name) is getattr(state, name)
