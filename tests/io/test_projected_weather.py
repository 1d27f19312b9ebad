"""Weather on grids of its own, AROME-Arctic and CARRA, and files that do not tell their grid."""

import numpy as np
import pytest
import xarray as xr

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.projection import rotate_to_grid
from floecast.io.atmosphere import specific_humidity
from floecast.io.readers import check_use, identify, read_forcing

from . import layouts
from . import weather_layouts as made

GRID = layouts.GRID
START = to_seconds("2016-11-20")
SUM = "integral_of_surface_downwelling_{}wave_flux_in_air_wrt_time"


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""
    return lambda dataset: layouts.write(dataset, tmp_path / "file.nc")


def around(value=-50.0, **fields):
    """Forcing of one value everywhere, for where a regional model does not reach."""
    shape = (2, *GRID.shape)
    fields = {"wind_u": value, "wind_v": value, **fields}
    return Forcing(
        np.array([START, START + 24 * HOUR]),
        **{name: np.full(shape, number, np.float32) for name, number in fields.items()},
    )


def solid_body(spacing=40e3, size=(60, 50)):
    """Wind of 10 m/s times the cosine of latitude to the east, along the axes of Lambert's grid."""
    _, _, longitude, latitude = made.lambert(spacing, size)
    east = 10.0 * np.cos(np.radians(latitude))
    x_wind, y_wind = made.along_lambert(east, 0.0, longitude)
    return {"x_wind_10m": x_wind, "y_wind_10m": y_wind}, east


def assert_solid_body(forcing, tolerance=0.01):
    """Turned once, to the axes of the grid, wherever the file reaches."""
    inside = forcing.wind_u[0] > -30
    assert inside.sum() > 800
    expected = rotate_to_grid(10.0 * np.cos(np.radians(GRID.latitude)), 0.0, GRID.angle)
    for field, wanted in zip((forcing.wind_u, forcing.wind_v), expected, strict=True):
        error = np.abs(field[0] - wanted)[inside]
        # The outermost cells take the nearest value.
        assert np.quantile(error, 0.95) < tolerance and error.max() < 0.15


@pytest.mark.parametrize(("spacing", "size"), [(40e3, (60, 50)), (20e3, (120, 100))])
def test_wind_along_lambert_axes_is_turned_once(written, spacing, size):
    path = written(made.arome(solid_body(spacing, size)[0], spacing=spacing, size=size))
    assert identify(path) == "projected_forcing"
    assert_solid_body(read_forcing(path, GRID, outside=around()))


@pytest.mark.parametrize("keep", ["proj4", "cf"])
def test_either_form_of_the_projection(written, keep):
    source = made.arome(solid_body()[0])
    attributes = source.projection_lambert.attrs
    if keep == "proj4":
        source.projection_lambert.attrs = {"proj4": attributes["proj4"]}
    else:
        del attributes["proj4"]
    source = source.drop_vars(["latitude", "longitude"])
    assert_solid_body(read_forcing(written(source), GRID, outside=around()))


def test_rows_may_run_downward(written):
    source = made.arome(solid_body()[0]).isel(y=slice(None, None, -1))
    assert_solid_body(read_forcing(written(source), GRID, outside=around()))


def test_places_alone_give_the_axes(written):
    """CARRA has no projection: its axes follow from the places of the neighbours."""
    wind = dict(zip(("u10", "v10"), solid_body()[0].values(), strict=True))
    path = written(made.carra(wind))
    assert identify(path) == "projected_forcing"
    assert_solid_body(read_forcing(path, GRID, outside=around()), 0.05)


@pytest.mark.parametrize("how", ["GRIB", "standard_name"])
def test_wind_to_the_east_is_not_turned_from_the_file_s_axes(written, how):
    wind = {"u10": solid_body()[1], "v10": 0.0}
    source = made.carra(wind, along_grid=False if how == "GRIB" else None)
    if how == "standard_name":
        source.u10.attrs["standard_name"] = "eastward_wind"
        source.v10.attrs["standard_name"] = "northward_wind"
    assert_solid_body(read_forcing(written(source), GRID, outside=around()), 0.05)


def test_without_forcing_around_it_a_regional_model_is_refused(written):
    path = written(made.arome(solid_body()[0]))
    with pytest.raises(InputError, match="wind_u is missing on .* ocean cells of arctic50, first"):
        read_forcing(path, GRID)
    late = Forcing(np.array([START + HOUR, START + 9 * HOUR]), *[np.zeros((2, *GRID.shape))] * 2)
    with pytest.raises(InputError, match="reaches from .*, the forcing around it only from"):
        read_forcing(path, GRID, outside=late)


def test_components_in_files_of_their_own(written, tmp_path):
    source = made.arome(solid_body()[0])
    layouts.write(source.drop_vars("y_wind_10m"), tmp_path / "x.nc")
    layouts.write(source.drop_vars("x_wind_10m"), tmp_path / "y.nc")
    assert_solid_body(read_forcing(tmp_path / "*.nc", GRID, outside=around()))


def test_a_regional_model_inside_a_global_one(written, tmp_path):
    """Both in one list: the regional one where it reaches, and all fields of both."""
    regional = made.arome(solid_body()[0] | {"air_temperature_2m": 255.0})
    layouts.write(regional, tmp_path / "regional.nc")
    names, values, units = ("u10", "v10", "t2m", "q2m"), (0.0, 0.0, 265.0, 1e-3), ("m/s",) * 2
    around_it = layouts.weather(names, values, (*units, "K", "1"), step=5.0, hours=(0, 6))
    layouts.write(around_it, tmp_path / "global.nc")
    forcing = read_forcing(tmp_path / "*al.nc", GRID)
    assert forcing.time.tolist() == [START + hour * HOUR for hour in range(3)]
    inside = forcing.air_temperature[0] < 260.0
    assert inside.sum() > 800 and inside.mean() < 0.3
    assert np.abs(forcing.wind_u[:, ~inside]).max() < 0.5
    assert np.hypot(forcing.wind_u, forcing.wind_v)[:, inside].mean() > 1.0
    np.testing.assert_allclose(forcing.humidity, 1e-3, rtol=1e-5)
    check_use(tmp_path / "*al.nc", "read_forcing", START, START + 2 * HOUR)
    with pytest.raises(InputError, match=r"regional.nc: covers .* expected"):
        check_use(tmp_path / "*al.nc", "read_forcing", START, START + 3 * HOUR)


def test_sums_since_the_reference_time_and_what_else_met_norway_names(written):
    hours = np.array([1, 2, 3])
    growing = (HOUR * hours)[:, None, None, None]
    fields = solid_body()[0] | {
        "air_temperature_2m": 260.0,
        "relative_humidity_2m": 0.8,
        "surface_air_pressure": 1e5,
        SUM.format("short"): 90.0 * growing,
        SUM.format("long"): 210.0 * growing,
        "snowfall_amount_acc": 1e-5 * growing,
    }
    outside = around(air_temperature=260.0, humidity=0.0, shortwave=0.0, longwave=0.0, snowfall=0.0)
    forcing = read_forcing(written(made.arome(fields, hours)), GRID, outside=outside)
    inside = forcing.wind_u[0] > -30
    for name, value in (
        ("air_temperature", 260.0),
        ("humidity", specific_humidity(260.0, 1e5, 0.8)),
        ("shortwave", 90.0),
        ("longwave", 210.0),
        ("snowfall", 1e-5),
    ):
        np.testing.assert_allclose(getattr(forcing, name)[:, inside], value, rtol=1e-5)


def test_relative_humidity():
    assert specific_humidity(260.0, 1e5, 0.5) == pytest.approx(
        0.5 * specific_humidity(260.0, 1e5), rel=2e-3
    )


def without_axes(source):
    return source.drop_vars(["latitude", "longitude"])


def moved(source):
    source["longitude"] = source.longitude + 3.0
    source.longitude.attrs["units"] = "degrees_east"
    return source


def falling(source):
    values = np.array([0.0, 5e6, 1e6])[:, None, None, None] + 0 * source.x_wind_10m.values
    attributes = {"units": "J m-2"}
    source[SUM.format("short")] = (source.x_wind_10m.dims, values, attributes)
    return source


def sum_of_one_time(source):
    source = falling(source).isel(time=[1])
    return source.drop_vars("forecast_reference_time")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (moved, "latitude, longitude lie up to .* cells from where x, y and the projection put"),
        (
            lambda s: without_axes(s).drop_vars(["x", "y"]),
            "dimensions y, x have no coordinates y, x",
        ),
        (
            lambda s: without_axes(s).drop_vars("projection_lambert"),
            "does not tell where its cells lie",
        ),
        (
            lambda s: s.assign(
                projection_lambert=s.projection_lambert.assign_attrs({}).drop_attrs()
            ),
            "projection .* is not understood",
        ),
        (lambda s: s.drop_vars("y_wind_10m"), "the north component of the 10 m wind is missing"),
        (falling, "falls with time, expected sums since the start of one forecast"),
        (sum_of_one_time, "is a sum since the start of a forecast that the file does not tell"),
    ],
)
def test_wrong_files_are_refused(written, change, message):
    with pytest.raises(InputError, match=message) as caught:
        read_forcing(written(change(made.arome(solid_body()[0]))), GRID, outside=around())
    assert "\n" not in str(caught.value)


def test_wind_of_unknown_axes_is_refused(written):
    path = written(made.carra({"u10": 1.0, "v10": 1.0}, along_grid=None))
    with pytest.raises(InputError, match="does not tell whether u10, v10 are along the axes"):
        read_forcing(path, GRID, outside=around())


# --- regular grids that lack what they should have --------------------------------------------


def bare(**attributes):
    source = layouts.weather(step=5.0).drop_vars(["latitude", "longitude"])
    for name in ("u10", "v10"):
        source[name].attrs.update(attributes)
    return source


def test_axes_without_coordinates_are_refused_or_recovered(written):
    message = "dimensions latitude, longitude have no coordinates latitude, longitude, expected"
    with pytest.raises(InputError, match=message):
        read_forcing(written(bare()), GRID)
    told = {
        "GRIB_latitudeOfFirstGridPointInDegrees": 90.0,
        "GRIB_latitudeOfLastGridPointInDegrees": 40.0,
        "GRIB_longitudeOfFirstGridPointInDegrees": 0.0,
        "GRIB_longitudeOfLastGridPointInDegrees": 355.0,
    }
    recovered = read_forcing(written(bare(**told)), GRID)
    whole = read_forcing(written(layouts.weather(step=5.0)), GRID)
    np.testing.assert_array_equal(recovered.wind_u, whole.wind_u)


def turned(source):
    """Longitudes that cross 360 within the file."""
    half = source.sizes["longitude"] // 2
    return source.roll(longitude=half, roll_coords=True)


def without_units(source):
    for name in ("latitude", "longitude"):
        source[name].attrs = {}
    return source


def renamed(source):
    """Axes whose dimensions are x and y."""
    return source.rename_dims(latitude="y", longitude="x").reset_index(["latitude", "longitude"])


@pytest.mark.parametrize(
    "change",
    [
        turned,
        without_units,
        renamed,
        lambda s: s.isel(latitude=slice(None, None, -1)),
        lambda s: s.transpose("longitude", "latitude", "valid_time"),
        lambda s: s.assign_coords(expver=("valid_time", ["0001", "0005"])),
    ],
)
def test_the_same_weather_in_other_order(written, change):
    longitude = layouts.axis(0.0, 5.0, 72)
    values = np.cos(np.radians(longitude)), np.sin(np.radians(2 * longitude))
    plain = read_forcing(written(layouts.weather(values=values, step=5.0)), GRID)
    other = read_forcing(written(change(layouts.weather(values=values, step=5.0))), GRID)
    np.testing.assert_allclose(other.wind_u, plain.wind_u, atol=1e-6)
    np.testing.assert_allclose(other.wind_v, plain.wind_v, atol=1e-6)


def test_several_forecasts_are_refused(written):
    source = layouts.weather(step=5.0).drop_vars(["expver"]).rename(valid_time="step")
    source = source.drop_vars("step").expand_dims(time=2)
    source["valid_time"] = xr.DataArray(
        np.array([["2016-11-20", "2016-11-21"]] * 2, "datetime64[ns]"), dims=("time", "step")
    )
    with pytest.raises(InputError, match="select one forecast, or one step"):
        read_forcing(written(source), GRID)
