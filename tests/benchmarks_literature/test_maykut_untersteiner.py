"""The annual cycle of Maykut and Untersteiner (1971) against published figures of other codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.constants import ICE_MELTING
from floecast.simulator.maykut_untersteiner import (
    BOTTOM_TEMPERATURE,
    DAY,
    OCEAN_FLUX,
    forcing,
    surface_flux,
    winton_run,
)
from floecast.simulator.phase_change import ICE_HEAT, Column
from floecast.simulator.zero_layer import ZeroLayer

# Mean, maximum and minimum of 2010 after a start in 1900: neXtSIM-DG, test/ThermoIntegration_test.
REFERENCE = {
    "thickness": (3.1189, 3.3419, 2.9805),
    "snow_depth": (0.2474, 0.4000, 0.0),
    "surface_temperature": (-17.6250, 0.0, -33.1612),
    "upper_temperature": (-7.6068, -1.1336, -14.8637),
    "lower_temperature": (-3.7998, -1.5975, -6.1424),
}


@pytest.fixture(scope="module")
def year():
    found = jax.jit(winton_run)()
    return {name: np.asarray(field) for name, field in found.items()}


@pytest.mark.parametrize("name", REFERENCE)
def test_winton_after_110_years(year, name):
    field = year[name]
    tolerance = 5e-4 if name in ("thickness", "snow_depth") else 1e-3
    found = (field.mean(), field.max(), field.min())
    np.testing.assert_allclose(found, REFERENCE[name], rtol=0, atol=tolerance)


def test_winton_without_the_lag():
    found = jax.jit(lambda: winton_run(lag=False))()
    assert float(np.mean(found["thickness"])) == pytest.approx(3.1093, abs=5e-4)


def test_forcing_of_a_year():
    fields = forcing(1901, 1901)
    unit = 4.184e7 / (365.2425 / 12 * 86400)
    # The sum over months, in kcal/cm2 a year, and the snow of a year.
    assert fields["shortwave"].mean() / unit == pytest.approx(75.49 / 12, rel=1e-3)
    assert fields["longwave"].mean() / unit == pytest.approx(166.1 / 12, rel=1e-3)
    assert fields["snowfall"].sum() * 86400 / 330.0 == pytest.approx(0.4, rel=5e-3)
    middle = fields["shortwave"][np.argmin(abs(np.arange(365) / 365 - 5.5 / 12))]
    assert middle / unit == pytest.approx(19.2, rel=5e-3)


# Mean thickness by fraction of penetrating shortwave absorbed and factor of conduction.
ZERO_LAYER = [
    (0.0, 1.0, 4.45),
    (0.6, 1.0, 2.72),
    (1.0, 1.0, 2.00),
    (0.0, 1.065, 4.86),
    (0.4, 1.065, 3.51),
    (0.6, 1.065, 3.01),
    (1.0, 1.065, 2.25),
]


def zero_layer_run(column_physics):
    """Thickness [m] after each day of 2010 under this forcing, without lag, from 1900."""

    def step(column, day):
        flux, snowfall = surface_flux(day, column.surface_temperature, column.snow_depth)
        bottom = jnp.asarray(BOTTOM_TEMPERATURE)
        new, _ = column_physics.step_column(column, flux, OCEAN_FLUX, bottom, snowfall, DAY)
        return new, new.thickness

    start = (jnp.asarray(value) for value in (3.0, 0.3, ICE_MELTING))
    column = Column(*start, (jnp.asarray(-ICE_HEAT),))
    days = {name: jnp.asarray(values) for name, values in forcing(1900, 2010).items()}
    return jax.lax.scan(step, column, days)[1][-365:]


def test_zero_layer_table():
    def mean_thickness(absorbed, factor):
        column = ZeroLayer(absorbed_fraction=absorbed, conduction_factor=factor)
        return jnp.mean(zero_layer_run(column))

    absorbed, factor, expected = jnp.array(ZERO_LAYER).T
    found = jax.jit(jax.vmap(mean_thickness))(absorbed, factor)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.012)
