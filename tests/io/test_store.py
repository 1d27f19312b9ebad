"""Files are whole or not there, the same from the same data, and refused when damaged."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.io import store
from floecast.io.cf import ZarrWriter, read_dataset, to_dataset, write_netcdf, write_zarr

GRID = Grid.box((4, 5), 2e3)
TIMES = HOUR * np.arange(25)


def block(first, last):
    """Fields that tell their time, at some of the times."""
    level = np.broadcast_to(np.arange(first, last)[:, None, None], (last - first, *GRID.shape))
    return to_dataset(
        {"ice_volume": level, "thickness": -level}, GRID, title="x", time=TIMES[first:last]
    )


def test_same_dataset_same_bytes(tmp_path):
    write_netcdf(block(0, 3), tmp_path / "one.nc")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_store as t;"
        "t.write_netcdf(t.block(0, 3), sys.argv[1])"
    )
    target = tmp_path / "elsewhere" / "two.nc"
    subprocess.run([sys.executable, "-c", code, target], check=True)  # a second later or more
    assert (tmp_path / "one.nc").read_bytes() == target.read_bytes()


@pytest.mark.parametrize("write", [write_netcdf, write_zarr])
def test_rewriting_replaces(write, tmp_path):
    write(block(0, 3), tmp_path / "x")
    write(block(0, 2), tmp_path / "x")
    with read_dataset(tmp_path / "x") as back:
        xr.testing.assert_identical(back.load(), block(0, 2))
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("write", [write_netcdf, write_zarr])
def test_failed_write_leaves_the_old(write, tmp_path, monkeypatch):
    write(block(0, 3), tmp_path / "x")
    bad = block(0, 2).assign(strange=("time", np.array([{}, {}], object)))
    with pytest.raises(Exception, match="object|serializ|infer"):
        write(bad, tmp_path / "x")
    with read_dataset(tmp_path / "x") as back:
        xr.testing.assert_identical(back.load(), block(0, 3))
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_files_are_flushed_before_they_are_renamed(tmp_path, monkeypatch):
    calls = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("rename"), rename(*names)))
    write_netcdf(block(0, 1), tmp_path / "x.nc")
    assert calls == ["fsync", "rename", "fsync"]


def test_blocks_make_the_whole(tmp_path):
    writer = ZarrWriter(tmp_path / "x.zarr", TIMES)
    for first in (0, 10, 20):
        writer.append(block(first, min(first + 10, 25)))
    write_zarr(block(0, 25), tmp_path / "whole.zarr")
    with read_dataset(tmp_path / "x.zarr") as made, read_dataset(tmp_path / "whole.zarr") as whole:
        assert made["ice_volume"].encoding["chunks"] == (10, 4, 5)
        xr.testing.assert_equal(made.load(), whole.load())


def test_few_files(tmp_path):
    write_zarr(block(0, 25), tmp_path / "x.zarr")
    assert len(list((tmp_path / "x.zarr" / "thickness" / "c").glob("*/*/*"))) == 2


@pytest.mark.parametrize("calls_before_death", [0, 1, 2])
def test_killed_in_a_block(tmp_path, monkeypatch, calls_before_death):
    """Death before, between and after the arrays of a block: only whole blocks count."""
    path = tmp_path / "x.zarr"
    ZarrWriter(path, TIMES).append(block(0, 10))
    calls = iter(range(calls_before_death))

    def dying(function):
        def called(*args, **options):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return function(*args, **options)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(store, "encode_cf_variable", dying(store.encode_cf_variable))
        patch.setattr(store.json, "dumps", dying(store.json.dumps))
        with pytest.raises(KeyboardInterrupt):
            ZarrWriter(path, TIMES).append(block(10, 20) + 100)
    with read_dataset(path) as back:
        xr.testing.assert_identical(back.load().drop_attrs(), block(0, 10).drop_attrs())
    writer = ZarrWriter(path, TIMES)
    assert writer.complete == 10
    writer.append(block(10, 20))
    with read_dataset(path) as back:
        assert np.array_equal(back["ice_volume"][:, 0, 0], np.arange(20))


def test_going_on_from_an_earlier_time(tmp_path):
    path = tmp_path / "x.zarr"
    writer = ZarrWriter(path, TIMES)
    writer.append(block(0, 10))
    writer.append(block(10, 20))
    writer = ZarrWriter(path, TIMES, until=TIMES[9])
    assert writer.complete == 10
    writer.append(block(10, 15))
    with read_dataset(path) as back:
        assert np.array_equal(back["ice_volume"][:, 0, 0], np.arange(15))


def test_another_trajectory_is_not_mixed_in(tmp_path):
    ZarrWriter(tmp_path / "x.zarr", TIMES).append(block(0, 10))
    with pytest.raises(InputError, match="holds another trajectory"):
        ZarrWriter(tmp_path / "x.zarr", TIMES + HOUR)
    write_zarr(block(0, 10), tmp_path / "y.zarr")
    with pytest.raises(InputError, match="not written block by block"):
        ZarrWriter(tmp_path / "y.zarr", TIMES)
    with pytest.raises(InputError, match="the next block must begin at time 10"):
        ZarrWriter(tmp_path / "x.zarr", TIMES).append(block(11, 14))


def test_reading_loads_nothing(tmp_path):
    for write in (write_netcdf, write_zarr):
        write(block(0, 3), tmp_path / write.__name__)
        with read_dataset(tmp_path / write.__name__) as dataset:
            assert not dataset["thickness"].variable._in_memory


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4_CLASSIC"])
def test_other_kinds_of_netcdf(tmp_path, kind):
    block(0, 3).to_netcdf(tmp_path / "x.nc", format=kind, engine="netcdf4")
    with read_dataset(tmp_path / "x.nc") as back:
        assert back["thickness"].shape == (3, 4, 5)


@pytest.mark.parametrize("content", [b"", b"time,value\n1,2\n", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_file_that_is_no_netcdf(tmp_path, content):
    path = tmp_path / "x.nc"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x.nc (is empty|is not netCDF|cannot be read)") as error:
        read_dataset(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.2, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
def test_truncated_netcdf(tmp_path, kind, share):
    path = tmp_path / "x.nc"
    block(0, 3).to_netcdf(path, format=kind, engine="netcdf4")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"x.nc cannot be read, it may be cut short: "):
        read_dataset(path)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_dataset(tmp_path / "x.nc")
    with pytest.raises(InputError, match="is a folder without a Zarr store"):
        read_dataset(tmp_path)


def test_other_calendar(tmp_path):
    path = tmp_path / "x.nc"
    attributes = {"units": "days since 2000-01-01", "calendar": "noleap"}
    xr.Dataset({"time": ("time", [0.0, 1.0], attributes)}).to_netcdf(path)
    with pytest.raises(InputError, match="noleap"):
        read_dataset(path)
