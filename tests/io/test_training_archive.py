"""Splits of a data set, read back: the same values, 0 on land, faults named."""

import numpy as np
import pytest

from floecast.atmosphere.forcing import WEATHER
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.variables import STATE, VARIABLES
from floecast.io.cf import to_dataset, write_netcdf, write_zarr
from floecast.io.training_archive import read_ocean_climatology, read_training_archive

GRID = Grid.preset("arctic100")
MASKS = {"T": GRID.mask_t, "U": GRID.mask_u, "V": GRID.mask_v}
TIMES = HOUR * np.array([0, 12, 24, 96, 108])  # years that do not touch


def split(times=TIMES, grid=GRID, **attributes):
    generator = np.random.default_rng(3)
    fields = {
        name: generator.uniform(0, 1, (len(times), *grid.shape)).astype(np.float32)
        for name in (*STATE, *WEATHER)
    }
    made = to_dataset(
        fields,
        grid,
        time=np.asarray(times),
        staggered=True,
        title="split",
        **{"split": "training", "step_hours": 12} | attributes,
    )
    return made, fields


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "training.zarr"
    write_zarr(split()[0], path)
    return path


@pytest.mark.parametrize("grid", [None, GRID])
def test_what_was_written_is_read(store, grid):
    archive = read_training_archive(store, grid)
    np.testing.assert_array_equal(archive.forcing.time, TIMES)
    _, fields = split()
    found = archive.state.fields() | archive.forcing.fields()
    assert set(found) == set(fields)
    for name, field in found.items():
        mask = MASKS[VARIABLES[name].point]
        assert isinstance(field, np.ndarray) and field.dtype == np.float32
        np.testing.assert_array_equal(field, np.where(mask, fields[name], 0))
    assert archive.spacing == 12 * HOUR
    assert archive.beginnings(1, 12 * HOUR).tolist() == [0, 1, 3]  # none across the gap


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars(["damage", "wind_v"]), "lacks damage, wind_v"),
        (lambda d: d.assign_coords(x=d.x + 5e4), "x runs from -3100000 to 3200000 m, on the grid"),
        (lambda d: d.isel(x=slice(0, 60)), r"has \(64, 60\) cells, as none of arctic100"),
        (lambda d: d.isel(time=[0]), "holds 1 times"),
        (lambda d: d.isel(time=[1, 0, 2, 3]), "do not ascend"),
        (lambda d: d.isel(time=[0, 2]), "times lie 24 h apart, expected 12 h"),
        (lambda d: d.isel(time=0), "no axis time"),
        (lambda d: d.assign(u=d.u.where(d.time != d.time[1])), "u is missing at .* number 1"),
        (lambda d: d.assign(u=d.u[0]), "u has dimensions"),
    ],
)
def test_faults_are_named(change, message, tmp_path):
    path = tmp_path / "split.nc"
    write_netcdf(change(split()[0]), path)
    with pytest.raises(InputError, match=message):
        read_training_archive(path)


def test_times_between_the_steps_are_refused(tmp_path):
    write_netcdf(split(times=HOUR * np.array([0, 12, 42]))[0], tmp_path / "split.nc")
    with pytest.raises(InputError, match="times 30 h apart at number 1"):
        read_training_archive(tmp_path / "split.nc")


def test_another_grid_is_refused(store):
    with pytest.raises(InputError, match=r"has \(64, 64\) cells, the grid arctic50"):
        read_training_archive(store, Grid.preset("arctic50"))


def test_ocean_climatology_faults(tmp_path, store):
    with pytest.raises(InputError, match="lacks current_u, current_v, ocean_temperature"):
        read_ocean_climatology(store)
    fields = {
        name: np.ones((5, *GRID.shape)) for name in ("current_u", "current_v", "ocean_temperature")
    }
    write_netcdf(to_dataset(fields, GRID, time=TIMES, title="ocean"), tmp_path / "ocean.nc")
    with pytest.raises(InputError, match="expected month"):
        read_ocean_climatology(tmp_path / "ocean.nc")
