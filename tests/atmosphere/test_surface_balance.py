"""Surface fluxes: closed forms, derivatives, albedo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.surface_balance import SUBLIMATION_HEAT, SurfaceBalance

SURFACE = SurfaceBalance()


def weather(**more):
    usual = {
        "wind_u": 6.0,
        "wind_v": -8.0,
        "air_temperature": 253.15,
        "humidity": 6e-4,
        "shortwave": 100.0,
        "longwave": 200.0,
    }
    return {name: jnp.array(value) for name, value in (usual | more).items()}


def test_longwave_alone_in_a_dark_calm():
    calm = SurfaceBalance(least_wind=0.0, ice_emissivity=0.95)
    dark = weather(wind_u=0.0, wind_v=0.0, shortwave=0.0)
    flux = calm.over_ice(dark, jnp.array(-10.0), jnp.array(2.0), jnp.array(0.1))
    expected = 0.95 * (5.670374419e-8 * 263.15**4 - 200.0)
    assert float(flux.net) == pytest.approx(expected, rel=1e-12)
    assert float(flux.sublimation) == float(flux.penetrating) == 0.0


def test_turbulence_is_bulk():
    still = SurfaceBalance(least_wind=0.0, ice_emissivity=0.0)
    dark = weather(shortwave=0.0)
    flux = still.over_ice(dark, jnp.array(-10.0), jnp.array(2.0), jnp.array(0.1))
    density = 101325.0 / (287.05 * 253.15 * (1 + 0.608 * 6e-4))
    saturated = 11637800.0 / density * np.exp(-5897.8 / 263.15)
    vapour = density * 1.4e-3 * 10.0 * (saturated - 6e-4)
    assert float(flux.sublimation) == pytest.approx(vapour, rel=1e-12)
    sensible = density * 1005.0 * 1.4e-3 * 10.0 * 10.0
    assert float(flux.net) == pytest.approx(sensible + SUBLIMATION_HEAT * vapour, rel=1e-12)


def test_saturation_is_that_of_the_tables():
    # Vapour pressure at 0 C is 611 Pa over ice and 2 % less over sea water.
    at_freezing = weather(air_temperature=273.15, humidity=0.0)
    zero, one = jnp.array(0.0), jnp.array(1.0)
    density = 101325.0 / (287.05 * 273.15)
    exchange = density * np.sqrt(100.25)
    over_ice = float(SURFACE.over_ice(at_freezing, zero, one, one).sublimation)
    over_sea = float(SURFACE.over_water(at_freezing, zero).sublimation)
    expected = 0.622 * 611.2 / (101325.0 - 0.378 * 611.2)
    assert over_ice / (1.4e-3 * exchange) == pytest.approx(expected, rel=0.01)
    assert over_sea / (1.2e-3 * exchange) == pytest.approx(0.98 * expected, rel=0.01)


@pytest.mark.parametrize("temperature", [-40.0, -5.0, -0.4, 0.0])
def test_slope_is_the_derivative(temperature):
    # Albedo is held: its change with temperature is not part of the slope.
    flat = SurfaceBalance(melting_snow=0.846, melting_ice=0.578)
    thick, snow = jnp.array(1.0), jnp.array(0.05)

    def over_ice(t):
        return flat.over_ice(weather(), t, thick, snow).net

    def over_water(t):
        return flat.over_water(weather(), t).net

    at = jnp.array(temperature)
    found = float(flat.over_ice(weather(), at, thick, snow).slope)
    assert found == pytest.approx(float(jax.grad(over_ice)(at)), rel=1e-12)
    found = float(flat.over_water(weather(), at).slope)
    assert found == pytest.approx(float(jax.grad(over_water)(at)), rel=1e-12)


def test_all_shortwave_is_reflected_absorbed_or_let_in():
    snow = jnp.array([0.0, 0.01, 0.4])
    thick, cold = jnp.full(3, 2.0), jnp.full(3, -20.0)
    sunny = SURFACE.over_ice(weather(), cold, thick, snow)
    dark = SURFACE.over_ice(weather(shortwave=0.0), cold, thick, snow)
    albedo, bare = SURFACE.ice_albedo(cold, thick, snow)
    absorbed = dark.net - sunny.net
    np.testing.assert_allclose(absorbed + sunny.penetrating, 100.0 * (1 - albedo), rtol=1e-12)
    np.testing.assert_allclose(sunny.penetrating, 0.3 * bare * 100.0 * (1 - albedo), rtol=1e-12)
    assert float(bare[0]) == 1.0 and float(bare[2]) < 0.05


def test_albedo_of_known_surfaces():
    def albedo(temperature, thickness, snow):
        return float(SURFACE.ice_albedo(*map(jnp.array, (temperature, thickness, snow)))[0])

    assert albedo(-20.0, 2.0, 0.0) == pytest.approx(0.578)
    assert albedo(-0.275, 2.0, 0.0) == pytest.approx(0.503)
    assert albedo(-20.0, 2.0, 1e9) == pytest.approx(0.846)
    assert albedo(0.0, 2.0, 1e9) == pytest.approx(0.722)
    assert albedo(-20.0, 0.0, 0.0) == pytest.approx(0.06)
    assert 0.06 < albedo(-20.0, 0.1, 0.0) < albedo(-20.0, 0.3, 0.0) < 0.578


def test_albedo_has_no_steps():
    temperature = jnp.linspace(-3.0, 0.0, 3001)
    slope = jax.vmap(jax.grad(lambda t: SURFACE.ice_albedo(t, jnp.array(2.0), jnp.array(0.05))[0]))
    found = slope(temperature)
    assert np.all(found <= 0) and np.max(np.abs(np.diff(found))) < 2e-3


def test_winter_loss_of_open_water_is_that_of_leads():
    # Maykut (1978): 300 to 400 W/m2 sensible, some 150 net longwave in the coldest months.
    winter = weather(
        wind_u=5.0, wind_v=0.0, air_temperature=243.15, humidity=2e-4, shortwave=0.0, longwave=170.0
    )
    assert 300 < float(SURFACE.over_water(winter, jnp.array(-1.8)).net) < 650
