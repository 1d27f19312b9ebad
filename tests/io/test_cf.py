"""Datasets follow CF-1.8, as the IOOS compliance checker sees it without a network."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import DAY, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.operators import u_to_t
from floecast.core.variables import STATE, VARIABLES
from floecast.io.cf import (
    points_dataset,
    read_dataset,
    to_dataset,
    variable_of,
    write_netcdf,
    write_zarr,
)
from floecast.observation.observations import Observations, observations

START = to_seconds("2015-01-01")
GRID = Grid.preset("arctic100")
LEADS = START + DAY * np.arange(3)
ANALYSED = ("concentration", "ice_volume", "thickness", "snow_volume", "u", "v", "damage")


def fields(names, *lead, grid=GRID):
    random = np.random.default_rng(1)
    return {name: random.random((*lead, *grid.shape)) for name in names}


def some_observations():
    kinds = {"concentration": 0.4, "thickness": 1.7, "drift_u": -0.1}
    footprint = np.array([[5, 6]]), np.array([[0.5, 0.5]])
    return Observations.concatenate(
        observations(kind, value, 0.1, 1e5, -2e5, START + 17, *footprint, span=DAY, group=3, flag=2)
        for kind, value in kinds.items()
    )


def analysis():
    kinds = ("", "_spread", "_background", "_background_spread", "_increment")
    names = [name + kind for name in ANALYSED for kind in kinds]
    return to_dataset(fields(names), GRID, title="Analysis", time=START)


def ensemble():
    return to_dataset(
        fields(STATE, 4), GRID, title="Ensemble", time=START, members=True, staggered=True
    )


def forecast():
    names = [f"{name}{kind}" for name in ANALYSED[:3] + ("u", "v") for kind in ("", "_spread")]
    content = fields([*names, "probability_of_ice"], 3) | fields(["damage"], 2, 3)
    return to_dataset(
        content, GRID, title="Forecast", time=LEADS, members=True, reference_time=START
    )


def points():
    done = some_observations()
    equivalents = {"background": done.value + 1, "analysis_spread": np.array([0.1, np.nan, 0.2])}
    used = np.array([True, False, True])
    return points_dataset(
        done, GRID, title="Observations", assimilated=used, equivalents=equivalents
    )


def box():
    grid = Grid.box((5, 6), 2e3)
    content = fields(STATE, 3, grid=grid)
    return to_dataset(content, grid, title="Box", time=LEADS, history="made", institution="here")


def weather():
    names = [name for name in VARIABLES if name not in ANALYSED]
    return to_dataset(fields(names, 3), GRID, title="Weather", time=LEADS)


each_product = pytest.mark.parametrize("make", [analysis, ensemble, forecast, points, box, weather])


@each_product
def test_checker_finds_nothing(make, tmp_path, checker):
    dataset = make().assign_attrs(history="made", institution="here", references="none")
    write_netcdf(dataset, tmp_path / "x.nc")
    assert not checker(tmp_path / "x.nc")


def test_checker_can_find_something(tmp_path, checker):
    dataset = analysis()
    dataset["thickness"].attrs["units"] = "K"
    dataset["u"].attrs["standard_name"] = "sea_ice_speed_to_the_right"
    write_netcdf(dataset, tmp_path / "x.nc")
    assert len(checker(tmp_path / "x.nc")) >= 2


@each_product
@pytest.mark.parametrize("write", [write_netcdf, write_zarr])
def test_round_trip(make, write, tmp_path):
    dataset = make()
    write(dataset, tmp_path / "x")
    with read_dataset(tmp_path / "x") as back:
        xr.testing.assert_identical(back.load(), dataset)
        assert back["time"].dtype == "datetime64[ns]"


def test_land_is_missing_and_the_ocean_is_not():
    dataset = forecast()
    ocean = np.broadcast_to(GRID.mask_t, dataset["ice_volume"].shape)
    assert np.array_equal(np.isfinite(dataset["ice_volume"]), ocean)
    assert dataset["ice_volume"].dtype == np.float32
    assert dataset["damage"].dims == ("realization", "time", "y", "x")
    assert np.array_equal(np.isfinite(ensemble()["u"][2]), GRID.mask_u)


def test_missing_value_on_disk(tmp_path):
    write_netcdf(analysis(), tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc", mask_and_scale=False) as raw:
        assert raw["thickness"].values[~GRID.mask_t].min() == np.float32(9.96921e36)
        coordinates = [name for name in raw.variables if name in ("x", "y", "time", "latitude")]
        assert not any("_FillValue" in raw[name].attrs for name in coordinates)


def test_velocity_is_brought_to_cell_centres():
    u = fields(["u"])["u"]
    dataset = to_dataset({"u": u}, GRID, title="x")
    expected = np.asarray(u_to_t(u, GRID), np.float32)
    assert np.array_equal(dataset["u"].values[GRID.mask_t], expected[GRID.mask_t])
    assert "mean of the two faces" in dataset["u"].attrs["comment"]
    assert "face of the cell" in ensemble()["u"].attrs["comment"]


def test_times():
    dataset = forecast()
    assert np.array_equal(dataset["time"], to_datetime64(LEADS))
    assert dataset["forecast_reference_time"].values == np.datetime64("2015-01-01", "ns")
    assert dataset["forecast_period"].values.tolist() == [0, 24, 48]
    odd = to_dataset({}, GRID, title="x", time=START + np.array([1, 7, 3601]))
    assert np.array_equal(to_seconds(odd["time"].values), START + np.array([1, 7, 3601]))


def test_places_agree_with_the_grid_mapping():
    pyproj = pytest.importorskip("pyproj")
    dataset = analysis()
    crs = pyproj.CRS.from_cf(dataset["crs"].attrs)
    longitude, latitude = pyproj.Proj(crs)(*np.meshgrid(dataset["x"], dataset["y"]), inverse=True)
    np.testing.assert_allclose(latitude, dataset["latitude"], atol=1e-9)
    np.testing.assert_allclose(np.cos(np.radians(longitude - dataset["longitude"])), 1, atol=1e-12)


def test_points_hold_the_observations():
    dataset, expected = points(), some_observations()
    for name in ("value", "error_std", "kind", "group", "flag", "span", "x", "y"):
        np.testing.assert_array_equal(dataset[name], getattr(expected, name))
    assert np.array_equal(to_seconds(dataset["time"].values), expected.time)
    assert dataset["kind"].attrs["flag_meanings"].split()[2] == "drift_u"
    assert dataset["assimilated"].values.tolist() == [1, 0, 1]


@pytest.mark.parametrize("write", [write_netcdf, write_zarr])
def test_no_observations(write, tmp_path):
    none = some_observations().select(np.zeros(3, bool))
    dataset = points_dataset(none, GRID, title="None", equivalents={"background": none.value})
    write(dataset, tmp_path / "x")
    with read_dataset(tmp_path / "x") as back:
        xr.testing.assert_identical(back.load(), dataset)


@pytest.mark.parametrize(
    ("name", "standard_name", "unit"),
    [
        ("concentration_spread", "sea_ice_area_fraction standard_error", "1"),
        ("u_background_spread", "sea_ice_x_velocity standard_error", "m s-1"),
        ("thickness_background", "sea_ice_thickness", "m"),
        ("thickness_increment", None, "m"),
        ("damage_spread", None, "1"),
        ("probability_of_ice", None, "1"),
        ("probability_of_pack_ice", None, "1"),
        ("ice_volume_quantile", "sea_ice_thickness", "m"),
        ("drift_ellipse_major", None, "m s-1"),
        ("air_temperature", "air_temperature", "K"),
    ],
)
def test_names(name, standard_name, unit):
    variable = variable_of(name)
    assert (variable.name, variable.standard_name, variable.unit) == (name, standard_name, unit)


@pytest.mark.parametrize("name", ["salinity", "spread", "concentration_mean", "_spread"])
def test_unknown_name(name):
    with pytest.raises(InputError, match="no variable"):
        to_dataset({name: np.zeros(GRID.shape)}, GRID, title="x")


@pytest.mark.parametrize("shape", [(64,), (64, 63), (2, 64, 64), (3, 3, 64, 64), (1, 3, 3, 64, 64)])
def test_wrong_shape(shape):
    with pytest.raises(InputError, match=r"damage has shape .* expected \(time 3, y 64, x 64\)"):
        to_dataset({"damage": np.zeros(shape)}, GRID, title="x", time=LEADS)


def test_members_must_be_as_many_in_each_field():
    with pytest.raises(InputError, match=r"u has shape .*expected \(realization 4, y 64, x 64\)"):
        content = fields(["damage"], 4) | fields(["u"], 5)
        to_dataset(content, GRID, title="x", members=True)
