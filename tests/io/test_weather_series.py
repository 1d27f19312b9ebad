"""Weather at chosen times is what one reader of everything would give, a few days at once."""

import numpy as np
import pytest

from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.io.readers import read_forcing
from floecast.io.weather_series import WeatherSeries

from . import layouts

GRID = Grid.preset("arctic100")
START = to_seconds("2016-11-20")


def weather(hours):
    """Wind and radiation that change with the hour, the latter as means of the hour before."""
    hours = np.asarray(hours)
    speed = hours[:, None, None] / 10
    names, units = ("u10", "v10", "msdwswrf"), ("m s**-1", "m s**-1", "W m**-2")
    values = (speed, -2 * speed, 50 + 10 * speed)
    return layouts.weather(names, values, units, hours=hours, step=5.0)


@pytest.fixture
def folder(tmp_path):
    """Files of two days each, with a hole of ten days in the middle."""
    for begin in (0, 48, 96, 384, 432):
        layouts.write(weather(range(begin, begin + 48)), tmp_path / f"w{begin:03}.nc")
    return tmp_path


def test_like_the_reader_of_everything(folder):
    series = WeatherSeries(folder / "*.nc")
    wanted = START + HOUR * np.array([30, 36, 42, 400, 406])
    found = series.read(wanted, GRID)
    whole = read_forcing([folder / f"w{n:03}.nc" for n in (0, 48, 96)], GRID)
    late = read_forcing([folder / f"w{n}.nc" for n in (384, 432)], GRID)
    assert set(found) == {"wind_u", "wind_v", "shortwave"}
    for name, field in found.items():
        expected = [getattr(whole, name)[[30, 36, 42]], getattr(late, name)[[16, 22]]]
        np.testing.assert_allclose(field, np.concatenate(expected), rtol=1e-5)
        assert field.dtype == np.float32


def test_linear_between_the_times_of_the_files(folder):
    series = WeatherSeries(folder / "w0*.nc")
    found = series.read(START + np.array([30 * HOUR + 900]), GRID)["shortwave"]
    there = series.read(START + HOUR * np.array([30, 31]), GRID)["shortwave"]
    np.testing.assert_allclose(found[0], 0.75 * there[0] + 0.25 * there[1], rtol=1e-6)


def test_only_the_files_around_are_named(folder):
    series = WeatherSeries(folder / "*.nc")
    names = [path.name for path in series.files_of(START + HOUR * np.array([12, 400]))]
    assert names == ["w000.nc", "w384.nc"]
    assert [p.name for p in series.files_of(START + HOUR * np.array([40]))] == [
        "w000.nc",
        "w048.nc",
    ]


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ([150, 156], "covers .* to 2016-11-25T23:00:00Z, expected .*2016-11-26T06:00:00Z"),
        ([900], "the weather files reach from .* to 2016-12-09T23:00:00Z, expected 2016-12-27"),
    ],
)
def test_times_that_are_not_covered_are_refused(hours, message, folder):
    with pytest.raises(InputError, match=message):
        WeatherSeries(folder / "*.nc").check(START + HOUR * np.array(hours))


def test_a_missing_hour_is_refused_before_reading(folder):
    hours = [hour for hour in range(48, 96) if hour != 70]
    layouts.write(weather(hours), folder / "w048.nc")
    series = WeatherSeries(folder / "w0*.nc")
    with pytest.raises(InputError, match="lacks 2016-11-22T22:00:00Z"):
        series.check(START + HOUR * np.arange(6, 140, 6))


def test_fields_that_come_and_go_are_refused(folder):
    layouts.write(weather(range(384, 432)).drop_vars("msdwswrf"), folder / "w384.nc")
    layouts.write(weather(range(432, 480)).drop_vars("msdwswrf"), folder / "w432.nc")
    series = WeatherSeries(folder / "*.nc")
    series.check(START + HOUR * np.array([30, 36]))
    with pytest.raises(InputError, match="has east, north, expected east, north, shortwave"):
        series.check(START + HOUR * np.array([400, 406]))


def test_other_products_are_refused(folder):
    layouts.write(layouts.nextsim(), folder / "ice.nc")
    with pytest.raises(InputError, match="neXtSIM thickness"):
        WeatherSeries(folder / "*.nc")
