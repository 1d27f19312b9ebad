"""Synthetic weather: its formulas against differences, its statistics against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import arctic_climate as climate
from floecast.atmosphere import weather as module
from floecast.atmosphere.forcing import WEATHER
from floecast.atmosphere.weather import PRESSURE_STD, WAVE_SPEED, SyntheticWeather
from floecast.core.calendar import DAY, to_seconds
from floecast.core.constants import AIR_DENSITY
from floecast.core.ensemble import member, stack
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3413

JANUARY, JULY = to_seconds("2015-01-15"), to_seconds("2015-07-15")
COARSE = Grid.box((16, 16), 400e3, latitude=80.0)


def at(weather, time):
    """The weather of a step."""
    return weather.between(time, time + 21600)


@pytest.fixture(scope="module")
def arctic():
    return Grid.preset("arctic100")


@pytest.fixture(scope="module")
def winter(arctic):
    """A hundred days of weather, twice a day, at T points; by name."""
    weather = SyntheticWeather.draw(jax.random.key(4), arctic)
    times = JANUARY + 43200 * jnp.arange(200)

    def look(time):
        forcing = weather.between(time, time + 1)
        return {**{n: f[0] for n, f in forcing.fields().items()}, "p": weather.pressure(time)}

    return jax.tree.map(np.asarray, jax.lax.map(look, times))


def test_the_same_key_gives_the_same_weather(arctic, key):
    first = at(SyntheticWeather.draw(key, arctic), JANUARY)
    again = at(SyntheticWeather.draw(key, arctic), JANUARY)
    other = at(SyntheticWeather.draw(jax.random.key(1), arctic), JANUARY)
    assert set(first.fields()) == set(WEATHER)
    for name, field in first.fields().items():
        assert field.shape == (2, *arctic.shape)
        np.testing.assert_array_equal(field, getattr(again, name))
        assert name == "shortwave" or np.any(field != getattr(other, name))


def test_the_end_of_a_step_is_the_start_of_the_next(arctic, key):
    weather = SyntheticWeather.draw(key, arctic)
    first, then = at(weather, JULY), at(weather, JULY + 21600)
    for name, field in first.fields().items():
        np.testing.assert_allclose(field[1], getattr(then, name)[0], rtol=1e-9, atol=1e-12)


def pressures(weathers, days):
    """Pressure anomaly of weathers on a box at times from January, ``(weather, time, y, x)``."""
    times = JANUARY + (DAY * jnp.asarray(days)).astype(int)
    look = jax.vmap(jax.vmap(SyntheticWeather.pressure, in_axes=(None, 0)), in_axes=(0, None))
    return np.asarray(look(stack(weathers), times)) - climate.MEAN_PRESSURE


@pytest.mark.parametrize("name", ["box", "arctic"])
def test_wind_is_the_turned_geostrophic_wind_of_the_pressure(name, arctic, key):
    grid = Grid.box((60, 50), 20e3, latitude=75.0) if name == "box" else arctic
    weather = SyntheticWeather.draw(key, grid)
    forcing = at(weather, JANUARY)
    pressure = np.asarray(weather.pressure(JANUARY))
    slope_y, slope_x = np.gradient(pressure, grid.spacing)
    scale = grid.spacing / grid.dx_t
    geostrophic = scale * (-slope_y + 1j * slope_x) / (AIR_DENSITY * grid.coriolis)
    expected = (0.65 * np.exp(1j * np.radians(25.0)) * geostrophic)[1:-1, 1:-1]
    found = np.asarray(forcing.wind_u[0] + 1j * forcing.wind_v[0])[1:-1, 1:-1]
    # Central differences of waves of 530 km and more.
    error = (2 * np.pi * grid.spacing / 533e3) ** 2 / 6
    assert np.abs(found - expected).max() < error * np.abs(expected).max()


def test_pressure_keeps_its_closed_form_in_time_and_space():
    # Over many draws: variance, and the correlation that the spectrum and the speeds imply.
    keys = jax.random.split(jax.random.key(2), 400)
    weathers = [SyntheticWeather.draw(key, COARSE) for key in keys]
    fields = pressures(weathers, [0, 1, 2, 3, 5])[:, :, 8, :8]
    assert fields.std() == pytest.approx(PRESSURE_STD, rel=0.05)

    power = module._amplitude() ** 2 / np.sum(module._amplitude() ** 2)
    k_x, k_y = np.meshgrid(*module._wavenumbers())
    for number, days in enumerate([0, 1, 2, 3, 5]):
        spread = WAVE_SPEED * np.hypot(k_x, k_y) * days * DAY
        expected = np.sum(power * np.exp(-(spread**2) / 2))
        found = np.mean(fields[:, 0] * fields[:, number]) / np.mean(fields**2)
        assert found == pytest.approx(expected, abs=0.06), days
    for cells in (1, 2, 3, 5):
        expected = np.sum(power * np.cos(k_x * cells * COARSE.spacing))
        found = np.mean(fields[..., cells:] * fields[..., :-cells]) / np.mean(fields**2)
        assert found == pytest.approx(expected, abs=0.06), cells


def test_decorrelation_of_pressure():
    power = module._amplitude() ** 2 / np.sum(module._amplitude() ** 2)
    k_x, k_y = np.meshgrid(*module._wavenumbers())

    def in_time(days):
        return np.sum(power * np.exp(-((WAVE_SPEED * np.hypot(k_x, k_y) * days * DAY) ** 2) / 2))

    def in_space(distance):
        return np.sum(power * np.cos(k_x * distance))

    assert in_time(2.0) > np.exp(-1) > in_time(3.0)
    assert in_space(900e3) > np.exp(-1) > in_space(1100e3)


def test_wind_speeds_over_the_ice(arctic, winter):
    over_ice = arctic.mask_t & (arctic.latitude > 75)
    speed = np.hypot(winter["wind_u"], winter["wind_v"])[:, over_ice]
    assert 5.0 < speed.mean() < 6.5
    # Between the Rayleigh law of an isotropic wind (0.523) and that of a wind with a mean part.
    assert 0.45 < speed.std() / speed.mean() < 0.56
    assert 10.0 < np.percentile(speed, 95) < 12.5
    assert np.percentile(speed, 99.9) < 25.0


def nearest(grid, latitude, longitude):
    x, y = EPSG_3413.forward(latitude, longitude)
    return np.abs(grid.y - y).argmin(), np.abs(grid.x - x).argmin()


def test_winter_climate(arctic, winter):
    temperature = winter["air_temperature"].mean(axis=0) - 273.15
    assert -31 < temperature[nearest(arctic, 88, 0)] < -23
    assert -32 < temperature[nearest(arctic, 77, -150)] < -22  # Beaufort Sea
    assert -14 < temperature[nearest(arctic, 75, 35)] < -2  # Barents Sea
    assert -5 < temperature[nearest(arctic, 69, 5)] < 4  # Norwegian Sea
    pack = arctic.mask_t & (arctic.latitude > 80)
    assert 3.0 < winter["air_temperature"].std(axis=0)[pack].mean() < 8.0
    pressure = winter["p"].mean(axis=0)
    assert pressure[nearest(arctic, 78, -150)] > pressure[nearest(arctic, 72, 35)] + 500
    # Wind from the pole drives ice out through Fram Strait, along +x and -y there.
    row, column = nearest(arctic, 79, 0)
    assert winter["wind_u"][:, row, column].mean() > 0 > winter["wind_v"][:, row, column].mean()


def test_wind_from_the_warm_side_brings_warm_air(arctic, winter):
    warm = arctic.mask_t & (arctic.latitude > 70) & (np.abs(arctic.longitude - 20) < 40)
    slope_y, slope_x = np.gradient(winter["air_temperature"].mean(axis=0))
    brought = -(winter["wind_u"] * slope_x + winter["wind_v"] * slope_y)[:, warm]
    anomaly = (winter["air_temperature"] - winter["air_temperature"].mean(axis=0))[:, warm]
    assert np.corrcoef(brought.ravel(), anomaly.ravel())[0, 1] > 0.3


def test_clouds_and_snow_lie_over_cyclones(arctic, winter):
    anomaly = winter["p"] - winter["p"].mean(axis=0)
    slope = [np.gradient(np.gradient(anomaly, axis=axis), axis=axis) for axis in (1, 2)]
    pack = arctic.mask_t & (arctic.latitude > 80)
    curvature = sum(slope)[:, pack].ravel()
    for name in ("longwave", "snowfall", "air_temperature"):
        field = (winter[name] - winter[name].mean(axis=0))[:, pack].ravel()
        assert np.corrcoef(curvature, field)[0, 1] > 0.3, name
    # Temperature at a place changes within hours as in the winter of MOSAiC, 4.1 K in a day.
    change = winter["air_temperature"][2:] - winter["air_temperature"][:-2]
    assert 2.5 < change[:, pack].std() < 5.0


def test_the_seasons(arctic):
    keys = jax.random.split(jax.random.key(3), 20)
    pack = arctic.mask_t & (arctic.latitude > 80)

    def means(date):
        weathers = [SyntheticWeather.draw(key, arctic) for key in keys]
        forcings = [at(weather, to_seconds(date)).fields() for weather in weathers]
        return {name: np.mean([f[name][0][pack] for f in forcings]) for name in WEATHER}

    january, june, july = means("2015-01-15"), means("2015-06-20"), means("2015-07-15")
    assert -31 < january["air_temperature"] - 273.15 < -22
    assert -1.0 < july["air_temperature"] - 273.15 < 1.5
    assert january["shortwave"] == 0.0 and 200 < june["shortwave"] < 330
    assert 160 < january["longwave"] < 200 and 260 < july["longwave"] < 310
    assert 2e-4 < january["humidity"] < 8e-4 and 3e-3 < july["humidity"] < 4.5e-3
    assert january["snowfall"] > 0


@pytest.fixture(scope="module")
def central(arctic):
    """Two years of daily weather at 87 N, by name, and the months."""
    row, column = nearest(arctic, 87, -150)
    weather = SyntheticWeather.draw(jax.random.key(6), arctic)
    times = to_seconds("2015-01-01") + DAY * jnp.arange(730)

    def look(time):
        fields = weather.between(time, time).fields()
        return {name: field[0, row, column] for name, field in fields.items()}

    months = ((np.arange(730) % 365) / 30.42).astype(int)
    return jax.tree.map(np.asarray, jax.lax.map(look, times)), months


def test_snow_of_a_year(central):
    fields, months = central
    fall = np.array([fields["snowfall"][months == m].sum() for m in range(12)]) * DAY / 2  # kg/m2
    # 190 a year north of 70 N, most in autumn (Serreze et al. 1995, Ann. Glaciol. 21, 77-82).
    assert 170 < fall.sum() < 250
    assert fall[8:11].sum() > 1.5 * fall[:3].sum()
    # The snow cover gains about 107 from September to April (Warren et al. 1999, J. Climate 12).
    assert 105 < fall[8:].sum() + fall[:4].sum() < 165


def test_radiation_of_a_year_is_that_of_drifting_stations(central):
    fields, months = central
    unit = 4.184e7 / (365.2425 / 12 * DAY)  # kcal/cm2 a month (Maykut and Untersteiner 1971)
    longwave = unit * np.array(
        [10.4, 10.3, 10.3, 11.6, 15.1, 18.0, 19.1, 18.7, 16.5, 13.9, 11.2, 10.9]
    )
    found = np.array([fields["longwave"][months == m].mean() for m in range(12)])
    np.testing.assert_allclose(found, longwave, atol=26.0)
    assert abs(found.mean() - longwave.mean()) < 8.0
    shortwave = unit * np.array([9.99, 17.7, 19.2, 13.6, 9.0])
    found = np.array([fields["shortwave"][months == m].mean() for m in range(3, 8)])
    np.testing.assert_allclose(found, shortwave, rtol=0.2)


def test_clouds_of_the_seasons():
    rising = np.random.default_rng(0).normal(size=20000)
    cover = {
        m: float(np.mean(climate.cloud(rising, to_seconds(f"2015-{m:02d}-15")))) for m in (2, 9)
    }
    # SHEBA: clouds 63 % of the time in February, 97 % in September; thin ones count less here.
    assert 0.3 < cover[2] < 0.65 and 0.8 < cover[9] < 0.97


def test_insolation_against_known_values():
    latitude = np.array([[90.0, 0.0, 60.0]])
    solstice = climate.daily_insolation(latitude, to_seconds("2015-06-21"))[0]
    np.testing.assert_allclose(solstice, [541.0, 397.5, 493.0], atol=6.0)  # no orbit eccentricity
    equinox = climate.daily_insolation(latitude, to_seconds("2015-03-21"))[0]
    np.testing.assert_allclose(equinox, [0.0, 433.2, 216.6], atol=10.0)
    assert climate.daily_insolation(latitude, JANUARY)[0, 0] == 0.0


def test_saturation_humidity_against_tables():
    # Vapour pressure 37.98 Pa over ice at -30 C and 2338 Pa over water at 20 C.
    vapour = np.array([37.98, 611.2, 2338.0])
    expected = 0.622 * vapour / (101325.0 - 0.378 * vapour)
    found = climate.saturation_humidity(np.array([243.15, 273.15, 293.15]), 101325.0)
    np.testing.assert_allclose(found, expected, rtol=5e-3)


LEADS = np.array([-5, 0, 1, 3, 5.5, 10, 30])


@pytest.fixture(scope="module")
def forecasts():
    """Pressure of truth and two forecast members, ``(draw, weather, lead, y, x)``."""
    weathers = []
    for key in jax.random.split(jax.random.key(9), 150):
        truth = SyntheticWeather.draw(key, COARSE)
        issue = jax.random.fold_in(key, 1)
        weathers += [truth, *(truth.forecast(issue, JANUARY, member=m) for m in range(2))]
    return pressures(weathers, LEADS).reshape(150, 3, len(LEADS), *COARSE.shape)


def test_forecasts_lose_their_skill_and_keep_their_variance(forecasts):
    truth, first, second = np.moveaxis(forecasts, 1, 0)

    def correlation(a, b):
        product = np.mean(a * b, axis=(0, 2, 3))
        return product / np.sqrt(np.mean(a**2, axis=(0, 2, 3)) * np.mean(b**2, axis=(0, 2, 3)))

    expected = [0.99, 0.99, 0.975, 0.84, 0.595, 0.284, 0.034]
    np.testing.assert_allclose(correlation(truth, first), expected, atol=0.06)
    np.testing.assert_allclose(correlation(truth, second), expected, atol=0.06)
    # The truth could be one of the members.
    np.testing.assert_allclose(correlation(first, second), expected, atol=0.06)
    np.testing.assert_allclose(
        np.mean(first**2, axis=(0, 2, 3)), np.mean(truth**2, axis=(0, 2, 3)), rtol=0.15
    )


def test_a_forecast_starts_as_an_analysis(arctic, key):
    truth = SyntheticWeather.draw(key, arctic)
    guess = truth.forecast(jax.random.key(1), JANUARY)
    for name in ("wind_u", "air_temperature"):
        right, found = (np.asarray(getattr(at(w, JANUARY), name)[0]) for w in (truth, guess))
        assert 0 < np.std(found - right) < 0.3 * np.std(right)
    assert float(truth.skill_at(JANUARY)) == 1.0
    assert float(guess.skill_at(JANUARY - 99 * DAY)) == pytest.approx(0.99)


def test_stacked_weathers_are_the_single_ones(arctic, key):
    truth = SyntheticWeather.draw(key, arctic)
    other = SyntheticWeather.draw(jax.random.key(8), arctic)
    weathers = [truth, truth.forecast(key, JANUARY), other]
    together = jax.vmap(lambda weather: at(weather, JANUARY))(stack(weathers))
    for number, alone in enumerate(weathers):
        found, expected = member(together, number), at(alone, JANUARY)
        for name, field in expected.fields().items():
            np.testing.assert_allclose(getattr(found, name), field, rtol=1e-9, atol=1e-9)


def test_members_may_be_traced(arctic, key):
    truth = SyntheticWeather.draw(key, arctic)
    traced = jax.jit(lambda number: truth.forecast(key, JANUARY, member=number).phase)(5)
    np.testing.assert_array_equal(traced, truth.forecast(key, JANUARY, member=5).phase)
    assert np.any(traced != truth.forecast(key, JANUARY, member=4).phase)


def test_slopes_of_the_waves_are_finite(key):
    grid = Grid.box((4, 4), 100e3)
    weather = SyntheticWeather.draw(key, grid)

    def total(weather):
        return sum(jnp.sum(field) for field in weather.between(JULY, JULY + 600).fields().values())

    slopes = jax.grad(total, allow_int=True)(weather)
    assert np.all(np.isfinite(slopes.amplitude)) and np.any(slopes.phase != 0)
    assert np.all(np.isfinite(slopes.skill))
