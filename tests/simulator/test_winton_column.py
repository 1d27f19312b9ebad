"""The three-layer column: single steps of a reference, heat, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.surface_balance import SurfaceFlux
from floecast.simulator.mixed_layer import freezing_temperature
from floecast.simulator.phase_change import Column
from floecast.simulator.winton_column import (
    lower_enthalpy,
    lower_temperature,
    step_column,
    upper_enthalpy,
    upper_temperature,
)

DT = 600.0
FREEZING = float(freezing_temperature(32.0))


def column_of(thickness, snow, surface, upper, lower):
    values = (jnp.asarray(value, float) for value in (thickness, snow, surface, upper, lower))
    thickness, snow, surface, upper, lower = values
    return Column(thickness, snow, surface, (upper_enthalpy(upper), lower_enthalpy(lower)))


def flux_of(*values):
    return SurfaceFlux(*(jnp.asarray(value, float) for value in values))


def advance(column, flux, ocean_flux=2.0, dt=DT, snowfall=0.0, bottom=FREEZING, **conductivity):
    return step_column(
        column,
        flux,
        ocean_flux=ocean_flux,
        bottom_temperature=bottom,
        snowfall=snowfall,
        dt=dt,
        **conductivity,
    )


def temperatures(column):
    upper, lower = column.enthalpy
    return column.surface_temperature, upper_temperature(upper), lower_temperature(lower)


def assert_heat_closes(before, after, change, rtol=1e-12):
    gain = change.surface_heat + change.ocean_heat
    scale = np.max(np.abs(before.heat)) + np.max(np.abs(gain))
    np.testing.assert_allclose(after.heat - before.heat, gain, rtol=0, atol=rtol * scale)


def test_freezing_point():
    assert FREEZING == pytest.approx(-1.751034, abs=1e-6)


# neXtSIM-DG, physics/test/ThermoWintonTemperature_test.
def test_reference_step_that_freezes():
    before = column_of(0.2, 0.02, -9.0, -9.0, -9.0)
    flux = flux_of(42.2955, 16.7615, 0.0, 2.15132e-6)
    after, change = advance(before, flux, 73.9465, snow_conductivity=0.3096)
    expected = (-10.5129, -9.00726, -8.20454)
    np.testing.assert_allclose(temperatures(after), expected, rtol=1e-5)
    assert float(after.thickness) == pytest.approx(0.2003683, abs=1e-7)
    assert float(after.snow_depth) == pytest.approx(0.0199961, abs=1e-7)
    assert_heat_closes(before, after, change)


def test_reference_step_that_melts_and_its_heat():
    before = column_of(0.2, 0.02, -1.0, -1.0, -1.0)
    flux = flux_of(-85.6364, 19.7016, 1.04125, -7.3858e-6)
    after, change = advance(before, flux, 53717.8, snow_conductivity=0.3096)
    np.testing.assert_allclose(temperatures(after), (0.0, -0.999261, -0.275), rtol=1e-5)
    assert_heat_closes(before, after, change)
    ice_heat = after.heat + 330.0 * 333550.0 * after.snow_depth
    assert float(ice_heat) == pytest.approx(-2.0803e7, rel=1e-4)
    # The reference takes half of the melt that the heat above T_m allows and has 0.0859545 m.
    assert float(after.thickness) < 0.0859545


def test_enthalpies_and_their_inverses():
    cold = jnp.linspace(-60.0, -0.3, 200)
    np.testing.assert_allclose(upper_temperature(upper_enthalpy(cold)), cold, rtol=1e-13)
    np.testing.assert_allclose(lower_temperature(lower_enthalpy(cold)), cold, rtol=1e-13)
    single = cold.astype(jnp.float32)
    np.testing.assert_allclose(upper_temperature(upper_enthalpy(single)), single, rtol=2e-5)
    assert float(upper_enthalpy(-0.275)) == pytest.approx(0.0, abs=1e-6)  # melted at T_m


def random_columns(seed, count=4000):
    rng = np.random.default_rng(seed)
    upper = -(10 ** rng.uniform(-0.5, 1.6, count))
    lower = -(10 ** rng.uniform(-0.5, 1.3, count))
    thickness = 10 ** rng.uniform(-1.3, 1.0, count)
    snow = np.where(rng.random(count) < 0.3, 0.0, 10 ** rng.uniform(-4, 0.3, count))
    column = column_of(thickness, snow, rng.uniform(-40, 0, count), upper, lower)
    flux = flux_of(
        rng.normal(0, 250, count),
        rng.uniform(4, 40, count),
        np.where(snow > 0, 0.0, rng.uniform(0, 80, count)),
        rng.normal(0, 2e-5, count),
    )
    ocean = 10 ** rng.uniform(0, 4.5, count)
    return column, flux, ocean


@pytest.mark.parametrize("dt", [900.0, 86400.0, 864000.0])
def test_heat_and_mass_of_random_columns_close(dt):
    before, flux, ocean = random_columns(7)
    snowfall = 3e-6
    after, change = advance(before, flux, ocean, dt, snowfall)
    assert_heat_closes(before, after, change)
    ice = change.frozen - change.melted - change.sublimated + change.flooded
    np.testing.assert_allclose(after.thickness - before.thickness, ice, rtol=0, atol=1e-14)
    mass = lambda c: 917.0 * c.thickness + 330.0 * c.snow_depth  # noqa: E731
    lost = 917.0 * (change.melted - change.frozen) + 330.0 * change.snow_melted
    lost = lost + (flux.sublimation - snowfall) * dt
    some = np.asarray(after.thickness + after.snow_depth) > 0  # vapour beyond it came off the sea
    found = np.asarray(mass(after) - mass(before) + lost)
    np.testing.assert_allclose(found[some], 0.0, atol=1e-9)
    assert np.all(after.thickness >= 0) and np.all(after.snow_depth >= 0)
    assert np.any(after.thickness == 0) and np.any(change.flooded > 0)
    assert np.any(change.frozen > 0) and np.any(change.snow_melted > 0)
    for part in (*temperatures(after), after.thickness):
        assert np.all(np.isfinite(part))


def test_all_heat_comes_back_when_everything_melts():
    before = column_of(0.1, 0.02, -1.0, -1.0, -1.0)
    after, change = advance(before, flux_of(-400.0, 15.0, 0.0, 0.0), 2e6)
    assert float(after.thickness) == float(after.snow_depth) == 0.0
    given = float(change.surface_heat) + 2e6 * DT
    returned = 2e6 * DT - float(change.ocean_heat)
    assert returned == pytest.approx(given + float(before.heat), rel=1e-12)


def test_flooding_brings_the_surface_to_the_water_line():
    before = column_of(0.5, 0.6, -10.0, -8.0, -4.0)
    after, change = advance(before, flux_of(0.0, 15.0, 0.0, 0.0), dt=1.0)
    assert float(change.flooded) > 0
    freeboard = float(after.thickness) * (1025 - 917) - float(after.snow_depth) * 330
    assert freeboard == pytest.approx(0.0, abs=1e-9)
    assert_heat_closes(before, after, change)


def test_steady_state_is_the_conductive_one():
    # Fixed surface temperature: stiff surface exchange around -20 C, no ocean heat, thick ice.
    column = column_of(2.0, 0.0, -20.0, -15.0, -6.0)
    for _ in range(60):
        stiff = 1e7 * (column.surface_temperature + 20.0)
        flux = flux_of(stiff, 1e7, 0.0, 0.0)
        conducted = 2.0334 * (20.0 + FREEZING) / column.thickness
        column, change = advance(column, flux, ocean_flux=conducted, dt=86400.0)
    surface, upper, lower = (float(value) for value in temperatures(column))
    quarter = (20.0 + FREEZING) / 4
    assert surface == pytest.approx(-20.0, abs=1e-3)
    assert upper == pytest.approx(-20.0 + quarter, abs=0.05)
    assert lower == pytest.approx(-20.0 + 3 * quarter, abs=0.05)


def scalar_step(values):
    thickness, snow, surface, upper, lower, net, penetrating, ocean = values
    column = Column(thickness, snow, surface, (upper_enthalpy(upper), lower_enthalpy(lower)))
    flux = SurfaceFlux(net, 15.0 + 0.0 * net, penetrating, 1e-6 + 0.0 * net)
    after, _ = advance(column, flux, ocean, 3600.0, 1e-6)
    return after.thickness + 2.0 * after.snow_depth + 1e-2 * sum(temperatures(after))


@pytest.mark.parametrize(
    "point",
    [
        (1.5, 0.2, -15.0, -10.0, -4.0, 20.0, 0.0, 5.0),
        (1.5, 0.0, -2.0, -2.0, -1.8, -80.0, 30.0, 20.0),
        (0.6, 0.05, -0.5, -1.0, -1.5, -150.0, 0.0, 40.0),
        (0.3, 0.4, -9.0, -6.0, -3.0, 10.0, 0.0, 5.0),
    ],
)
def test_gradient_against_finite_differences(point):
    point = jnp.array(point)
    slope = jax.jit(jax.grad(scalar_step))(point)
    step = jax.jit(scalar_step)
    for index in range(point.size):
        if index == 1 and point[1] == 0:
            continue  # bare ice melts at T_m, ice with any snow at 0 C
        change = 1e-5 * jnp.zeros_like(point).at[index].set(1.0)
        measured = (step(point + change) - step(point - change)) / 2e-5
        assert float(slope[index]) == pytest.approx(float(measured), rel=2e-5, abs=1e-8), index


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_gradients_are_finite_for_thin_ice(dtype):
    thickness = jnp.array([0.0, 1e-30, 1e-9, 1e-3, 0.05, 1.0], dtype)
    nets = jnp.array([-500.0, 0.0, 500.0], dtype)

    def total(thickness, net):
        rest = jnp.array([0.0, -2.0, -2.0, -2.0], dtype)
        return scalar_step((thickness, *rest, net, jnp.abs(net) / 10, net * 0 + 5))

    both = jax.vmap(jax.grad(total, (0, 1)), (None, 0))
    slopes = jax.jit(jax.vmap(both, (0, None)))(thickness, nets)
    assert all(np.all(np.isfinite(slope)) and slope.dtype == dtype for slope in slopes)


def test_single_precision_is_close():
    before, flux, ocean = random_columns(3, 500)
    exact, _ = advance(before, flux, ocean, 3600.0)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (before, flux))
    rough, _ = advance(*single, jnp.asarray(ocean, jnp.float32), 3600.0)
    np.testing.assert_allclose(rough.thickness, exact.thickness, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rough.snow_depth, exact.snow_depth, rtol=1e-4, atol=1e-5)
