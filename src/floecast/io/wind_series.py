"""Readers of wind along time, at points or over an area."""

from dataclasses import dataclass

import numpy as np

_FASTEST = 100.0  # [m/s]
# Names of the east and north wind, in the order in which they are looked for.
_SERIES = (("wind_u", "wind_v"), ("u", "v"), ("u10", "v10"))


@dataclass(frozen=True)
class WindSeries:
    """10 m wind along time at some points, or one mean over an area.

    Parameters
    ----------
    time : (time,) int array
        Seconds since 2000-01-01, ascending.
    east, north : (time, point) array
        [m/s], NaN where missing.
    latitude, longitude : (time, point) array or None
        [degrees], NaN where missing; None for an area.
    pressure : (time, point) array or None
        At sea level [Pa].
    """

    time: np.ndarray
    east: np.ndarray
    north: np.ndarray
    latitude: np.ndarray | None = None
    longitude: np.ndarray | None = None
    pressure: np.ndarray | None = None


def has_wind_series(source):
    """Whether a file holds wind along time."""
    return _series_names(source) is not None


def read_wind_series(source):
    """Wind along time.

    Parameters
    ----------
    source : Source

    Returns
    -------
    WindSeries

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    east_name, north_name = _series_names(source)
    dims = source.variable(east_name).dims
    time = source.seconds("time")

    def along(name, unit, least, most):
        values = source.numbers(name, dims, unit, within=(least, most), gaps=True)
        return values.reshape(time.size, -1)

    east, north = (along(name, "m s-1", -_FASTEST, _FASTEST) for name in (east_name, north_name))
    places, pressure = (None, None), None
    if source.has("latitude", "longitude"):
        places = (
            along("latitude", "degrees_north", -90, 90),
            along("longitude", "degrees_east", -180, 360),
        )
    if source.has("msl"):
        factor = 100.0 if source.unit("msl") == "hPa" else 1.0
        pressure = factor * along("msl", ("Pa", "hPa"), 8e4 / factor, 1.1e5 / factor)
    return WindSeries(time, east, north, *places, pressure)


def _series_names(source):
    """Names of the wind of a series: along time, and called wind, as u and v may be ice."""
    for names in _SERIES:
        if source.has(*names) and all(_is_wind_along_time(source, name) for name in names):
            return names
    return None


def _is_wind_along_time(source, name):
    variable = source.variable(name)
    text = " ".join(str(variable.attrs.get(key, "")) for key in ("long_name", "standard_name"))
    return variable.dims[:1] == ("time",) and len(variable.dims) <= 2 and "wind" in text
