"""Drift of buoys as observations, from their positions."""

import numpy as np

from floecast.core.calendar import HOUR, to_seconds
from floecast.core.projection import EPSG_3413
from floecast.observation.footprint import LEAST_OCEAN_SHARE, footprints, grid_position
from floecast.observation.observations import FLAGS, Observations, observations

from .drift import FASTEST
from .tracks import of_period

WINDOW = 24 * HOUR
"""Time over which the displacement of a buoy is taken [s]."""

POSITION_ERROR = 300.0
"""Error of a coordinate of a position: that of Argos, as the tables do not say which are of GPS
[m]."""

FOOTPRINT = 1e3
"""Side of what a buoy stands for [m]."""

# A displacement over less than this part of the window, or more, is left out.
_TOLERANCE = 0.25


def is_buoys(source):
    """Whether a file is a table of positions of buoys."""
    return source.has("BuoyID", "POS_TIME", "Lat", "Lon")


def buoy_times(source):
    """Times of all positions [s since 2000-01-01]."""
    return np.asarray(to_seconds(source.read(source.variable("POS_TIME"))))


def read_buoys(source, grid, start, end):
    """Mean drift of buoys over a day.

    Parameters
    ----------
    source : Source
        Of a table of `buoy_tables.read_table`.
    grid : Grid
    start, end : time or None
        Only displacements whose middle is at or after `start` and before `end`.

    Returns
    -------
    Observations
        First all ``drift_u``, then all ``drift_v``, along the axes of the grid: displacement on its
        plane, divided by its scale there, over about `WINDOW`, one after the other for each buoy.
        Errors are those of two positions; positions at the same time are taken once. ``suspect``
        above `FASTEST`.

    Raises
    ------
    InputError
        If no buoy has two positions a day apart in the period and the ocean of the grid.

    References
    ----------
    Rampal, P., et al. (2008). Scaling properties of sea ice deformation from buoy dispersion
    analysis. J. Geophys. Res., 113, C03002 (errors of positions).
    """
    dims = ("obs",)
    number = source.numbers("BuoyID", dims, within=(-1e20, 1e20))
    latitude = source.numbers("Lat", dims, "degrees_north", within=(-90, 90))
    longitude = source.numbers("Lon", dims, "degrees_east", within=(-360, 360))
    time = buoy_times(source)
    begins: list[int] = []
    ends: list[int] = []
    for buoy in np.unique(number):
        own = np.flatnonzero((number == buoy) & (latitude > 30))
        own = own[np.argsort(time[own], kind="stable")]
        own = own[np.diff(time[own], prepend=-(2**62)) > 0]
        for one, other in _windows(time[own]):
            begins.append(own[one])
            ends.append(own[other])
    first, last = np.array(begins, int), np.array(ends, int)
    if not first.size:
        source.refuse("no buoy has two positions a day apart, expected some")
    x, y = grid_position(grid, latitude, longitude)
    middle, span = (time[first] + time[last]) // 2, time[last] - time[first]
    chosen = of_period(source, middle, start, end)
    first, last, middle, span = (one[chosen] for one in (first, last, middle, span))
    centre = (x[first] + x[last]) / 2, (y[first] + y[last]) / 2
    seen = footprints(grid, *centre, FOOTPRINT, shape="box")
    kept = seen.ocean_share >= LEAST_OCEAN_SHARE
    if not kept.any():
        source.refuse(f"no buoy is over the ocean of {grid.name}, expected some")
    scale = EPSG_3413.scale((latitude[first] + latitude[last]) / 2)
    u, v = ((axis[last] - axis[first]) / scale / span for axis in (x, y))
    error = np.sqrt(2) * POSITION_ERROR / span
    flag = FLAGS["suspect"] * (np.hypot(u, v) > FASTEST).astype(np.int32)
    return Observations.concatenate(
        observations(
            kind,
            value[kept],
            error[kept],
            centre[0][kept],
            centre[1][kept],
            middle[kept],
            seen.cell[kept],
            seen.weight[kept],
            span=span[kept],
            flag=flag[kept],
        )
        for kind, value in (("drift_u", u), ("drift_v", v))
    )


def _windows(time):
    """First and last position of windows that follow each other."""
    here = 0
    while here < time.size - 1:
        there = here + 1 + int(np.abs(time[here + 1 :] - time[here] - WINDOW).argmin())
        if abs(time[there] - time[here] - WINDOW) <= _TOLERANCE * WINDOW:
            yield here, there
            here = there
        else:
            here += 1
