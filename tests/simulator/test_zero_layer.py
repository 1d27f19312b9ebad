"""The zero-layer column: Stefan growth, heat, melt."""

import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.surface_balance import SurfaceFlux
from floecast.simulator.phase_change import ICE_HEAT, Column
from floecast.simulator.zero_layer import ZeroLayer

FREEZING = -1.75
PLAIN = ZeroLayer(conduction_factor=1.0, absorbed_fraction=1.0)


def column_of(thickness, snow, surface):
    values = np.broadcast_arrays(thickness, snow, surface, -ICE_HEAT)
    thickness, snow, surface, enthalpy = (jnp.array(value, float) for value in values)
    return Column(thickness, snow, surface, (enthalpy,))


def flux_of(*values):
    return SurfaceFlux(*(jnp.array(value, float) for value in np.broadcast_arrays(*values)))


def advance(column, flux, ocean_flux, dt, snowfall=0.0, physics=PLAIN):
    return physics.step_column(column, flux, ocean_flux, jnp.array(FREEZING), snowfall, dt)


def test_growth_is_stefans():
    # A stiff surface holds -21.75 C: h^2 grows by 2 k dT t / (rho L).
    column = column_of(0.5, 0.0, -21.75)
    for _ in range(2400):
        stiff = 1e8 * (column.surface_temperature + 21.75)
        column, _ = advance(column, flux_of(stiff, 1e8, 0.0, 0.0), 0.0, 3600.0)
    expected = np.sqrt(0.25 + 2 * 2.0334 * 20.0 * 2400 * 3600 / ICE_HEAT)
    assert float(column.thickness) == pytest.approx(expected, rel=2e-4)


def test_snow_conducts_in_series_and_the_factor_raises_both():
    column, flux = column_of(1.0, 0.2, -30.0), flux_of(0.0, 1e9, 0.0, 0.0)
    for factor in (1.0, 1.065):
        physics = ZeroLayer(conduction_factor=factor)
        _, change = advance(column, flux, 0.0, 3600.0, physics=physics)
        conducted = factor * (30.0 + FREEZING) / (1.0 / 2.0334 + 0.2 / 0.31)
        frozen = conducted * 3600.0 / ICE_HEAT
        assert float(change.frozen) == pytest.approx(frozen, rel=1e-6)


def test_reflected_part_of_the_penetrating_light_is_lost():
    column, flux = column_of(2.0, 0.0, -0.275), flux_of(-50.0, 10.0, 40.0, 0.0)
    melted = {}
    for fraction in (0.0, 0.6, 1.0):
        physics = ZeroLayer(absorbed_fraction=fraction)
        _, change = advance(column, flux, 0.0, 3600.0, physics=physics)
        melted[fraction] = float(change.melted) * ICE_HEAT / 3600.0
    assert melted[0.6] - melted[0.0] == pytest.approx(0.6 * 40.0, rel=1e-9)
    assert melted[1.0] - melted[0.0] == pytest.approx(40.0, rel=1e-9)


@pytest.mark.parametrize("dt", [900.0, 86400.0, 864000.0])
def test_heat_and_mass_close(dt):
    rng = np.random.default_rng(2)
    count = 3000
    thickness = 10 ** rng.uniform(-2, 1, count)
    snow = np.where(rng.random(count) < 0.3, 0.0, 10 ** rng.uniform(-4, 0.3, count))
    before = column_of(thickness, snow, rng.uniform(-40, 0, count))
    bare = np.where(snow > 0, 0.0, rng.uniform(0, 80, count))
    flux = flux_of(
        rng.normal(0, 250, count), rng.uniform(4, 40, count), bare, rng.normal(0, 2e-5, count)
    )
    ocean = 10 ** rng.uniform(0, 4.5, count)
    after, change = advance(before, flux, ocean, dt, 3e-6, ZeroLayer())
    gain = change.surface_heat + change.ocean_heat
    scale = np.max(np.abs(before.heat)) + np.max(np.abs(gain))
    np.testing.assert_allclose(after.heat - before.heat, gain, rtol=0, atol=1e-12 * scale)
    ice = change.frozen - change.melted - change.sublimated + change.flooded
    np.testing.assert_allclose(after.thickness - before.thickness, ice, rtol=0, atol=1e-13)
    assert np.all(after.thickness >= 0) and np.all(after.snow_depth >= 0)
    assert np.any(after.thickness == 0) and np.any(change.flooded > 0)
