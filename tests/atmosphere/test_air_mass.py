"""Air aloft: balances, limits at the surface, seasons, and what it leaves alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air_mass
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_seconds
from floecast.core.ensemble import member, stack
from floecast.core.errors import InputError
from floecast.core.grid import Grid

JANUARY, JULY = to_seconds("2015-01-15"), to_seconds("2015-07-15")
HEIGHTS = np.array([0.0, 10.0, 100.0, 500.0, 1000.0, 2000.0])


@pytest.fixture(scope="module")
def arctic():
    return Grid.preset("arctic100")


@pytest.fixture(scope="module")
def plain(arctic):
    return SyntheticWeather.draw(jax.random.key(11), arctic)


@pytest.fixture(scope="module")
def weather(plain):
    return plain.with_aloft(HEIGHTS)


def at(weather, time):
    return weather.between(time, time + 21600)


def test_other_fields_do_not_change(arctic, plain, weather):
    without, with_air = at(plain, JANUARY), at(weather, JANUARY)
    assert without.aloft is None
    for name, field in without.fields().items():
        np.testing.assert_allclose(getattr(with_air, name), field, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(with_air.aloft.height, HEIGHTS)
    for field in with_air.aloft.profiles().values():
        assert field.shape == (2, len(HEIGHTS), *arctic.shape) and np.all(np.isfinite(field))


def test_the_wind_goes_from_that_at_10_m_to_the_geostrophic(weather):
    forcing = at(weather, JANUARY)
    air = forcing.aloft
    # Up to 10 m the wind differs from that at 10 m by the thermal wind alone.
    for name in "uv":
        sheared = np.diff(getattr(air, f"geostrophic_{name}")[:, :2], axis=1)[:, 0]
        found = getattr(air, f"wind_{name}")[:, 1] - sheared
        np.testing.assert_allclose(found, getattr(forcing, f"wind_{name}"), atol=1e-9)
    np.testing.assert_allclose(air.wind_u[:, -1], air.geostrophic_u[:, -1], atol=1e-4)
    speed = np.hypot(air.wind_u, air.wind_v).mean(axis=(0, 2, 3))
    assert np.all(np.diff(speed[1:5]) > 0)
    # The 10 m wind is the turned and slowed geostrophic wind of the surface.
    turned = (air.geostrophic_u[:, 0] + 1j * air.geostrophic_v[:, 0]) * np.exp(1j * np.radians(25))
    np.testing.assert_allclose(0.65 * turned, forcing.wind_u + 1j * forcing.wind_v, atol=1e-9)


@pytest.mark.parametrize("time", [JANUARY, JULY])
def test_wind_and_temperature_are_in_balance(arctic, plain, time):
    """Against the slope of the hydrostatic pressure on levels, integrated on fine ones."""
    heights = np.linspace(0.0, 2000.0, 41)
    forcing = plain.with_aloft(heights).between(time, time)
    theta = np.asarray(forcing.aloft.potential_temperature[0])
    surface = np.asarray(plain.pressure(time))
    exner = (surface / 1e5) ** (287.05 / 1004.7)
    middle = 0.5 * (theta[1:] + theta[:-1]) / exner  # potential temperature for 1000 hPa
    fall = np.cumsum(9.81 * 50.0 / (1004.7 * middle), axis=0)
    aloft = exner - fall[-1]
    top = theta[-1] / exner
    # f k x u = -c_p theta grad(Exner)
    slope_y, slope_x = (arctic.spacing / arctic.dx_t * s for s in np.gradient(aloft, 100e3))
    expected = 1004.7 * top * (-slope_y + 1j * slope_x) / arctic.coriolis
    slope_y, slope_x = (arctic.spacing / arctic.dx_t * s for s in np.gradient(exner, 100e3))
    lowest = 1004.7 * theta[0] / exner * (-slope_y + 1j * slope_x) / arctic.coriolis
    found = np.asarray(forcing.aloft.geostrophic_u + 1j * forcing.aloft.geostrophic_v)[0]
    inner = (slice(2, -2), slice(2, -2))
    sheared = (found[-1] - found[0])[inner]
    # The law takes one density and leaves the change of T with height aside: of the first order.
    error = np.abs(sheared - (expected - lowest)[inner])
    assert np.sqrt(np.mean(error**2)) < 0.3 * np.sqrt(np.mean(np.abs(sheared) ** 2))
    assert np.corrcoef(sheared.real.ravel(), (expected - lowest)[inner].real.ravel())[0, 1] > 0.95


def test_an_air_mass_is_stable_and_does_not_feel_the_inversion(arctic, weather):
    pack = arctic.mask_t & (arctic.latitude > 80)
    for time, least, most in ((JANUARY, 3.0, 12.0), (JULY, -1.5, 1.5)):
        forcing = at(weather, time)
        theta = np.asarray(forcing.aloft.potential_temperature)
        gradient = np.diff(theta, axis=1) / np.diff(HEIGHTS)[:, None, None]
        assert np.all(gradient > 2e-3) and np.all(gradient < 15e-3)
        inversion = (theta[:, 0] - np.asarray(forcing.air_temperature))[:, pack].mean()
        assert least < inversion < most
        humidity = np.asarray(forcing.aloft.humidity)
        assert np.all(humidity > 0)
        assert np.all(np.diff(humidity[..., pack].mean(axis=(0, 2))) < 0)


def test_temperature_at_a_height_undoes_potential_temperature():
    air = jnp.full((1, 1), 255.0)
    still = (jnp.zeros((1, 1)),) * 2
    heights = jnp.array([0.0, 1500.0])
    found = air_mass.profiles(heights, jnp.full((1, 1), 1e5), air, still, still, still)
    expected = 273.15 - 18.15 * np.exp(-1500 / 8000) - 4.0e-3 * 1500
    temperature = air_mass.temperature_at(1500.0, found["potential_temperature"][1, 0, 0])
    assert temperature == pytest.approx(expected, abs=0.6)
    assert found["potential_temperature"][0, 0, 0] == pytest.approx(255.0)


def test_members_and_forecasts_have_air_aloft_too(weather, key):
    guess = weather.forecast(key, JANUARY)
    together = jax.vmap(lambda w: at(w, JANUARY))(stack([weather, guess]))
    alone = at(guess, JANUARY).aloft
    for name, field in alone.profiles().items():
        np.testing.assert_allclose(
            getattr(member(together, 1).aloft, name), field, rtol=1e-9, atol=1e-9
        )


def test_slopes_are_finite_and_float32_stays(key):
    weather = SyntheticWeather.draw(key, Grid.box((4, 4), 100e3)).with_aloft(HEIGHTS)

    def total(weather):
        air = weather.between(JULY, JULY + 600).aloft
        return sum(jnp.sum(field) for field in air.profiles().values())

    slopes = jax.grad(total, allow_int=True)(weather)
    assert np.all(np.isfinite(slopes.amplitude)) and np.any(slopes.phase != 0)
    assert np.all(np.isfinite(slopes.heights))
    small = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        weather,
    )
    for field in small.between(JULY, JULY + 600).aloft.profiles().values():
        assert field.dtype == jnp.float32


def test_derivatives_are_those_of_finite_differences(key):
    weather = SyntheticWeather.draw(key, Grid.box((4, 5), 200e3, latitude=78.0))
    weather = weather.with_aloft(HEIGHTS)

    def total(factor):
        louder = eqx.tree_at(lambda w: w.amplitude, weather, factor * weather.amplitude)
        forcing = louder.between(JANUARY, JANUARY + 600)
        fields = {**forcing.fields(), **forcing.aloft.profiles()}
        return sum(jnp.sum(jnp.sin(field / (1.0 + jnp.abs(field)))) for field in fields.values())

    step = 1e-5
    expected = (total(1.0 + step) - total(1.0 - step)) / (2 * step)
    assert float(jax.grad(total)(1.0)) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("heights", [[10.0, 10.0], [-1.0, 5.0], [[1.0, 2.0]]])
def test_heights_must_ascend(plain, heights):
    with pytest.raises(InputError, match="ascending"):
        plain.with_aloft(heights)
