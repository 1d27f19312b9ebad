"""Weather readers: rotation over the pole, names and units of all generations, series."""

import numpy as np
import pytest
import xarray as xr

from floecast.atmosphere.forcing import check_forcing
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.projection import EPSG_3413, rotate_to_east_north, rotate_to_grid
from floecast.io.atmosphere import specific_humidity
from floecast.io.readers import (
    identify,
    read_forcing,
    read_observations,
    read_wind_series,
)

from . import layouts

GRID = layouts.GRID
WIND = (3.0, -1.0)


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""
    return lambda dataset, **options: layouts.write(dataset, tmp_path / "file.nc", **options)


def uniform(generation="new", **options):
    """Weather whose wind is the same everywhere on the plane of the grid, so not in the file."""
    step = options.get("step", 2.0)
    longitude = layouts.axis(-180.0 if generation == "old" else 0.0, step, int(360 / step))
    east, north = rotate_to_east_north(*WIND, EPSG_3413.rotation(longitude))
    return layouts.weather(values=(east, north), generation=generation, **options)


@pytest.mark.parametrize("generation", ["new", "old", "gfs"])
def test_wind_is_turned_also_at_the_pole(written, generation):
    forcing = read_forcing(written(uniform(generation)), GRID)
    assert forcing.time.tolist() == [to_seconds("2016-11-20"), to_seconds("2016-11-20T06:00")]
    for field, expected in ((forcing.wind_u, 3.0), (forcing.wind_v, -1.0)):
        assert field.dtype == np.float32
        np.testing.assert_allclose(field, expected, atol=0.01)
    check_forcing(forcing, GRID, forcing.start, forcing.end, ("wind_u", "wind_v"))


def test_a_file_without_the_pole_itself(written):
    source = uniform(step=2.5).isel(latitude=slice(1, None))
    forcing = read_forcing(written(source), GRID)
    np.testing.assert_allclose(forcing.wind_u[:, GRID.mask_t], 3.0, atol=0.02)


def test_scalars_are_interpolated_where_they_belong(written):
    latitude = layouts.axis(90.0, -1.0, 51)[:, None]
    source = layouts.weather(
        ("u10", "v10", "t2m"), (0.0, 0.0, 200 + latitude), ("m s-1", "m s-1", "K"), step=1.0
    )
    forcing = read_forcing(written(source), GRID)
    np.testing.assert_allclose(forcing.air_temperature[0], 200 + GRID.latitude, atol=0.15)
    assert forcing.humidity is None and forcing.snowfall is None


def test_units_of_the_data_store(written):
    names = ("u10", "v10", "t2m", "d2m", "sp", "ssrd", "strd", "sf")
    units = ("m s**-1", "m s**-1", "K", "K", "Pa", "J m**-2", "J m**-2", "m of water equivalent")
    values = (1.0, 2.0, 260.0, 258.0, 1e5, 3.6e5, -100.0, 3.6e-4)
    forcing = read_forcing(written(layouts.weather(names, values, units)), GRID)
    np.testing.assert_allclose(forcing.shortwave, 100.0, rtol=1e-6)
    np.testing.assert_array_equal(forcing.longwave, 0.0)
    np.testing.assert_allclose(forcing.snowfall, 1e-4, rtol=1e-6)
    np.testing.assert_allclose(forcing.humidity, specific_humidity(258.0, 1e5), rtol=1e-6)
    needed = tuple(forcing.fields())
    check_forcing(forcing, GRID, forcing.start, forcing.end, needed)


def test_means_and_specific_humidity(written):
    names = ("10u", "10v", "2t", "q2m", "msdwswrf", "avg_sdlwrf", "msr")
    units = ("m/s", "m/s", "K", "kg kg**-1", "W m**-2", "W m**-2", "kg m**-2 s**-1")
    values = (1.0, 2.0, 260.0, 1e-3, 80.0, 200.0, 2e-5)
    made = read_forcing(written(layouts.weather(names, values, units, generation="gfs")), GRID)
    later = ("humidity", "shortwave", "longwave", "snowfall")
    for name, value in zip(later, values[3:], strict=True):
        np.testing.assert_allclose(getattr(made, name), value, rtol=1e-6)


def test_humidity_of_a_dew_point():
    # Saturation over water at 0 C is 611.2 Pa.
    assert specific_humidity(273.16, 1e5) == pytest.approx(0.622 * 611.21 / (1e5 - 231), rel=1e-3)
    assert specific_humidity(243.15, 101325.0) == pytest.approx(3.13e-4, rel=0.01)


def test_preliminary_and_final_era5_are_joined(written):
    final, preliminary = uniform("old"), uniform("old")
    for dataset, missing in ((final, 1), (preliminary, 0)):
        for name in ("u10", "v10"):
            dataset[name][missing] = np.nan
    joined = xr.concat([final, preliminary], dim="expver").assign_coords(expver=[1, 5])
    joined = joined.transpose("time", "expver", "latitude", "longitude")
    np.testing.assert_allclose(read_forcing(written(joined), GRID).wind_u, 3.0, atol=0.01)


def test_many_times_are_read_in_parts(written):
    hours = np.arange(60)
    source = layouts.weather(values=(hours[:, None, None] / 10, 0.0), hours=hours, step=5.0)
    forcing = read_forcing(written(source), GRID)
    speed = np.hypot(forcing.wind_u, forcing.wind_v)[:, 10, 10]
    assert len(forcing.time) == 60 and np.all(np.diff(forcing.time) == HOUR)
    np.testing.assert_allclose(speed / speed[-1], hours / 59, atol=1e-5)


def test_a_wind_around_the_pole(written):
    """Solid-body rotation: 10 m/s times the cosine of latitude to the east, along our axes."""
    latitude = np.radians(layouts.axis(90.0, -1.0, 51))[:, None]
    wind = (10.0 * np.cos(latitude), 0.0)
    forcing = read_forcing(written(layouts.weather(values=wind, step=1.0)), GRID)
    expected = rotate_to_grid(10.0 * np.cos(np.radians(GRID.latitude)), 0.0, GRID.angle)
    for field, wanted in zip((forcing.wind_u, forcing.wind_v), expected, strict=True):
        np.testing.assert_allclose(field[0], wanted, atol=2e-3)


def test_running_means_of_gfs(written):
    """100 W/m2 in the first hour, 200 in the second: the mean since 00 UTC is 150."""
    hours = np.arange(1, 8)
    flux = 100.0 * hours
    mean = np.array([flux[:n].mean() if n <= 6 else flux[6] for n in hours])
    mean = mean[:, None, None]
    names = (*("UGRD_10maboveground", "VGRD_10maboveground"), "DSWRF_surface", "DLWRF_surface")
    source = layouts.weather(
        (*names, "PRATE_surface", "CSNOW_surface"),
        (0.0, 0.0, mean, 0.5 * mean, 2e-5, np.arange(7)[:, None, None] % 2),
        ("m/s", "m/s", "W/m^2", "W/m^2", "kg/m^2/s", "-"),
        generation="gfs",
        hours=hours,
        step=5.0,
    )
    forcing = read_forcing(written(source), GRID)
    # Half way between the means of the hours on both sides.
    np.testing.assert_allclose(forcing.shortwave[:-1, 60, 60], flux[:-1] + 50.0, rtol=1e-5)
    np.testing.assert_allclose(forcing.longwave, 0.5 * forcing.shortwave, rtol=1e-5)
    np.testing.assert_allclose(forcing.snowfall[:, 60, 60], [0, 2e-5] * 3 + [0])
    instant = written(
        source.assign(DSWRF_surface=source.DSWRF_surface.assign_attrs(GRIB_stepType="instant"))
    )
    made = read_forcing(instant, GRID).shortwave[:, 60, 60]
    np.testing.assert_allclose(made, mean[:, 0, 0], rtol=1e-5)


def test_sums_lack_the_first_time_of_a_forecast_only(written, tmp_path):
    names, units = ("u10", "v10", "ssrd"), ("m/s", "m/s", "J m**-2")
    source = layouts.weather(names, (1.0, 1.0, 3.6e5), units, hours=range(4), step=5.0)
    layouts.write(source[["u10", "v10"]], tmp_path / "wind.nc")
    layouts.write(source[["ssrd"]].isel(valid_time=slice(1, None)), tmp_path / "sum.nc")
    np.testing.assert_allclose(read_forcing(tmp_path / "*.nc", GRID).shortwave, 100.0, rtol=1e-6)
    layouts.write(source[["ssrd"]].isel(valid_time=[1, 3]), tmp_path / "sum.nc")
    with pytest.raises(InputError, match="sum.nc: ssrd is missing at 2016-11-20T02:00:00Z"):
        read_forcing(tmp_path / "*.nc", GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("v10"), "the north component of the 10 m wind is missing"),
        (lambda d: d.drop_vars(["u10", "v10"]), "unknown content"),
        (lambda d: d.assign(u10=d.u10.assign_attrs(units="knots")), "u10 is in 'knots'"),
        (lambda d: d.assign(u10=(d.u10 * 100).assign_attrs(d.u10.attrs)), "out of range"),
        (lambda d: d.assign(u10=(d.u10 * np.nan).assign_attrs(d.u10.attrs)), "u10 holds no value"),
        (lambda d: d.isel(latitude=slice(0, 10)), "wind_u is missing on .* cells of arctic50"),
        (lambda d: d.isel(latitude=slice(20, None)), "wind_u is missing on"),
        (lambda d: d.isel(longitude=slice(0, 90)), "wind_u is missing on"),
        (lambda d: d.isel(valid_time=[1, 0]), "valid_time does not ascend"),
        (lambda d: d.isel(valid_time=[]), "misses 0 of 0 times"),
        (lambda d: d.drop_vars("valid_time"), "no times"),
        (lambda d: d.assign_coords(latitude=d.latitude - 200), "latitude is -110 and out of"),
        (lambda d: d.drop_vars("number").expand_dims(number=3), "3 entries along number"),
        (lambda d: d.isel(latitude=[0, 2, 1]), "does not only ascend or descend"),
    ],
)
def test_wrong_weather_is_refused(written, change, message):
    changed = change(uniform())
    if "latitude" in changed.coords:
        changed.latitude.attrs["units"] = "degrees_north"
    path = written(changed)
    with pytest.raises(InputError, match=message) as caught:
        read_forcing(path, GRID)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_pressure_levels_are_refused(written):
    path = written(layouts.pressure_levels())
    assert identify(path) == "pressure_levels"
    with pytest.raises(InputError, match="pressure levels, without 10 m wind"):
        read_forcing(path, GRID)


def test_wind_of_an_area(written):
    series = read_wind_series(written(layouts.area_wind()))
    np.testing.assert_array_equal(series.east, [[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(series.north, [[0.0], [np.nan], [-1.0]])
    np.testing.assert_allclose(series.pressure[:, 0], [1e5, 1.001e5, 1.002e5])
    assert series.latitude is None and series.time[0] == to_seconds("2020-11-01")


def test_wind_at_buoys(written):
    series = read_wind_series(written(layouts.buoys()))
    assert series.east.shape == series.latitude.shape == (2, 2) and series.pressure is None
    np.testing.assert_array_equal(series.longitude, [[-149.0, -148.0], [-147.0, np.nan]])


def test_ice_along_time_is_no_wind(written):
    source = layouts.area_wind()
    for name in "uv":
        source[name].attrs["long_name"] = "ice velocity"
    with pytest.raises(InputError, match="unknown content"):
        read_wind_series(written(source))


# --- the files themselves -----------------------------------------------------------------------


def test_gfs_wind_against_kimura_drift(data_folder):
    """Drift is about 1.4 % of the wind, 24 degrees to the right of it."""
    forcing = read_forcing(
        data_folder / "gfs_wind_20161120" / "gfs_1deg_u10v10_20161120_22.nc", GRID
    )
    assert len(forcing.time) == 9
    wind = forcing.wind_u + 1j * forcing.wind_v
    assert 15 < np.abs(wind).max() < 30
    # The only whole window of the drift in the two days, from 12 to 12 UTC.
    made = read_observations(
        data_folder / "kimura_drift_2016" / "kimura_amsr2_drift_2016.nc",
        GRID,
        start="2016-11-21",
        end="2016-11-22",
    ).good()
    u, v = made.of_kind("drift_u"), made.of_kind("drift_v")
    assert u.size > 2000 and set(u.time) == {to_seconds("2016-11-21")}
    mean = np.array([0.5, 1, 1, 1, 0.5]) / 4 @ wind[2:7].reshape(5, -1)
    ours = np.sum(mean[u.cell] * u.weight, axis=1)
    drift = u.value + 1j * v.value
    product = np.sum(drift * ours.conj())
    factor = product / np.sum(np.abs(ours) ** 2)
    correlation = np.abs(product) / np.sqrt(np.sum(np.abs(ours) ** 2) * np.sum(np.abs(drift) ** 2))
    assert correlation > 0.58
    assert np.abs(factor) == pytest.approx(0.014, abs=0.003)
    assert np.degrees(np.angle(factor)) == pytest.approx(-24, abs=6)


def test_gfs_in_parts_and_against_direct_interpolation(data_folder, tmp_path):
    """One file a component and a day gives the same; wind by another way, away from the pole."""
    path = data_folder / "gfs_wind_20161120" / "gfs_1deg_u10v10_20161120_22.nc"
    whole = read_forcing(path, GRID)
    with xr.open_dataset(path) as source:
        for name in ("u10", "v10"):
            source[[name]].isel(time=slice(0, 4)).to_netcdf(tmp_path / f"{name}_20.nc")
            source[[name]].isel(time=slice(4, 9)).to_netcdf(tmp_path / f"{name}_21.nc")
        round_once = source.isel(lon=[*range(360), 0]).assign_coords(lon=range(361))
        south = GRID.mask_t & (GRID.latitude < 75)
        to = {"lat": GRID.latitude[south], "lon": GRID.longitude[south] % 360}
        to = {name: xr.DataArray(values, dims="cell") for name, values in to.items()}
        direct = round_once.interp(to)
        wind = rotate_to_grid(direct.u10.values, direct.v10.values, GRID.angle[south])
    parts = read_forcing(tmp_path / "*.nc", GRID)
    for ours, split, wanted in zip(
        (whole.wind_u, whole.wind_v), (parts.wind_u, parts.wind_v), wind, strict=True
    ):
        np.testing.assert_array_equal(ours, split)
        assert np.abs(ours[:, south] - wanted).max() < 0.1
    # Linear in time between the samples.
    middle = whole.between(whole.time[2] + 2 * HOUR, whole.time[3])
    expected = (2 * whole.wind_u[2] + whole.wind_u[3]) / 3
    np.testing.assert_allclose(middle.wind_u[0], expected, atol=1e-5)


def test_era5_ensemble_is_refused_in_one_line(data_folder):
    path = data_folder / "era5_eda_20170101" / "era5_eda_z_t_20170101_20170102.nc"
    with pytest.raises(InputError, match="pressure levels, without 10 m wind") as caught:
        read_forcing(path, GRID)
    assert "\n" not in str(caught.value)


def test_series_of_2021(data_folder):
    folder = data_folder / "sidex_2021"
    area = read_wind_series(folder / "era5_southern_beaufort_mean_20201101_20210601.nc")
    assert area.east.shape == (5089, 1) and 9e4 < area.pressure.mean() < 1.1e5
    buoys = read_wind_series(folder / "sidex_buoy_wind_20210301_20210430.nc")
    assert buoys.east.shape == (1464, 23)
    assert np.isnan(buoys.latitude).mean() == pytest.approx(0.135, abs=0.001)
    # Two views of the same reanalysis in the same sea.
    both, ours, theirs = np.intersect1d(area.time, buoys.time, return_indices=True)
    assert both.size == 1464
    mean = np.nanmean(buoys.east[theirs], axis=1)
    known = np.isfinite(mean)
    assert np.corrcoef(area.east[ours, 0][known], mean[known])[0, 1] > 0.8
