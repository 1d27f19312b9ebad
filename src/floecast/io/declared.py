"""What files declare, looked at before anything of them is read: no more than they can hold.

The values of a variable take the memory that its dimensions declare, whatever the file holds.
Deflate, which netCDF files are packed with, makes bytes a 1032nd at most.
"""

import json
from math import prod
from pathlib import PurePosixPath

import netCDF4
import numpy as np

MOST_SHRUNK = 1100
"""Bytes that a file may declare for each of its own."""
ALWAYS = 2**26
"""Bytes that any file may declare."""
MOST_METADATA = 2**24
"""Bytes of the description of one Zarr array or group."""
MOST_VARIABLES = 10_000
COMPLETE = "complete_times"
"""Attribute of a Zarr store that is written block by block: how many of its times are there."""


def check_netcdf(path):
    """Refuse a netCDF file whose variables cannot be in it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        With the reason.
    OSError, RuntimeError
        If the netCDF library cannot open it.
    """
    with netCDF4.Dataset(path) as dataset:
        declared = {}
        for name, variable in dataset.variables.items():
            width = getattr(variable.dtype, "itemsize", 8)  # a pointer where it is text
            chunks = variable.chunking()
            shapes = [variable.shape] + [chunks] * isinstance(chunks, list)
            declared[name] = width * max(prod(shape) for shape in shapes)
    _check(declared, path.stat().st_size)


def check_zarr(path):
    """Refuse a Zarr store whose arrays cannot be in it, lie elsewhere, or would run code.

    Parameters
    ----------
    path : Path
        Folder of the store.

    Raises
    ------
    ValueError
        With the reason.
    OSError
        If it cannot be read.

    Notes
    -----
    Of a store that is written block by block, only the times that are complete count.
    """
    declared, size, complete = {}, None, None
    for name, told in _zarr_metadata(path):
        if name == ".":
            attributes = told.get("attributes")
            complete = attributes.get(COMPLETE) if isinstance(attributes, dict) else None
        if "pickle" in _codecs(told):
            raise ValueError(f"{name} is packed by pickle, which could run code")
        shape = told.get("shape")
        if not isinstance(shape, list):
            continue
        grid = told.get("chunk_grid")
        inner = grid.get("configuration", {}) if isinstance(grid, dict) else {}
        chunks = told.get("chunks", inner.get("chunk_shape", []))
        width = _width(told.get("dtype", told.get("data_type")))
        dims = told.get("dimension_names") or ()
        if isinstance(complete, int) and len(dims) == len(shape) > 1:
            pairs = zip(shape, dims, strict=True)
            shape = [min(one, complete) if dim == "time" else one for one, dim in pairs]
        declared[name] = width * max(prod(shape), prod(chunks))
    if sum(declared.values()) > ALWAYS:  # a long archive has many files
        size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    _check(declared, size or 0)


def _check(declared, size):
    """Refuse what is larger than a file of that size can hold."""
    if len(declared) > MOST_VARIABLES:
        raise ValueError(f"declares {len(declared)} variables")
    total = sum(declared.values())
    if total > max(ALWAYS, MOST_SHRUNK * size):
        name = max(declared, key=declared.get)
        raise ValueError(f"declares {total:.3g} bytes in {size}, most of them in {name}")


def _zarr_metadata(path):
    """Name and description of each array and group of a store."""
    names = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
    top = [path / name for name in names]
    below = [one for one in path.glob("**/*") if one.name in names and one.parent != path]
    for file in [*(one for one in top if one.is_file()), *below]:
        told = _json(file)
        name = file.parent.relative_to(path).as_posix()
        yield name, told
        inner = told.get("consolidated_metadata")
        inner = inner if isinstance(inner, dict) else told
        entries = inner.get("metadata")
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
                raise ValueError(f"tells of {key}, which lies outside of it")
            if isinstance(entry, dict):
                yield key, entry


def _json(file):
    if file.stat().st_size > MOST_METADATA:
        raise ValueError(f"{file.name} has {file.stat().st_size} bytes")
    try:
        told = json.loads(file.read_bytes())
    except RecursionError:
        raise ValueError(f"{file.name} is nested too deep") from None
    if not isinstance(told, dict):
        raise ValueError(f"{file.name} is no description of an array or a group")
    return told


def _codecs(told):
    """Names of all that an array is packed with, joined."""
    packing = {key: told.get(key) for key in ("compressor", "filters", "codecs")}
    return json.dumps(packing).lower()


def _width(dtype):
    """Bytes of a value of a type by its name; those of a pointer if it is none of NumPy's."""
    try:
        return max(np.dtype(dtype).itemsize, 1)
    except TypeError:
        return 8
