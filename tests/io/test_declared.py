"""Small files that declare huge arrays, lie elsewhere or would run code are refused unread."""

import json
import os
import pickle
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from floecast.core.calendar import to_datetime64
from floecast.core.errors import InputError
from floecast.io.readers import identify
from floecast.io.store import ZarrWriter, read_dataset, write_netcdf, write_zarr

HUGE = 2**40


def netcdf(path):
    """A coordinate that is never written, and would be read when the file is opened."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", HUGE)
        file.createDimension("x", 4)
        variable = file.createVariable("time", "f8", ("time",), zlib=True, chunksizes=[1024])
        variable.units = "hours since 2000-01-01"
        file.createVariable("ice_conc", "f4", ("x",))[:] = 1.0
    return path


def zarr_store(path, form, **changes):
    """A store of one array whose description is changed after it was written."""
    group = zarr.open_group(path, mode="w", zarr_format=form)
    options = {"dimension_names": ["x"]} if form == 3 else {}
    array = group.create_array("x", shape=(4,), chunks=(4,), dtype="f8", **options)
    array[:] = 1.0
    if form == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    file = path / "x" / ("zarr.json" if form == 3 else ".zarray")
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return path


class Trap:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def hostile(folder):
    """Files that declare more than they hold, by name."""
    chunks = {"name": "regular", "configuration": {"chunk_shape": [HUGE]}}
    return {
        "unwritten": netcdf(folder / "unwritten.nc"),
        "zarr 2": zarr_store(folder / "two.zarr", 2, shape=[HUGE]),
        "zarr 3": zarr_store(folder / "three.zarr", 3, shape=[HUGE]),
        "zarr chunk": zarr_store(folder / "chunk.zarr", 3, chunk_grid=chunks),
    }


def test_refused_in_bounded_memory(tmp_path):
    paths = hostile(tmp_path)
    code = (
        "import resource, sys\n"
        "import xarray\n"
        "from floecast.core.errors import InputError\n"
        "from floecast.io.readers import identify\n"
        "from floecast.io.store import read_dataset\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 2**29,) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    for read in (read_dataset, identify):\n"
        "        try:\n"
        "            read(__import__('pathlib').Path(path))\n"
        "        except InputError as fault:\n"
        "            print(fault)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths.values())],
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    assert len(told) == 2 * len(paths)
    assert not [one for one in told if "declares" not in one and "a folder, expected" not in one]
    assert sum("declares" in one for one in told) == len(paths) + 1  # both read netCDF


@pytest.mark.parametrize("how", ["compressor", "filters"])
def test_stores_that_would_run_code(tmp_path, how):
    pickled = {"id": "pickle", "protocol": 2}
    changes = {"compressor": pickled} if how == "compressor" else {"filters": [pickled]}
    path = zarr_store(tmp_path / "x.zarr", 2, **changes, dtype="|O", fill_value=None)
    (path / "x" / "0").write_bytes(pickle.dumps(Trap(tmp_path / "run")))
    with pytest.raises(InputError, match="pickle, which could run code"), read_dataset(path) as one:
        one.load()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["../secret", "/etc/secret", "a/../../secret"])
def test_stores_that_lead_out_of_their_folder(tmp_path, key):
    write_zarr(xr.Dataset({"x": ("x", np.arange(3.0))}), tmp_path / "secret")
    path = tmp_path / "x.zarr"
    write_zarr(xr.Dataset(), path)
    told = json.loads((path / "zarr.json").read_text())
    inner = {key: json.loads((tmp_path / "secret" / "x" / "zarr.json").read_text())}
    told["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": inner}
    (path / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="outside of it"):
        read_dataset(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "{", '{"shape": "x"}', '{"a": NaN'])
def test_descriptions_that_are_none(tmp_path, text):
    path = zarr_store(tmp_path / "x.zarr", 3)
    (path / "x" / "zarr.json").write_text(text)
    with pytest.raises(InputError, match="x.zarr cannot be read"):
        read_dataset(path)


def test_what_is_packed_well_or_half_written_is_read(tmp_path):
    """A field of zeros shrinks as far as deflate can; an archive has its full length at once."""
    field = xr.Dataset({"damage": (("y", "x"), np.zeros((3000, 3000)))})
    write_netcdf(field, tmp_path / "zeros.nc")
    assert os.path.getsize(tmp_path / "zeros.nc") < field.nbytes / 200
    with read_dataset(tmp_path / "zeros.nc") as again:
        assert again["damage"].sum() == 0
    times = np.arange(4000) * 3600
    writer = ZarrWriter(tmp_path / "x.zarr", times)
    ice = np.random.default_rng(0).uniform(size=(10, 64, 64))
    time = ("time", to_datetime64(times[:10]))
    writer.append(xr.Dataset({"ice": (("time", "y", "x"), ice)}, {"time": time}))
    with read_dataset(tmp_path / "x.zarr") as again:
        assert again.sizes["time"] == 10


def test_no_product_is_found_in_it(tmp_path):
    with pytest.raises(InputError, match="declares 8.8e"):
        identify(netcdf(tmp_path / "x.nc"))
