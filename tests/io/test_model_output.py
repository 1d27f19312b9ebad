"""Thickness fields brought to the grid: synthetic files, and the shared ones against each other."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3413
from floecast.io.readers import (
    concentration_field,
    identify,
    read_observations,
    read_thickness_field,
)

from . import layouts

GRID = layouts.GRID
INNER = np.hypot(*np.meshgrid(GRID.x, GRID.y)) < 1500e3


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""
    return lambda dataset, **options: layouts.write(dataset, tmp_path / "file.nc", **options)


def slope(latitude, longitude):
    """A thickness that is linear on the plane of the grid [m]."""
    x, y = EPSG_3413.forward(latitude, longitude)
    return 5.0 + x / 4e6 + y / 2e6


@pytest.mark.parametrize("preset", ["arctic50", "arctic25"])
def test_nextsim_is_averaged_or_interpolated(written, preset):
    source = layouts.nextsim()
    source["sit"] = source.sit.copy(data=slope(source.latitude.values, source.longitude.values))
    grid = Grid.preset(preset)
    field = read_thickness_field(written(source), grid)
    x, y = np.meshgrid(grid.x, grid.y)
    inner = grid.mask_t & (np.hypot(x, y) < 1500e3)
    np.testing.assert_allclose(field[inner], (5.0 + x / 4e6 + y / 2e6)[inner], atol=0.01)
    assert np.isnan(field[~grid.mask_t]).all()


def test_nextsim_time(written):
    path = written(layouts.nextsim())
    for time in ("2015-01-01", "2015-01-01T12:00", None):
        assert np.nanmax(read_thickness_field(path, GRID, time=time)) == pytest.approx(2.0)
    with pytest.raises(InputError, match="covers 2014-12-31T15:00:00Z to 2015-01-01T15:00:00Z"):
        read_thickness_field(path, GRID, time="2015-01-02")


def test_climatology_by_calendar_day(written):
    path = written(layouts.climatology())
    for time, thickness in (
        ("2015-01-15", 2.0),
        ("1999-01-15T23:00", 2.0),
        ("2022-10-18", 0.5),
        ("2016-02-29", 0.0),
        ("2015-02-28", 0.0),
    ):
        field = read_thickness_field(path, GRID, time=time)
        np.testing.assert_allclose(field[INNER & GRID.mask_t], thickness, atol=1e-6)
        assert np.isnan(field[~GRID.mask_t]).all()
    with pytest.raises(InputError, match="does not hold the day 0714; it covers 1018 to 0412"):
        read_thickness_field(path, GRID, time="2015-07-14")
    with pytest.raises(InputError, match="say which by time"):
        read_thickness_field(path, GRID)


def test_climatology_lies_where_it_says(written):
    source = layouts.climatology()
    there = slope(source.lat.values, source.lon.values)
    source["sit_mm"] = (
        source.sit_mm.copy(
            data=np.where(
                source.ocean, np.broadcast_to(1e3 * np.nan_to_num(there), (4, 359, 359)), 0
            )
        )
        .astype("i2")
        .assign_attrs(units="mm")
    )
    field = read_thickness_field(written(source), GRID, time="2015-01-15")
    np.testing.assert_allclose(
        field[INNER & GRID.mask_t],
        slope(GRID.latitude, GRID.longitude)[INNER & GRID.mask_t],
        atol=0.02,
    )


def test_weekly_analysis(written):
    path = written(layouts.cs2smos())
    field = read_thickness_field(path, GRID, time="2023-04-03")
    np.testing.assert_allclose(field[INNER & GRID.mask_t], 1.5, atol=1e-6)
    assert np.isnan(field[GRID.latitude < 68]).all()
    with pytest.raises(InputError, match="does not hold 2023-05-01"):
        read_thickness_field(path, GRID, time="2023-05-01")
    path = written(layouts.cs2smos(with_time=False))
    np.testing.assert_array_equal(read_thickness_field(path, GRID), field)
    with pytest.raises(InputError, match="does not say its time"):
        read_thickness_field(path, GRID, time="2023-04-03")


@pytest.mark.parametrize(
    ("dataset", "change", "message"),
    [
        (layouts.nextsim, lambda d: d.assign(sit=d.sit.assign_attrs(units="cm")), "sit is in 'cm'"),
        (layouts.nextsim, lambda d: d.assign(sit=d.sit * 20), "sit is 40 and out of range"),
        (layouts.nextsim, lambda d: d.assign(sit=d.sit.where(d.latitude > 80)), "ocean cells"),
        (layouts.nextsim, lambda d: d.assign(latitude=d.latitude - 60), "a grid of the Arctic"),
        (
            layouts.nextsim,
            lambda d: d.assign(latitude=d.longitude, longitude=d.latitude),
            "in 'degrees_east', expected 'degrees_north'",
        ),
        (layouts.nextsim, lambda d: d.drop_vars("mask"), "mask is missing"),
        (layouts.climatology, lambda d: d.assign(lat=d.lat.T, lon=-d.lon), "mislabelled"),
        (layouts.climatology, lambda d: d.isel(row=slice(0, 358)), "sit_mm has shape"),
        (layouts.climatology, lambda d: d.assign(sit_mm=d.sit_mm * np.int16(0)), "holds no ice"),
        (
            layouts.cs2smos,
            lambda d: d.isel(yc=slice(None, None, -1)).assign_coords(yc=d.yc),
            "mislabelled",
        ),
        (layouts.cs2smos, lambda d: d.isel(xc=slice(0, 400)), "expected one field of"),
        (layouts.cs2smos, lambda d: d.assign_coords(xc=d.xc / 2), "25 km apart"),
    ],
)
def test_mislabelled_fields_are_refused(written, dataset, change, message):
    original = dataset()
    changed = change(original)
    for name in changed.variables:
        if name in original.variables:
            for key, value in original[name].attrs.items():
                changed[name].attrs.setdefault(key, value)
    path = written(changed)
    time = "2015-01-15" if dataset is layouts.climatology else None
    with pytest.raises(InputError, match=message) as caught:
        read_thickness_field(path, GRID, time=time)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


# --- the files themselves -----------------------------------------------------------------------


def against_cryosat(field, data_folder, start, end):
    """Number, correlation and rms difference [m] of a field and the CryoSat-2 cells of a month."""
    cells = read_observations(
        data_folder / "cs2_sit_canadian_arctic" / "cs2_sit_monthly_201011_201604.nc",
        GRID,
        start=start,
        end=end,
    )
    seen = np.sum(field.reshape(-1)[cells.cell] * cells.weight, axis=1)
    known = np.isfinite(seen)
    difference = (seen - cells.value)[known]
    return (
        known.sum(),
        np.corrcoef(seen[known], cells.value[known])[0, 1],
        np.sqrt(np.mean(difference**2)),
    )


def test_nextsim_against_cryosat(data_folder):
    """README: averaged over 25 km around the cell, r 0.71 and rmse 0.57 m."""
    path = data_folder / "nextsim_20150101" / "nextsim_sit_20150101T03.nc"
    assert identify(path) == "nextsim"
    field = read_thickness_field(path, GRID, time="2015-01-01")
    number, correlation, rmse = against_cryosat(field, data_folder, "2015-01-01", "2015-02-01")
    assert number > 450
    assert correlation == pytest.approx(0.71, abs=0.03) and rmse == pytest.approx(0.57, abs=0.05)


def test_climatology_against_cryosat(data_folder):
    """README: r 0.82, rmse 0.42 m in January 2015."""
    path = data_folder / "cs2smos_climatology" / "cs2smos_v206_daily_climatology.nc"
    field = read_thickness_field(path, GRID, time="2015-01-15")
    number, correlation, rmse = against_cryosat(field, data_folder, "2015-01-01", "2015-02-01")
    assert number > 400
    assert correlation == pytest.approx(0.82, abs=0.02) and rmse == pytest.approx(0.42, abs=0.03)


def test_ice_edges_of_nextsim_and_nsidc(data_folder):
    """README: they agree on 97.8 % of the ocean cells."""
    thickness = read_thickness_field(
        data_folder / "nextsim_20150101" / "nextsim_sit_20150101T03.nc", GRID
    )
    concentration = concentration_field(
        data_folder / "nsidc0081_sic" / "nsidc0081_nh_2015.nc", GRID, "2015-01-01"
    )
    known = np.isfinite(thickness) & np.isfinite(concentration)
    assert known.sum() > 6500
    agree = (thickness > 0.05) == (concentration > 0.15)
    assert agree[known].mean() == pytest.approx(0.978, abs=0.01)


def test_weekly_analysis_of_2022(data_folder):
    path = data_folder / "cs2smos_20220415" / "cs2smos_v206_20220415.nc"
    field = read_thickness_field(path, GRID)
    with xr.open_dataset(path, engine="netcdf4") as source:
        valid = source.analysis_sea_ice_thickness.values
    assert np.nanmax(field) <= np.nanmax(valid)
    # Volume of what both cover, to the coast and the edge.
    ours = np.nansum(field * GRID.area)
    assert ours == pytest.approx(np.nansum(valid) * 25e3**2, rel=0.05)
