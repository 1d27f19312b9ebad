"""Weather of several files: merged, and no hour missing, twice or out of order."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.projection import EPSG_3413, rotate_to_east_north
from floecast.io.readers import check_use, read_forcing
from floecast.io.weather_files import few, find_files

from . import layouts

GRID = layouts.GRID
START = to_seconds("2016-11-20")


def weather(hours, generation="new", step=5.0):
    """Wind of 3 m/s along x and hours / 10 along y."""
    longitude = layouts.axis(-180.0 if generation == "old" else 0.0, step, int(360 / step))
    speed = np.asarray(hours)[:, None, None] / 10
    wind = rotate_to_east_north(3.0, speed, EPSG_3413.rotation(longitude))
    return layouts.weather(values=wind, hours=hours, generation=generation, step=step)


@pytest.fixture
def folder(tmp_path):
    """Write files by name and give their folder."""

    def write(**files):
        for name, dataset in files.items():
            layouts.write(dataset, tmp_path / f"{name}.nc")
        return tmp_path

    return write


def assert_whole(forcing, number):
    assert forcing.time.tolist() == [START + hour * HOUR for hour in range(number)]
    centre = (slice(None), 30, 64)
    np.testing.assert_allclose(forcing.wind_u[centre], 3.0, atol=0.03)
    np.testing.assert_allclose(forcing.wind_v[centre], np.arange(number) / 10, atol=0.03)


def test_one_file_a_month(folder):
    place = folder(b=weather(range(4, 9)), a=weather(range(4)), c=weather(range(9, 12)))
    assert_whole(read_forcing([place / "b.nc", place / "a.nc", place / "c.nc"], GRID), 12)
    assert_whole(read_forcing(place / "*.nc", GRID), 12)
    assert_whole(read_forcing([str(place / "[ab].nc"), place / "c.nc"], GRID), 12)


def test_one_file_a_field_and_a_month(folder):
    early, late = weather(range(30)), weather(range(30, 60))
    place = folder(
        u1=early[["u10"]],
        u2=late[["u10"]],
        v=xr.concat([early[["v10"]], late[["v10"]]], "valid_time"),
    )
    assert_whole(read_forcing(place / "*.nc", GRID), 60)


def test_files_of_alternating_hours(folder):
    place = folder(even=weather(range(0, 8, 2)), odd=weather(range(1, 8, 2)))
    assert_whole(read_forcing(place / "*.nc", GRID), 8)


def test_single_times(folder):
    """One file a time, where time is no dimension."""
    whole = weather(range(3))
    place = folder(**{f"h{n}": whole.isel(valid_time=n) for n in range(3)})
    assert_whole(read_forcing(place / "*.nc", GRID), 3)


def lacking(*hours):
    return weather([hour for hour in range(10) if hour not in hours])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a": lacking(3, 7, 8)},
            r"every 1 h from 2016-11-20T00.* lacks 2016-11-20T03:00:00Z, 2016-11-20T07:00:00Z, "
            r"2016-11-20T08:00:00Z; expected every time",
        ),
        (
            {"a": weather(range(3)), "b": weather(range(4, 8))},
            "a.nc: the series .* lacks 2016-11-20T03",
        ),
        (
            {"a": weather([0, 1, 2, *range(30, 40)])},
            r"lacks 2016-11-20T03.*T08:00:00Z, \.\.\. \(27 in all\)",
        ),
        ({"a": weather([0, 1, 2, 4])}, "lacks 2016-11-20T03:00:00Z"),
        (
            {"a": weather(range(4)), "b": weather(range(3, 6))},
            "b.nc: u10 at 2016-11-20T03:00:00Z is in a.nc, too",
        ),
        (
            {"a": weather([0, 1, 1, 2])},
            "valid_time holds 2016-11-20T01:00:00Z more than once",
        ),
        (
            {"a": weather(range(4))[["u10"]], "b": weather(range(3))[["v10"]]},
            "b.nc: v10 is missing at 2016-11-20T03:00:00Z, where other fields are given",
        ),
        (
            {"a": weather(range(4))[["u10"]], "b": weather(range(4), step=10.0)[["v10"]]},
            "b.nc: holds other cells than a.nc",
        ),
        (
            {"a": weather(range(2)), "b": layouts.nsidc(days=(0,))},
            "b.nc: holds NSIDC-0081.*read_forcing reads",
        ),
        ({"a": weather(range(2))[["u10"]]}, "the north component of the 10 m wind is missing"),
    ],
)
def test_what_does_not_fit_is_named(folder, files, message):
    place = folder(**files)
    with pytest.raises(InputError, match=message) as caught:
        read_forcing(place / "*.nc", GRID)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hours", [[0, 6], [5], [0, 1, 2, 3, 6, 9, 12], [0, 3, 6, 12, 18]])
def test_series_without_gaps(folder, hours):
    """Forecasts go over to longer steps."""
    place = folder(a=weather(hours))
    assert len(read_forcing(place / "a.nc", GRID).time) == len(hours)


def test_a_hole_in_the_field_is_told_with_place_and_time(folder):
    source = weather(range(3))
    source["u10"][1, 2, 10] = np.nan
    with pytest.raises(
        InputError, match=r"ocean cells of arctic50, first at 2016-11-20T01:00:00Z, 8\d\.\d N"
    ):
        read_forcing(folder(a=source) / "a.nc", GRID)


def test_use_of_several_files(folder):
    place = folder(a=weather(range(4)), b=weather(range(4, 8)))
    check_use(place / "*.nc", "read_forcing", "2016-11-20", "2016-11-20T07:00")
    with pytest.raises(InputError, match="covers 2016-11-20T00:00:00Z to 2016-11-20T07:00:00Z"):
        check_use(place / "*.nc", "read_forcing", "2016-11-20", "2016-11-20T08:00")


def test_patterns(folder, tmp_path):
    place = folder(a=weather([0]), b=weather([1]))
    assert find_files("?.nc", place) == [place / "a.nc", place / "b.nc"]
    assert find_files(["b.nc", "*.nc"], place) == [place / "b.nc", place / "a.nc"]
    assert find_files("absent.nc", place) == [place / "absent.nc"]
    for wrong, message in (("*.grib", "no file matches"), ([], "empty list")):
        with pytest.raises(InputError, match=message):
            find_files(wrong, place)


def test_few_times():
    assert few([0]) == "2000-01-01T00:00:00Z"
    assert few(HOUR * np.arange(9)).endswith("T05:00:00Z, ... (9 in all)")
