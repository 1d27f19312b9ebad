"""Freezing and melting: Stefan's law, energy, bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState, check_state
from floecast.simulator.thermodynamics import (
    ICE_DENSITY,
    LATENT_HEAT,
    MELTING_POINT,
    SNOW_DENSITY,
    THICK,
    THIN,
    SimpleFreezing,
    climatological_snowfall,
    ocean_heat_flux_beyond_edge,
)

from .conftest import random_state, steady_forcing

DT, DAY = 21600, 86400
GRID = Grid.box((6, 7), 20e3)
advance = jax.jit(SimpleFreezing.advance, static_argnums=4)
ICE_HEAT, SNOW_HEAT = ICE_DENSITY * LATENT_HEAT, SNOW_DENSITY * LATENT_HEAT


def ice(concentration, volume, snow=0.0):
    fields = np.broadcast_arrays(concentration, volume, snow, 0.0, 0.0, 0.0, np.ones(GRID.shape))
    return IceState(*(np.array(field) for field in fields[:6]))


def after(thermodynamics, state, air, steps=1, **more):
    forcing = steady_forcing(GRID, 0.0, 0.0, air, **{"snowfall": 0.0, **more})
    for _ in range(steps):
        state = advance(thermodynamics, state, forcing, GRID, DT)
    return state


def first(field):
    return float(np.asarray(field)[2, 3])


@pytest.mark.parametrize(("start", "days"), [(0.3, 10), (2.0, 60)])
def test_stefan_with_a_surface_layer(start, days):
    # h^2 + 2 k h / exchange grows by 2 k dT t / (rho L), whatever the step.
    still = SimpleFreezing(ocean_heat_flux=0.0)
    cold, conductivity, exchange = 25.0, 2.03, 15.0
    state = after(still, ice(1.0, start), 271.35 - cold, steps=4 * days)
    layer = conductivity / exchange
    square = (start + layer) ** 2 + 2 * conductivity * cold * days * DAY / ICE_HEAT
    assert first(state.ice_volume) == pytest.approx(np.sqrt(square) - layer, rel=1e-12)
    assert first(state.concentration) == 1.0


def test_stefan_from_nothing():
    bare = SimpleFreezing(ocean_heat_flux=0.0, exchange=1e9)
    state = after(bare, ice(1.0, 0.0), 251.35, steps=40)
    expected = np.sqrt(2 * 2.03 * 20.0 * 10 * DAY / ICE_HEAT)
    assert first(state.ice_volume) == pytest.approx(expected, rel=1e-6)


def test_snow_insulates_in_series():
    still = SimpleFreezing(ocean_heat_flux=0.0)
    state = after(still, ice(0.5, 1.0, 0.1), 251.35)
    flux = 20.0 / (2.0 / 2.03 + 0.2 / 0.31 + 1 / 15.0)  # 2 m of ice under 0.2 m of snow
    leads = 0.5 * 15.0 * 20.0
    grown = (0.5 * flux + leads) * DT / ICE_HEAT
    assert first(state.ice_volume) - 1.0 == pytest.approx(grown, rel=1e-3)


def test_open_water_freezes_over():
    sea = SimpleFreezing(ocean_heat_flux=50.0)
    state = after(sea, ice(0.0, 0.0), 251.35)
    frozen = (15.0 * 20.0 - 50.0) * DT / ICE_HEAT
    assert first(state.ice_volume) == pytest.approx(frozen, rel=1e-12)
    assert first(state.concentration) == pytest.approx(1 - np.exp(-frozen / 0.5), rel=1e-12)
    warm = after(SimpleFreezing(ocean_heat_flux=301.0), ice(0.0, 0.0), 251.35)
    assert not np.any(warm.ice_volume)


def test_melt_spends_all_heat_on_ice():
    warm, flux, air = SimpleFreezing(ocean_heat_flux=30.0), 30.0, 275.0
    state = after(warm, ice(0.6, 1.2), air)
    surface = 28.0 * np.log1p(np.exp(air - MELTING_POINT))
    heat = (0.6 * (surface + flux) + 0.4 * (15.0 * (air - 271.35) + flux)) * DT
    assert 1.2 - first(state.ice_volume) == pytest.approx(heat / ICE_HEAT, rel=1e-10)
    left = first(state.ice_volume) / 1.2
    assert first(state.concentration) == pytest.approx(0.6 * 2 * left / (1 + left), rel=1e-12)


def test_snow_melts_before_ice():
    warm = SimpleFreezing(ocean_heat_flux=0.0)
    heat = 28.0 * np.log1p(np.exp(280.0 - MELTING_POINT)) * DT
    deep = after(warm, ice(1.0, 2.0, 0.3), 280.0)
    assert first(deep.ice_volume) == 2.0
    assert 0.3 - first(deep.snow_volume) == pytest.approx(heat / SNOW_HEAT, rel=1e-10)
    thin = after(warm, ice(1.0, 2.0, 0.01), 280.0)
    assert first(thin.snow_volume) == 0.0
    expected = (heat - 0.01 * SNOW_HEAT) / ICE_HEAT
    assert 2.0 - first(thin.ice_volume) == pytest.approx(expected, rel=1e-10)


def test_everything_melts_and_nothing_is_left():
    state = after(SimpleFreezing(ocean_heat_flux=500.0), ice(0.4, 0.3, 0.05), 285.0, steps=12)
    for name in ("concentration", "ice_volume", "snow_volume"):
        assert not np.any(getattr(state, name)), name


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(220, 300), st.floats(0, 400))
def test_energy_closes_and_bounds_hold(seed, air, flux):
    state = random_state(GRID, seed)
    found = after(SimpleFreezing(ocean_heat_flux=flux), state, air)
    check_state(found, GRID)
    thickness = np.asarray(found.thickness)[np.asarray(found.concentration) > 1e-6]
    assert np.all((thickness >= THIN * (1 - 1e-9)) & (thickness <= THICK * (1 + 1e-9)))

    area, volume = state.concentration, state.ice_volume
    depth = np.divide(volume, area, out=np.zeros_like(area), where=area > 0)
    snow = np.divide(state.snow_volume, area, out=np.zeros_like(area), where=area > 0)
    cold = max(271.35 - air, 0.0)
    cover = 2.03 * (snow / 0.31 + 1 / 15.0)
    grown = np.sqrt((depth + cover) ** 2 + 2 * 2.03 * cold * DT / ICE_HEAT) - cover - depth
    melt = 28.0 * np.log1p(np.exp(air - MELTING_POINT)) * DT
    on_snow = np.minimum(area * melt, state.snow_volume * SNOW_HEAT)
    water = (1 - area) * (15.0 * (271.35 - air) - flux) * DT
    gain = area * grown * ICE_HEAT + water - area * (melt + flux * DT) + on_snow
    survives = volume * ICE_HEAT + np.minimum(gain, gain - water) > 1e-3 * ICE_HEAT
    change = (np.asarray(found.ice_volume) - volume) * ICE_HEAT
    np.testing.assert_allclose(change[survives], gain[survives], rtol=1e-7, atol=1.0)


def test_snow_falls_on_ice_alone():
    state = after(SimpleFreezing(ocean_heat_flux=0.0), ice(0.25, 0.5), 260.0, snowfall=1e-5)
    assert first(state.snow_volume) == pytest.approx(0.25 * 1e-5 * DT / 330.0, rel=1e-12)


def test_climatological_snowfall():
    days = to_seconds("2001-01-01") + DAY * jnp.arange(0.5, 365)
    total = float(jnp.sum(jax.vmap(climatological_snowfall)(days)) * DAY)
    assert total == pytest.approx(132.0, rel=0.02)  # 0.4 m of snow of 330 kg/m3
    month = 365.2425 * DAY / 12
    assert float(climatological_snowfall(8.5 * month)) * month == pytest.approx(42.0, rel=1e-6)

    state = ice(1.0, 2.0)
    forcing = steady_forcing(GRID, 0.0, 0.0, 260.0)
    found = advance(SimpleFreezing(), state, forcing, GRID, DT).snow_volume
    assert first(found) == pytest.approx(float(climatological_snowfall(0)) * DT / 330.0)


def test_inconsistent_ice_becomes_consistent_and_keeps_its_volume():
    still, neither = SimpleFreezing(ocean_heat_flux=0.0), 271.35 + 1e-9
    no_area = after(still, ice(0.0, 0.6), neither)
    assert first(no_area.concentration) == pytest.approx(0.6 / THICK)
    assert first(no_area.ice_volume) == pytest.approx(0.6)
    no_volume = after(still, ice(0.7, 0.0, 0.1), neither)
    assert first(no_volume.concentration) == first(no_volume.snow_volume) == 0.0
    slush = after(still, ice(0.8, 0.02, 0.1), neither)
    assert first(slush.concentration) == pytest.approx(0.02 / THIN)
    assert first(slush.snow_volume) == pytest.approx(0.05, rel=0.1)  # a little of it melts


CORNERS = [(0, 0, 0), (1, 0, 0), (1, 2, 0.2), (0, 1, 0), (1e-12, 1e-12, 0), (1e-9, 1e-9, 1e-9)]


@pytest.mark.parametrize("air", [240.0, 271.35, 273.15, 290.0])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_gradients_are_finite_in_the_corners(air, dtype):
    one_cell = Grid.box((1, 1), 20e3)
    fields = jnp.asarray(CORNERS, dtype)[:, :, None, None]

    def total(column):
        still = jnp.zeros((1, 1), dtype)
        state = IceState(*column, still, still, still)
        forcing = steady_forcing(one_cell, 0.0, 0.0, air)
        found = advance(SimpleFreezing(), state, forcing, one_cell, DT)
        return jnp.sum(found.concentration + found.ice_volume + found.snow_volume)

    slopes = jax.jit(jax.vmap(jax.grad(total)))(fields)
    assert np.all(np.isfinite(slopes))


def test_ocean_heat_flux_rises_with_distance():
    ocean = np.ones((5, 8), bool)
    ocean[0] = False
    grid = Grid.box((5, 8), 50e3, ocean=ocean)
    concentration = np.zeros((5, 8))
    concentration[:, :2] = 0.9
    concentration[:, 2] = 0.14  # less than the ice edge
    flux = ocean_heat_flux_beyond_edge(
        concentration, grid, under_pack=3.0, far_away=203.0, distance=100e3
    )
    away = np.array([0, 0, 50, 100, 150, 200, 250, 300.0])
    expected = 3.0 + 200.0 * (1 - np.exp(-away / 100.0))
    np.testing.assert_allclose(flux[1:], np.broadcast_to(expected, (4, 8)), rtol=1e-12)
    assert not flux[0].any()


def test_ocean_heat_flux_at_the_extremes():
    full = ocean_heat_flux_beyond_edge(np.ones(GRID.shape), GRID)
    np.testing.assert_array_equal(full, 2.0)
    np.testing.assert_array_equal(ocean_heat_flux_beyond_edge(np.zeros(GRID.shape), GRID), 300.0)
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        ocean_heat_flux_beyond_edge(np.zeros((2, 2)), GRID)


def test_distance_over_the_arctic_is_true_distance(arctic100):
    pole = np.zeros(arctic100.shape)
    pole[31:33, 31:33] = 1.0
    flux = ocean_heat_flux_beyond_edge(
        pole, arctic100, under_pack=0.0, far_away=1.0, distance=1000e3
    )
    distance = -1000e3 * np.log1p(-flux[arctic100.mask_t])
    from_pole = np.radians(90 - arctic100.latitude[arctic100.mask_t]) * 6371e3
    near = from_pole < 1500e3
    np.testing.assert_allclose(distance[near], from_pole[near], rtol=0.02, atol=100e3)
