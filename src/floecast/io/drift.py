"""Readers of satellite ice drift."""

import numpy as np

from floecast.core.calendar import DAY, HOUR
from floecast.core.projection import EPSG_3413, rotate_to_east_north, rotate_to_grid
from floecast.observation.footprint import LEAST_OCEAN_SHARE, footprints
from floecast.observation.observations import FLAGS, Observations, observations

from .native import KIMURA_60KM, OSISAF_62KM

FASTEST = 0.6
"""Faster ice is flagged as suspect [m/s]."""

OSISAF_ERROR = (2300.0, 1900.0)
"""Error of an OSI-405 displacement over 48 h along x and y: rms against 23 buoys in the Beaufort
Sea, March-April 2021 [m]."""

KIMURA_ERROR = 0.02
"""Error of a component of the Kimura drift [m/s]: the scatter between neighbours (fourth
differences) is 0.014 in winter and 0.017 from May to November; the rest is for what they share."""

# Of OSI-405 [s].
_WINDOW = 48 * HOUR
# Anything faster is no ice drift but a wrong unit [m/s].
_IMPOSSIBLE = 2.0


def read_osisaf_drift(source, grid, start, end):
    """Mean drift over 48 h of OSI SAF OSI-405 (62.5 km).

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`; the centre of a window is 24 h before the time in the file.

    Returns
    -------
    Observations
        First all ``drift_u``, then all ``drift_v``, along the axes of the grid. Windows of
        consecutive days overlap by half.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    dims = ("time", "yc", "xc")
    OSISAF_62KM.check(source, "dX", "xc", "yc")
    begin, stop = osisaf_records(source)
    chosen = np.flatnonzero(source.period(begin, stop, start, end))
    u, v = (_velocity(source, name, dims, "km", 1e3 / _WINDOW, chosen) for name in ("dX", "dY"))
    return _on_grid(
        source,
        grid,
        OSISAF_62KM,
        u,
        v,
        stop[chosen] - _WINDOW // 2,
        _WINDOW,
        [error / _WINDOW for error in OSISAF_ERROR],
    )


def osisaf_records(source):
    """Begin and end of each window, ``(time,)`` each [s since 2000-01-01]."""
    stop = source.seconds("time")
    bounds = source.read(source.variable("time_bnds", ("time", "nv"), shape=(stop.size, 2)))
    expected = np.stack([stop - _WINDOW, stop], axis=1).astype("timedelta64[s]")
    if bounds.dtype.kind != "M" or (bounds - np.datetime64("2000-01-01", "s") != expected).any():
        source.refuse("time_bnds are not the 48 h that end at time, as expected of OSI-405")
    return stop - _WINDOW, stop


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
    return _on_grid(
        source, grid, KIMURA_60KM, u, v, begin[chosen] + DAY // 2, DAY, [KIMURA_ERROR] * 2
    )


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


def _on_grid(source, grid, native, u, v, time, span, error):
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
    flag = FLAGS["suspect"] * (np.hypot(u, v) > FASTEST)
    # Errors stay with their axis: those that differ belong to a grid with the axes of EPSG:3413.
    return Observations.concatenate(
        observations(
            kind,
            value,
            std,
            x.ravel()[place],
            y.ravel()[place],
            time[record],
            seen.cell[place],
            seen.weight[place],
            span=span,
            flag=flag,
        )
        for kind, value, std in zip(("drift_u", "drift_v"), (u, v), error, strict=True)
    )
