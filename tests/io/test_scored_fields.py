"""Forecasts and truths in files, read for verification."""

import numpy as np
import pytest

import floecast as fc
from floecast.core.errors import InputError
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.scored_fields import FieldFile
from floecast.verification.edge_position import cell_positions

DAY = 86400
TIMES = DAY * np.arange(100, 103)


def write(path, grid, members=2, change=None, staggered=False, **fields):
    rng = np.random.default_rng(0)
    shape = (members, 3, *grid.shape)
    fields = {"concentration": rng.random(shape)} | fields
    dataset = to_dataset(
        fields,
        grid,
        title="test",
        time=TIMES,
        members=True,
        reference_time=int(TIMES[0]),
        staggered=staggered,
    )
    write_netcdf(dataset if change is None else change(dataset), path)
    return FieldFile(path)


@pytest.fixture
def box():
    return fc.Grid.box((6, 8), 50e3)


def test_cells_lie_where_the_grid_has_them(tmp_path):
    grid = fc.Grid.preset("arctic100")
    place = write(tmp_path / "f.nc", grid).place()
    np.testing.assert_allclose(place.area, grid.area, rtol=1e-6)
    np.testing.assert_allclose(place.positions, cell_positions(grid), atol=1.0)
    np.testing.assert_allclose(place.latitude, grid.latitude, atol=1e-6)


def test_a_flat_box_has_no_latitude(tmp_path, box):
    place = write(tmp_path / "f.nc", box).place()
    assert place.latitude is None
    np.testing.assert_allclose(place.area, box.area)
    np.testing.assert_allclose(np.diff(place.positions[0, :, 0]), 50e3)


def test_fields_and_failed_members(tmp_path, box):
    ice = np.random.default_rng(1).random((3, 3, *box.shape))
    ice[1, 2] = np.nan
    file = write(tmp_path / "f.nc", box, members=3, concentration=ice)
    assert file.start == TIMES[0] and file.leads.tolist() == [0, DAY, 2 * DAY]
    expected = np.moveaxis(ice[[0, 2]], 0, 1)
    np.testing.assert_allclose(file.series("concentration"), expected, rtol=1e-6)
    ice[:, 1] = np.nan
    with pytest.raises(InputError, match="no member"):
        write(tmp_path / "g.nc", box, members=3, concentration=ice).series("concentration")


def test_percent_and_synonyms(tmp_path, box):
    def foreign(dataset):
        dataset = dataset.rename(concentration="siconc", realization="number")
        dataset["siconc"] = (100 * dataset.siconc).assign_attrs(units="%")
        return dataset.transpose("time", "y", "x", "number")

    file = write(tmp_path / "f.nc", box, change=foreign)
    plain = write(tmp_path / "g.nc", box)
    found = [one.series("concentration") for one in (file, plain)]
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.assign(concentration=100 * d.concentration), "0 to 1"),
        (lambda d: d.assign(concentration=d.concentration.assign_attrs(units="km")), "'km'"),
        (lambda d: d.rename(realization="level"), "along level"),
        (lambda d: d.assign(concentration=d.concentration - 9999), "of -999.*_FillValue"),
        (lambda d: d.assign(concentration=d.concentration + np.inf), "of inf; expected 0 to 1"),
        (lambda d: d.isel(time=[1, 0]), "ascend"),
        (lambda d: d.isel(time=[]), "no times"),
        (lambda d: d.drop_vars("x"), "no axis x"),
        (lambda d: d.rename(concentration="foo"), "none of concentration"),
        (lambda d: d.assign_coords(x=d.x.values**2), "evenly spaced"),
    ],
)
def test_what_cannot_be_scored_is_refused(tmp_path, box, change, words):
    with pytest.raises(InputError, match=words) as told:
        file = write(tmp_path / "f.nc", box, change=change)
        file.place()
        file.series("concentration")
    assert "f.nc" in str(told.value)


def test_velocities_at_faces_and_other_grids_are_refused(tmp_path, box):
    u = np.zeros((2, 3, *box.shape))
    file = write(tmp_path / "f.nc", box, u=u, staggered=True)
    with pytest.raises(InputError, match="faces of cells"):
        file.series("u")
    assert write(tmp_path / "c.nc", box, u=u).series("u").shape == (3, 2, *box.shape)
    other = write(tmp_path / "g.nc", fc.Grid.box((6, 8), 25e3))
    with pytest.raises(InputError, match="another x than"):
        other.check_same_place(file)
