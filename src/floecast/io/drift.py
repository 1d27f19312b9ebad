"""Readers of satellite ice drift."""

from dataclasses import dataclass

import numpy as np

from floecast.core.calendar import DAY, HOUR, to_seconds
from floecast.core.projection import (
    EPSG_3413,
    PolarStereographic,
    rotate_to_east_north,
    rotate_to_grid,
)
from floecast.observation.footprint import LEAST_OCEAN_SHARE, footprints
from floecast.observation.observations import FLAGS, Observations, observations

from .native import KIMURA_60KM, OSISAF_62KM
from .native_grid import NativeGrid, read_grid

FASTEST = 0.6
"""Faster ice is flagged as suspect [m/s]."""

OSISAF_ERROR = (2300.0, 1900.0)
"""Error of an OSI-405 displacement over 48 h along x and y: rms against 23 buoys in the Beaufort
Sea, March-April 2021 [m]."""

KIMURA_ERROR = 0.02
"""Error of a component of the Kimura drift [m/s]: the scatter between neighbours (fourth
differences) is 0.014 in winter and 0.017 from May to November; the rest is for what they share."""

LEAST_OSISAF_ERROR = 500.0
"""No displacement is taken to be better than this [m]."""

# Windows of OSI-405 and of OSI-455 [s].
_WINDOWS = (48 * HOUR, DAY)
# Anything faster is no ice drift but a wrong unit [m/s].
_IMPOSSIBLE = 2.0
# Status: from 20 on there is a vector, 22 is interpolated.
_LEAST_STATUS, _INTERPOLATED = 20, 22
_UNCERTAINTY = "uncert_dX_and_dY"
_SPACINGS = (62.5e3, 75e3)


def read_osisaf_drift(source, grid, start, end):
    """Mean drift of OSI SAF: OSI-405 (48 h, 62.5 km) and OSI-455 (24 h, 75 km).

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`; the centre of a window is that of ``time_bnds``.

    Returns
    -------
    Observations
        First all ``drift_u``, then all ``drift_v``, along the axes of the grid. Windows of
        consecutive days of OSI-405 overlap by half. The displacement is over the window of each
        vector, with ``dt0`` and ``dt1`` where the file has them. The error is ``uncert_dX_and_dY``,
        without it `OSISAF_ERROR`. Vectors of a status below 20 are left out, 22 is
        ``interpolated``.

    Raises
    ------
    InputError
        If the file is not as expected.

    References
    ----------
    Lavergne, T., and E. Down (2023). A climate data record of year-round global sea-ice drift from
    the EUMETSAT OSI SAF. Earth Syst. Sci. Data, 15, 5807-5834 (OSI-455). Product User Manual of
    OSI-405 (2016).
    """
    dims = ("time", "yc", "xc")
    begin, stop = osisaf_records(source)
    if source.variable("dX", dims).shape[1:] == OSISAF_62KM.shape:
        OSISAF_62KM.check(source, "dX", "xc", "yc")
        native = OSISAF_62KM
    else:
        native = _OnMap.of(source, read_grid(source, "dX", _SPACINGS))
    chosen = np.flatnonzero(source.period(begin, stop, start, end))
    part = slice(chosen[0], chosen[-1] + 1)
    window = (stop - begin)[chosen]
    seconds = window[:, None, None] + _shift(source, dims, part)
    dx, dy = (1e3 * _displacement(source, name, dims, part) for name in ("dX", "dY"))
    u, v = dx / seconds, dy / seconds
    fastest = np.nanmax(np.hypot(u, v))
    if not fastest <= _IMPOSSIBLE:
        source.refuse(f"drift of {fastest:.1f} m/s is out of range, expected dX and dY in km")
    flag = np.zeros(u.shape, np.int32)
    if source.has("status_flag"):
        status = np.nan_to_num(source.read(source.variable("status_flag", dims), time=part))
        u = np.where(status >= _LEAST_STATUS, u, np.nan)
        flag = FLAGS["interpolated"] * (status == _INTERPOLATED).astype(np.int32)
    errors = [np.full(u.shape, error / window[:, None, None]) for error in OSISAF_ERROR]
    if source.has(_UNCERTAINTY):
        given = 1e3 * source.numbers(
            _UNCERTAINTY, dims, "km", within=(-1e11, 1000), gaps=True, time=part
        )
        given = np.maximum(given, LEAST_OSISAF_ERROR) / seconds
        known = np.isfinite(given) & (given > 0)
        errors = [np.where(known, given, error) for error in errors]
    return _on_grid(source, grid, native, u, v, ((begin + stop) // 2)[chosen], window, errors, flag)


def osisaf_records(source):
    """Begin and end of each window, ``(time,)`` each [s since 2000-01-01]."""
    time = source.seconds("time")
    bounds = source.read(source.variable("time_bnds", ("time", "nv"), shape=(time.size, 2)))
    if bounds.dtype.kind != "M" or np.isnat(bounds).any():
        source.refuse("time_bnds hold no times, expected begin and end of each window")
    begin, stop = np.asarray(to_seconds(bounds)).T
    if not np.isin(stop - begin, _WINDOWS).all() or (time != stop).any():
        source.refuse(
            "time_bnds are not the 24 h of OSI-455 or the 48 h that end at time, as of OSI-405"
        )
    return begin, stop


def read_kimura_drift(source, grid, start, end):
    """Daily drift of the Kimura AMSR2 product (60 km).

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`; windows run from 12 UTC to 12 UTC, so their centre is the
        midnight that ends the day of the file.

    Returns
    -------
    Observations
        First all ``drift_u``, then all ``drift_v``, along the axes of the grid.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    dims = ("time", "y", "x")
    KIMURA_60KM.check(source, "vx", "x", "y")
    begin, stop = kimura_records(source)
    chosen = np.flatnonzero(source.period(begin, stop, start, end))
    u, v = (_velocity(source, name, dims, "cm s-1", 0.01, chosen) for name in ("vx", "vy"))
    errors = [np.full(u.shape, KIMURA_ERROR)] * 2
    time, window = begin[chosen] + DAY // 2, np.full(chosen.size, DAY)
    flag = np.zeros(u.shape, np.int32)
    return _on_grid(source, grid, KIMURA_60KM, u, v, time, window, errors, flag)


def kimura_records(source):
    """Begin and end of each window, ``(time,)`` each [s since 2000-01-01]."""
    begin = source.seconds("time") // DAY * DAY + 12 * HOUR
    if np.any(np.diff(begin) <= 0):
        source.refuse("a day comes twice, expected one record a day")
    return begin, begin + DAY


def _velocity(source, name, dims, unit, factor, chosen):
    """A component on the native axes [m/s], NaN where there is none."""
    most = _IMPOSSIBLE / factor
    return factor * source.numbers(
        name, dims, unit, within=(-most, most), gaps=True, time=slice(chosen[0], chosen[-1] + 1)
    )


def _displacement(source, name, dims, part):
    """Component of the displacement [km], NaN where there is none."""
    most = _IMPOSSIBLE * _WINDOWS[0] / 1e3
    variable = source.variable(name, dims, "km")
    if np.issubdtype(variable.dtype, np.floating):
        # A few files tell the fill value -1e10 under another name.
        values = source.read(variable, time=part).astype(float)
        if (values < -1e9).any() and np.isfinite(np.where(values < -1e9, np.nan, values)).any():
            return np.where(values < -1e9, np.nan, values)
    return source.numbers(name, dims, "km", within=(-most, most), gaps=True, time=part)


def _shift(source, dims, part):
    """Longer of each window than that of the record [s]."""
    if not source.has("dt0", "dt1"):
        return 0.0
    first, last = (
        np.nan_to_num(source.read(source.variable(name, dims), time=part).astype(float))
        for name in ("dt0", "dt1")
    )
    shift = np.where((np.abs(first) < DAY) & (np.abs(last) < DAY), last - first, 0.0)
    return np.where(shift > -DAY / 2, shift, 0.0)


@dataclass(frozen=True, eq=False)
class _OnMap:
    """What `_on_grid` asks of a `NativeGrid`."""

    cells: NativeGrid

    @classmethod
    def of(cls, source, cells):
        if cells.meridian is None:
            source.refuse("tells no projection, which the axes of dX and dY follow")
        return cls(cells)

    @property
    def shape(self):
        return self.cells.shape

    @property
    def spacing(self):
        return self.cells.spacing

    def on(self, grid):
        return self.cells.on(grid)

    def geographic(self):
        return self.cells.definition.latitude, self.cells.longitude

    @property
    def projection(self):
        # All polar maps turn with the longitude alone.
        return PolarStereographic(70.0, self.cells.meridian, 6378137.0, 6356752.3)  # type: ignore[arg-type]


def _on_grid(source, grid, native, u, v, time, span, error, flag):
    """Observations of both components at native cells over ocean, along the axes of the grid."""
    if u.shape[1:] != native.shape:
        source.refuse(f"drift has shape {u.shape[1:]}, expected {native.shape}")
    x, y = native.on(grid)
    seen = footprints(grid, x.ravel(), y.ravel(), native.spacing, shape="box")
    usable = (seen.ocean_share >= LEAST_OCEAN_SHARE).reshape(native.shape)
    record, row, column = np.nonzero(np.isfinite(u) & np.isfinite(v) & usable)
    if not record.size:
        source.refuse(f"no vector lies over the ocean of {grid.name}, expected some")
    _, longitude = native.geographic()
    longitude = longitude[row, column]
    east, north = rotate_to_east_north(
        u[record, row, column], v[record, row, column], native.projection.rotation(longitude)
    )
    u, v = rotate_to_grid(east, north, EPSG_3413.rotation(longitude))
    place = row * native.shape[1] + column
    where = record, row, column
    flag = flag[where] | FLAGS["suspect"] * (np.hypot(u, v) > FASTEST)
    # Errors stay with their axis: those that differ belong to a grid with the axes of EPSG:3413.
    return Observations.concatenate(
        observations(
            kind,
            value,
            std[where],
            x.ravel()[place],
            y.ravel()[place],
            time[record],
            seen.cell[place],
            seen.weight[place],
            span=span[record],
            flag=flag,
        )
        for kind, value, std in zip(("drift_u", "drift_v"), (u, v), error, strict=True)
    )
