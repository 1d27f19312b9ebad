"""Files are refused for their kind or their times before anything is read from them."""

from functools import partial

import pytest

from floecast.core.errors import InputError
from floecast.io.readers import check_use

from . import layouts

# For each product: layout, function that reads it, and times that it covers and does not cover.
USES = {
    "nsidc": (
        partial(layouts.nsidc, days=(0, 1)),
        "read_observations",
        ("2015-01-01", "2015-01-03"),
        ("2015-01-01", "2015-01-04"),
    ),
    "nsidc, days": (
        partial(layouts.nsidc, days=(0, 1)),
        "concentration_field",
        ("2015-01-01T12:00", "2015-01-02T12:00"),
        ("2015-01-01T12:00", "2015-01-03T12:00"),
    ),
    "nsidc, a day between is missing": (
        partial(layouts.nsidc, days=(0, 1, 2, 4)),
        "concentration_field",
        ("2015-01-01T12:00", "2015-01-03T12:00"),
        ("2015-01-01T12:00", "2015-01-05T12:00"),
    ),
    "cryosat": (
        partial(layouts.cryosat, year=2015, month=1),
        "read_observations",
        ("2015-01-01", "2015-02-01"),
        ("2015-01-01", "2015-03-01"),
    ),
    "osisaf": (
        partial(layouts.osisaf, days=(152,)),
        "read_observations",
        ("2017-05-31T12:00", "2017-06-02T12:00"),
        ("2017-05-31T12:00", "2017-06-03T12:00"),
    ),
    "kimura": (
        partial(layouts.kimura, days=(324,)),
        "read_observations",
        ("2016-11-20T12:00", "2016-11-21T12:00"),
        ("2016-11-20T12:00", "2016-11-22T12:00"),
    ),
    "nextsim": (
        layouts.nextsim,
        "read_thickness_field",
        ("2015-01-01T12:00",) * 2,
        ("2015-01-02T12:00",) * 2,
    ),
    "climatology": (
        layouts.climatology,
        "read_thickness_field",
        ("2016-02-29",) * 2,
        ("2016-07-01",) * 2,
    ),
    "cs2smos": (
        layouts.cs2smos,
        "read_thickness_field",
        ("2023-04-03",) * 2,
        ("2023-05-03",) * 2,
    ),
    "weather": (
        partial(layouts.weather, step=5.0, hours=(0, 24)),
        "read_forcing",
        ("2016-11-20", "2016-11-21"),
        ("2016-11-20", "2016-11-22"),
    ),
}


@pytest.mark.parametrize("use", USES)
def test_times_that_are_not_covered_are_refused(use, tmp_path):
    layout, door, good, bad = USES[use]
    path = layouts.write(layout(), tmp_path / "file.nc")
    check_use(path, door, *good)
    with pytest.raises(InputError, match="file.nc.*cover"):
        check_use(path, door, *bad)


def test_a_wrong_kind_is_named_beside_the_one_expected(tmp_path):
    path = layouts.write(layouts.cryosat(), tmp_path / "file.nc")
    with pytest.raises(
        InputError, match=r"holds CryoSat-2 .*; concentration_field reads NSIDC-0081"
    ):
        check_use(path, "concentration_field", "2015-01-01", "2015-01-02")


def test_weather_without_wind_is_refused(tmp_path):
    weather = layouts.weather(step=5.0, hours=(0, 24)).drop_vars("u10")
    path = layouts.write(weather, tmp_path / "file.nc")
    with pytest.raises(InputError, match="the east component of the 10 m wind is missing"):
        check_use(path, "read_forcing", "2016-11-20", "2016-11-21")
