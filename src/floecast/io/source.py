"""Files of others: opened, and checked while they are read, so that a fault is one clear line."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import xarray as xr

from floecast.core.calendar import iso, to_seconds
from floecast.core.errors import InputError

from .buoy_tables import looks_like_table, read_table
from .classic import classic_length
from .declared import check_netcdf

# First bytes of netCDF-4 (HDF5) and of the classic format with short and long offsets.
_HDF5 = b"\x89HDF\r\n\x1a\n"
_CLASSIC = (b"CDF\x01", b"CDF\x02")
_HEAD = 4096
# What other files begin with, and what to do with them.
_OTHERS = {
    b"\x0e\x03\x13\x01": "is HDF4; take the netCDF copy of the provider, or convert it (h4toh5)",
    b"GRIB": "is GRIB; convert it to netCDF (cdo -f nc copy)",
    b"\x1f\x8b": "is compressed; unpack it with gunzip",
    b"BZh": "is compressed; unpack it with bunzip2",
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"CDF\x05": "is netCDF of 64-bit data; convert it (nccopy -k netCDF-4)",
}

_SPELLINGS = {
    "m": {"meter", "meters", "metre", "metres"},
    "mm": {"millimeter", "millimeters", "millimetre", "millimetres"},
    "km": {"kilometer", "kilometers", "kilometre", "kilometres"},
    "m s-1": {"m/s", "m s**-1", "m s^-1", "meter second-1"},
    "cm s-1": {"cm/s", "cm s**-1", "cm s^-1"},
    "degrees_north": {"degree_north", "degrees_N", "degree_N", "degrees north"},
    "degrees_east": {"degree_east", "degrees_E", "degree_E", "degrees east"},
    "K": {"kelvin", "Kelvin"},
    "1": {
        "",
        "-",
        "(0 - 1)",
        "(Code table 4.222)",
        "kg kg**-1",
        "kg kg-1",
        "kg/kg",
        "kg kg^-1",
    },
    "W m-2": {"W m**-2", "W/m2", "W/m^2", "W m^-2"},
    "J m-2": {"J m**-2", "J/m2", "J m^-2", "J/m^2", "W s m-2", "W s m**-2", "W s/m^2", "W s/m2"},
    "kg m-2 s-1": {"kg m**-2 s**-1", "kg/m2/s", "kg/m^2/s", "kg m^-2 s^-1"},
    "kg m-2": {"kg m**-2", "kg/m2", "kg/m^2", "kg m^-2"},
    "%": {"percent"},
    "m of water equivalent": set(),
    "Pa": {"pascal", "Pascal"},
    "hPa": {"mbar", "millibar"},
}
_UNIT = {text: unit for unit, others in _SPELLINGS.items() for text in {unit, *others}}


@dataclass(frozen=True)
class Source:
    """An open netCDF file.

    Parameters
    ----------
    path : Path
    dataset : xarray.Dataset
        Decoded by CF, not yet loaded.
    """

    path: Path
    dataset: xr.Dataset

    def refuse(self, fault) -> NoReturn:
        """Raise the `InputError` that this file has a fault."""
        raise InputError(f"{self.path}: {' '.join(str(fault).split())}")

    def has(self, *names):
        """Whether all these variables are there."""
        return set(names) <= set(self.dataset.variables)

    def variable(self, name, dims=None, unit=None, shape=None):
        """A variable that is as expected, not yet loaded.

        Parameters
        ----------
        name : str
        dims : tuple of str, optional
        unit : str or tuple of str, optional
            Accepted ones, in the spelling of `VARIABLES`.
        shape : tuple of int, optional

        Returns
        -------
        xarray.Variable

        Raises
        ------
        InputError
            If it is absent, or something else than expected.
        """
        if name not in self.dataset.variables:
            self.refuse(f"variable {name} is missing; the file holds {self.listing()}")
        variable = self.dataset.variables[name]
        if dims is not None and variable.dims != dims:
            self.refuse(f"{name} has dimensions {variable.dims}, expected {dims}")
        if shape is not None and variable.shape != shape:
            self.refuse(f"{name} has shape {variable.shape}, expected {shape}")
        if unit is not None:
            accepted = (unit,) if isinstance(unit, str) else unit
            if self.unit(name) not in accepted:
                found = variable.attrs.get("units")
                self.refuse(f"{name} is in {found!r}, expected {' or '.join(accepted)!r}")
        return variable

    def unit(self, name):
        """Unit of a variable in the spelling of `VARIABLES`; None if unknown or not given."""
        return _UNIT.get(str(self.dataset.variables[name].attrs.get("units", "none")).strip())

    def read(self, variable, **index):
        """Values of a variable, or of a part of it by dimension.

        Raises
        ------
        InputError
            If the file is damaged there.
        """
        with _faults(self.path, "cannot be read"):
            return np.asarray(variable.isel(index).values)

    def numbers(self, name, dims=None, unit=None, *, within, shape=None, gaps=False, **index):
        """Values of a variable as float64, all between two bounds.

        Parameters
        ----------
        name, dims, unit, shape
            As in `variable`.
        within : tuple of float
            Least and largest value.
        gaps : bool
            Whether some, but not all, may be NaN.
        **index
            Part by dimension.

        Returns
        -------
        array

        Raises
        ------
        InputError
            If the variable is not as expected or a value is out of bounds or missing.
        """
        values = self.read(self.variable(name, dims, unit, shape), **index)
        if values.dtype.kind not in "iuf":
            self.refuse(f"{name} holds {values.dtype} values, expected numbers")
        values = values.astype(float)
        missing = np.isnan(values)
        if missing.all():
            self.refuse(f"{name} holds no value, expected numbers in {within[0]:g}..{within[1]:g}")
        if missing.any() and not gaps:
            self.refuse(f"{name} misses {missing.sum()} of {missing.size} values, expected all")
        wrong = (values < within[0]) | (values > within[1])
        if wrong.any():
            self.refuse(
                f"{name} is {values[wrong][0]:g} and out of range in {wrong.sum()} places, "
                f"expected {within[0]:g}..{within[1]:g} {unit if isinstance(unit, str) else ''}"
            )
        return values

    def seconds(self, name, *, ascending=True):
        """Times of a variable [s since 2000-01-01].

        Raises
        ------
        InputError
            If they are no CF times, one is missing, or they do not ascend.
        """
        values = self.read(self.variable(name))
        if values.dtype.kind != "M":
            self.refuse(f"{name} holds no times, expected units like 'hours since 2015-01-01'")
        if values.size == 0 or np.isnat(values).any():
            missing = np.isnat(values).sum()
            self.refuse(f"{name} misses {missing} of {values.size} times, expected all")
        seconds = np.asarray(to_seconds(values))
        if ascending and np.any(np.diff(seconds.ravel()) <= 0):
            self.refuse(f"{name} does not ascend, expected each time later than the one before")
        return seconds

    def placed(self, make, *places):
        """A grid definition of the places in this file, such as `GridDefinition.latlon` makes.

        Raises
        ------
        InputError
            If they are those of no grid.
        """
        try:
            return make(*places)
        except InputError as fault:
            self.refuse(fault)

    def period(self, begin, end, start, stop):
        """Which records lie in the period asked for.

        Parameters
        ----------
        begin, end : (n,) int array
            Of each record [s since 2000-01-01].
        start, stop : str, datetime, datetime64, int [s] or None
            Records whose centre is at or after `start` and before `stop`.

        Returns
        -------
        (n,) bool array

        Raises
        ------
        InputError
            If the file does not cover the period, or no record has its centre in it.
        """
        first, last = begin.min(), end.max()
        start = first if start is None else seconds_of(start)
        stop = last if stop is None else seconds_of(stop)
        centre = begin + (end - begin) // 2
        chosen = (centre >= start) & (centre < stop)
        within = first <= start and stop <= last
        if not (within and chosen.any()):
            fault = "holds no record centred in" if within else "does not cover"
            self.refuse(
                f"{fault} {iso(start)} to {iso(stop)}; it covers {iso(first)} to {iso(last)} by "
                f"{np.unique(begin).size} records of {np.median(end - begin) / 3600:g} h"
            )
        return chosen

    def listing(self):
        """Variables with their dimensions, for messages."""
        return (
            ", ".join(
                f"{name}({', '.join(map(str, variable.dims))})"
                for name, variable in list(self.dataset.variables.items())[:12]
            )
            or "no variable"
        )


@contextmanager
def open_source(path):
    """Open a netCDF file of any kind, or a table of buoys.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    Source

    Raises
    ------
    InputError
        If there is no such file, or it is empty, damaged or neither.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(
            f"{path}: a folder, expected a netCDF file; xarray.open_zarr(path, consolidated=False) "
            "opens an archive in Zarr"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a netCDF file")
    with _faults(path, "cannot be opened"):
        with path.open("rb") as file:
            head = file.read(_HEAD)
    magic = head[:8]
    if not magic:
        raise InputError(f"{path}: the file is empty, expected netCDF")
    if looks_like_table(head):
        yield Source(path, read_table(path))
        return
    for other, advice in _OTHERS.items():
        if magic.startswith(other):
            raise InputError(f"{path}: {advice}")
    if not magic.startswith((_HDF5, *_CLASSIC)):
        raise InputError(f"{path}: begins with {magic!r}, expected netCDF-4 or classic netCDF")
    with _faults(path, "is damaged or incomplete netCDF"):
        if magic.startswith(_CLASSIC):
            _check_length(path)
        check_netcdf(path)
        dataset = xr.open_dataset(path, engine="netcdf4", decode_timedelta=False, cache=False)
    with dataset:
        yield Source(path, dataset)


def seconds_of(time):
    """Seconds since 2000-01-01 of a time; an int is taken to be that already."""
    return int(time) if isinstance(time, (int, np.integer)) else to_seconds(time)


def _check_length(path):
    with path.open("rb") as file:
        wanted = classic_length(file)
    if path.stat().st_size < wanted:
        raise EOFError(f"{path.stat().st_size} of {wanted} bytes")


@contextmanager
def _faults(path, fault):
    """Turn what the libraries below make of a damaged file into one line.

    They raise errors of a dozen classes, so all are caught; nothing but reading happens inside.
    """
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: {fault} ({reason[:200]}), expected a whole file") from error
