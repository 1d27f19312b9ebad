"""Moist air: a printed table, Clausius and Clapeyron, limits of the Richardson number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air

# AeroBulk (Brodeau et al. 2017): temperature [K], over ice [Pa], saturation humidity over ice at
# 101000 Pa [1], viscosity [m2/s], density at 1e-3 [kg/m3].
PRINTED = np.array(
    [
        [223.15, 3.92989121, 2.42022695e-5, 0.920585445e-5, 1.57580721],
        [243.15, 37.9409862, 2.33689643e-4, 1.07583894e-5, 1.44619115],
        [255.15, 124.699442, 7.68309880e-4, 1.17345928e-5, 1.37817511],
        [263.15, 259.471372, 1.59948646e-3, 1.24036021e-5, 1.33627733],
        [271.15, 516.905170, 3.18948846e-3, 1.30869470e-5, 1.29685185],
    ]
).T


def test_printed_values():
    temperature, *expected = PRINTED
    found = (
        air.saturation_pressure_over_ice(temperature),
        air.saturation_over_ice(temperature, 101000.0),
        air.viscosity(temperature),
        air.density(temperature, 1e-3, 101000.0),
    )
    np.testing.assert_allclose(found, expected, rtol=6e-9)


def test_reference_table(data_folder):
    path = data_folder / "bulk_reference" / "aerobulk_thermo_reference.csv"
    temperature, *expected = np.loadtxt(path, delimiter=",", skiprows=1).T
    found = (
        air.saturation_pressure_over_ice(temperature),
        air.saturation_over_ice(temperature, 101000.0),
        air.saturation_pressure_over_water(temperature),
        air.viscosity(temperature),
        air.density(temperature, 1e-3, 101000.0),
        jnp.full_like(temperature, air.heat_capacity(1e-3)),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "pressure, heat",
    [
        (air.saturation_pressure_over_ice, lambda _: air.SUBLIMATION_HEAT),
        (air.saturation_pressure_over_water, air.vaporisation_heat),
    ],
)
def test_slope_follows_clausius_and_clapeyron(pressure, heat):
    temperature = jnp.linspace(235.0, 273.0, 8)
    slope = jax.vmap(jax.grad(lambda t: jnp.log(pressure(t))))(temperature)
    expected = heat(temperature) / (air.VAPOUR_GAS_CONSTANT * temperature**2)
    np.testing.assert_allclose(slope, expected, rtol=0.015)


def test_water_and_ice_meet_at_the_triple_point():
    over_ice = air.saturation_pressure_over_ice(273.16)
    np.testing.assert_allclose(air.saturation_pressure_over_water(273.16), over_ice, rtol=2e-3)
    colder = jnp.array([230.0, 250.0, 270.0])
    assert np.all(
        air.saturation_pressure_over_water(colder) > air.saturation_pressure_over_ice(colder)
    )


def test_richardson_number():
    # Dry, 5 K over 10 m at 5 m/s; the mean temperature takes the air's own, not potential.
    found = air.bulk_richardson(10.0, 5.0, 255.0, 0.0, 250.0, 0.0)
    mean = 0.5 * (250.0 + 255.0 - 9.8 / 1005.0 * 10.0)
    np.testing.assert_allclose(found, 9.8 * 10.0 * 5.0 / (mean * 25.0), rtol=1e-14)
    moist = air.bulk_richardson(10.0, 5.0, 250.0, 0.0, 250.0, 1e-3)
    np.testing.assert_allclose(moist, -9.8 * 10.0 * 0.6077e-3 / 25.0, rtol=1e-3)
