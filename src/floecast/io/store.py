"""Datasets on disk: netCDF and Zarr, written whole or not at all, read with clear errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from xarray.conventions import encode_cf_variable

from floecast.core.atomic import naming, replacing
from floecast.core.calendar import to_datetime64, to_seconds
from floecast.core.errors import FloecastError, InputError

from .declared import COMPLETE, check_netcdf, check_zarr

TIMES_PER_CHUNK = 16
"""In a Zarr store, so that a long trajectory makes few files."""

_MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


def write_netcdf(dataset, path):
    """Write a dataset as compressed netCDF-4, in one step: whole or not at all.

    Parameters
    ----------
    dataset : xarray.Dataset
    path : str or Path
        A file that stands there is replaced.

    Raises
    ------
    FloecastError
        If it cannot be written, such as to a full disk.

    Notes
    -----
    The same dataset gives the same bytes, whenever and wherever in the file system it is written.
    """
    dataset = dataset.copy()
    for variable in dataset.variables.values():
        if variable.ndim and variable.dtype.kind in "fiu":
            variable.encoding.update(zlib=True, complevel=1, shuffle=True)
    with replacing(path) as partial:
        try:
            dataset.to_netcdf(partial, engine="netcdf4", format="NETCDF4")
        except RuntimeError as error:  # all that the netCDF library tells of a full disk
            raise FloecastError(
                f"cannot write {path} ({error}); is there room on the disk? What was finished is "
                "kept: give the same command again"
            ) from error


def write_zarr(dataset, path):
    """Write a dataset as a Zarr store (format 3), in one step: whole or not at all.

    Parameters
    ----------
    dataset : xarray.Dataset
    path : str or Path
        A store that stands there is replaced.
    """
    with replacing(path) as partial:
        _to_zarr(dataset, partial, TIMES_PER_CHUNK)


class ZarrWriter:
    """Trajectory written block by block along ``time``; after a kill it can be taken up again.

    The store has its full length from the start, and notes how many times are complete:
    `read_dataset` shows only these, and opening the store anew goes on after them.

    Parameters
    ----------
    path : str or Path
        Store to make or to go on with.
    times : (time,) int array
        All times of the whole trajectory [s since 2000-01-01].
    until : int, optional
        Of a store to go on with, write again what follows this time, such as that of the
        checkpoint a run goes on from [s since 2000-01-01].

    Raises
    ------
    InputError
        If something else stands at `path`.
    """

    def __init__(self, path, times, *, until=None):
        self.path = Path(path)
        self.times = np.asarray(times, np.int64)
        self.complete = 0
        """Number of times in complete blocks."""
        if self.path.exists():
            stored, self.complete = _stored_times(self.path)
            if not np.array_equal(stored, self.times):
                raise InputError(f"{path} holds another trajectory; choose another name")
            if until is not None:
                self.complete = min(self.complete, int(np.sum(self.times <= until)))

    def append(self, dataset):
        """Write the next block.

        Parameters
        ----------
        dataset : xarray.Dataset
            With the same variables every time. The first block sets the length of the chunks:
            have at least ten times in it, and as many in each other but the last.

        Raises
        ------
        InputError
            If its times are not the next of the trajectory.
        """
        times = to_seconds(dataset["time"].values)
        end = self.complete + times.size
        if not np.array_equal(times, self.times[self.complete : end]):
            raise InputError(f"{self.path}: the next block must begin at time {self.complete}")
        if self.complete == 0:
            self._create(dataset)
        for array, axis in _along_time(self.path):
            if array.basename != "time":
                values = encode_cf_variable(dataset.variables[array.basename]).values
                with naming(self.path):
                    array[(slice(None),) * axis + (slice(self.complete, end),)] = values
        self.complete = end
        file = self.path / "zarr.json"
        content = json.loads(file.read_text())
        content["attributes"][COMPLETE] = end
        with replacing(file) as partial:  # last, and in one step
            partial.write_text(json.dumps(content, indent=2))

    def _create(self, dataset):
        time = dataset["time"].variable.to_base_variable()
        whole = encode_cf_variable(time._replace(data=to_datetime64(self.times)), name="time")
        with replacing(self.path) as partial:
            _to_zarr(dataset.assign_attrs({COMPLETE: 0}), partial, dataset.sizes["time"])
            for array, axis in _along_time(partial):
                array.resize(array.shape[:axis] + self.times.shape + array.shape[axis + 1 :])
                if array.basename == "time":
                    array[:] = whole.values


def _to_zarr(dataset, path, times_per_chunk):
    """Write with one member and some times a chunk, the rest whole."""
    lengths = {"time": times_per_chunk, "realization": 1}
    dataset = dataset.copy()
    for variable in dataset.variables.values():
        if variable.ndim:
            variable.encoding["chunks"] = tuple(
                max(1, min(size, lengths.get(dim, size)))
                for dim, size in zip(variable.dims, variable.shape, strict=True)
            )
    dataset.to_zarr(path, zarr_format=3, consolidated=False)


def _along_time(path):
    """Arrays of a store that have times, with the number of that axis."""
    arrays = zarr.open_group(path, mode="r+").array_values()
    # A scalar, such as the grid mapping, may have no list of names at all.
    dims = ((array, getattr(array.metadata, "dimension_names", None) or ()) for array in arrays)
    return [(array, names.index("time")) for array, names in dims if "time" in names]


def _stored_times(path):
    """All times of a store of `ZarrWriter`, and the number that is complete."""
    with _opened(path) as dataset:
        if COMPLETE not in dataset.attrs:
            raise InputError(f"{path} was not written block by block; choose another name")
        return to_seconds(dataset["time"].values), dataset.attrs[COMPLETE]


def read_dataset(path):
    """Open a netCDF file or a Zarr store; values are read when they are used.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    xarray.Dataset
        Decoded by CF: times as ``datetime64[ns]``, periods as plain numbers, grid mapping and
        other auxiliary variables as coordinates. Close it, or use it in a ``with`` statement.

    Raises
    ------
    InputError
        If there is no such file, or it is empty, cut short, no netCDF, or of another calendar.
    """
    dataset = _opened(Path(path))
    if COMPLETE in dataset.attrs:
        return dataset.isel(time=slice(dataset.attrs[COMPLETE]))
    return dataset


def values_of(array, path):
    """Values of a variable of `read_dataset`.

    Raises
    ------
    InputError
        If the file is damaged there.
    """
    # The libraries raise errors of a dozen classes at damaged bytes; all inside is reading.
    try:
        return array.values
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} is damaged in {array.name}: {reason}") from error


def _opened(path):
    how: dict[str, Any] = {
        "decode_times": xr.coders.CFDatetimeCoder(use_cftime=False, time_unit="ns"),
        "decode_timedelta": False,
        "decode_coords": "all",
    }
    wanted = "expected a netCDF file or a Zarr folder"
    try:
        if path.is_dir():
            if not any((path / name).exists() for name in ("zarr.json", ".zgroup")):
                raise InputError(f"{path} is a folder without a Zarr store; {wanted}")
            check_zarr(path)
            consolidated = (path / ".zmetadata").exists()
            return xr.open_dataset(path, engine="zarr", consolidated=consolidated, **how)
        with path.open("rb") as file:
            begin = file.read(8)
        if not begin.startswith(_MAGIC):
            raise InputError(f"{path} is {'not netCDF' if begin else 'empty'}; {wanted}")
        check_netcdf(path)
        # The netCDF library reads what is missing of a classic file as zeros, SciPy refuses.
        engine = "scipy" if begin.startswith((b"CDF\x01", b"CDF\x02")) else "netcdf4"
        return xr.open_dataset(path, engine=engine, **how)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {wanted}") from None
    # The libraries raise errors of a dozen classes at damaged bytes; all inside is reading.
    except Exception as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} cannot be read, it may be cut short: {reason}") from error
