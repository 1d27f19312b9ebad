"""Forecasts and truths as CF files on one grid, read time by time for verification."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj

from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.variables import VARIABLES
from floecast.verification.edge_position import positions_on_sphere

from .store import read_dataset, values_of

SCORED = ("concentration", "ice_volume", "thickness", "u", "v")
"""Variables that are scored where forecast and truth have them."""

MEMBERS = ("realization", "member", "number")
"""Names of the dimension of members."""

_RANGES = {
    "concentration": (0.0, 1.0),
    "ice_volume": (0.0, 1e4),
    "thickness": (0.0, 1e4),
    "u": (-10.0, 10.0),
    "v": (-10.0, 10.0),
}
"""Beyond which a value is no ice but a mark of missing ones or of another unit [unit]."""
_PERCENT = ("%", "percent")
_NEAR = 1.0  # [m]


@dataclass(frozen=True)
class Place:
    """Where the cells of files lie.

    Attributes
    ----------
    area : (y, x) true area of the cells [m2].
    positions : (y, x, 2 or 3) Cartesian positions of the centres [m].
    latitude, longitude : (y, x) [degrees], or None for a flat box.
    """

    area: np.ndarray
    positions: np.ndarray
    latitude: np.ndarray | None
    longitude: np.ndarray | None


class FieldFile:
    """Fields along time in a netCDF file or a Zarr store.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : Path
    x, y : (nx,), (ny,) array
        Axes as they are.
    times : (time,) int, ascending [s since 2000-01-01].
    start : int
        The time of reference of a forecast, the first time where there is none.
    names : dict
        Name of each variable of `SCORED` in the file.

    Raises
    ------
    InputError
        If the file cannot be read, has no axis of times or x and y, or nothing to score.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._opened = None
        data = self._dataset()
        for name in ("time", "y", "x"):
            if name not in data.coords or data[name].dims != (name,):
                self.refuse(f"no axis {name}; expected fields along time, y and x in m")
        self.x, self.y = (np.asarray(values_of(data[axis], path), np.float64) for axis in "xy")
        self.times = to_seconds(values_of(data["time"], path))
        if self.times.size == 0:
            self.refuse("no times")
        if np.any(np.diff(self.times) <= 0):
            self.refuse("times that do not ascend; expected each once, one after the other")
        reference = data.coords.get("forecast_reference_time")
        self.start = int(
            self.times[0] if reference is None else to_seconds(values_of(reference, path))
        )
        self.names = {}
        for name in SCORED:
            for one in (name, *VARIABLES[name].synonyms):
                if one in data and {"time", "y", "x"} <= set(data[one].dims):
                    self.names.setdefault(name, one)
        if not self.names:
            self.refuse(f"none of {', '.join(SCORED)} along time, y and x")
        self.close()

    def refuse(self, what):
        """Raise `InputError` about this file."""
        raise InputError(f"{self.path} has {what}")

    def _dataset(self):
        if self._opened is None:
            self._opened = read_dataset(self.path)
        return self._opened

    def close(self):
        """Close the file; it opens again when it is read."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def leads(self):
        """Times since the start, ``(time,)`` [s]."""
        return self.times - self.start

    def at(self, name, index):
        """A variable at one time.

        Parameters
        ----------
        name : str
            Of `names`.
        index : int
            Into `times`.

        Returns
        -------
        (y, x) or (member, y, x) float32 array
            In the unit of `VARIABLES`, NaN where there is none.

        Raises
        ------
        InputError
            If the variable has another unit, an impossible value or more dimensions, or velocities
            stand at the faces of cells.
        """
        found = self._dataset()[self.names[name]]
        if "face of the cell" in found.attrs.get("comment", ""):
            self.refuse(f"{found.name} at the faces of cells; expected it at the centres")
        unit, expected = found.attrs.get("units", VARIABLES[name].unit), VARIABLES[name].unit
        factor = 0.01 if name == "concentration" and unit in _PERCENT else 1.0
        if factor == 1.0 and unit not in (expected, expected.replace(" s-1", "/s")):
            self.refuse(f"{found.name} in {unit!r}; expected {expected!r}")
        members = [dim for dim in found.dims if dim in MEMBERS]
        if set(found.dims) != {"time", "y", "x", *members} or len(members) > 1:
            self.refuse(f"{found.name} along {', '.join(found.dims)}; expected time, y, x")
        field = values_of(found.isel(time=index).transpose(*members, "y", "x"), self.path)
        field = np.asarray(field, np.float32) * np.float32(factor)
        lower, upper = _RANGES[name]
        for worst in (np.nanmin(field, initial=0.0), np.nanmax(field, initial=0.0)):
            if not lower - 0.01 <= worst <= upper + 0.01:
                percent = ", or units of percent" if name == "concentration" else ""
                self.refuse(
                    f"{found.name} of {worst:g}; expected {lower:g} to {upper:g}{percent}, and "
                    "missing values as NaN or _FillValue"
                )
        return field

    def series(self, name):
        """A variable at all times, and the file closed.

        Parameters
        ----------
        name : str
            Of `names`.

        Returns
        -------
        (time, y, x) or (time, member, y, x) float32 array
            Members that have no value at one of the times are left out.

        Raises
        ------
        InputError
            As of `at`, or if no member is left.
        """
        field = np.stack([self.at(name, index) for index in range(self.times.size)])
        self.close()
        if field.ndim == 4:
            good = np.isfinite(field).any(axis=(2, 3)).all(axis=0)
            if not good.any():
                self.refuse(f"no member with {self.names[name]} at all times")
            field = field[:, good]
        return field

    def place(self):
        """Where the cells lie.

        Returns
        -------
        Place

        Raises
        ------
        InputError
            If x and y are not evenly spaced in metres.
        """
        data = self._dataset()
        steps = [np.diff(axis) for axis in (self.x, self.y)]
        units = {data[axis].attrs.get("units", "m") for axis in "xy"}
        even = all(one.size and np.ptp(one) < _NEAR for one in steps)
        if units != {"m"} or not even:
            self.refuse("x and y that are not evenly spaced in m, as those of a projection are")
        side = abs(steps[0][0] * steps[1][0])
        mappings = [c.attrs for c in data.coords.values() if "grid_mapping_name" in c.attrs]
        plane = np.meshgrid(self.x, self.y)
        if not mappings:
            return Place(np.full(plane[0].shape, side), np.stack(plane, axis=-1), None, None)
        projection = pyproj.Proj(pyproj.CRS.from_cf(mappings[0]))
        longitude, latitude = projection(*plane, inverse=True)
        # The scale at the pole itself is that of any meridian.
        near = np.clip(latitude, -89.9999, 89.9999)
        scale = projection.get_factors(longitude, near).areal_scale
        positions = positions_on_sphere(latitude, longitude)
        return Place(side / np.asarray(scale), positions, latitude, longitude)

    def check_same_place(self, other):
        """Refuse a file whose cells are not those of another.

        Parameters
        ----------
        other : FieldFile

        Raises
        ------
        InputError
        """
        for axis in ("x", "y"):
            here, there = getattr(self, axis), getattr(other, axis)
            if here.shape != there.shape or not np.allclose(here, there, rtol=0, atol=_NEAR):
                self.refuse(
                    f"another {axis} than {other.path}; bring one to the grid of the other first"
                )
