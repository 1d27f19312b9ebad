"""Readers of weather: regular latitude-longitude files as forcing, and series of wind."""

from dataclasses import dataclass

import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import HOUR, iso
from floecast.core.variables import VARIABLES

from .grids import GridDefinition
from .regrid import regrid, regrid_vector

_FASTEST = 100.0  # [m/s]
_SEA_LEVEL_PRESSURE = 101325.0  # [Pa]
_WATER_DENSITY = 1000.0  # [kg/m3]
_DRY_TO_VAPOUR = 287.0597 / 461.5250  # gas constants of dry air and water vapour [1]

# Names in the files of both generations of the Copernicus data store, of GFS by wgrib2 and by
# cfgrib, the first found taken; and by unit, factor to ours, least and largest value in the file.
_NAMES = {
    "east": ("u10", "10u", "VAR_10U", "UGRD_10maboveground"),
    "north": ("v10", "10v", "VAR_10V", "VGRD_10maboveground"),
    "air_temperature": (*VARIABLES["air_temperature"].synonyms, "TMP_2maboveground"),
    "humidity": (*VARIABLES["humidity"].synonyms, "q", "SPFH_2maboveground"),
    "dew_point": ("d2m", "2d", "VAR_2D", "DPT_2maboveground"),
    "pressure": ("sp", "SP", "PRES_surface", "msl", "PRMSL_meansealevel"),
    "shortwave": ("avg_sdswrf", "msdwswrf", "ssrd", "SSRD", "DSWRF_surface"),
    "longwave": ("avg_sdlwrf", "msdwlwrf", "strd", "STRD", "DLWRF_surface"),
    "snowfall": ("avg_tsrwe", "msr", "sf", "SF"),
}
# Packed files hold values a little below zero. Sums are those of one hour.
_RADIATION = {"W m-2": (1.0, -3.0, 1500.0), "J m-2": (1 / HOUR, -1e4, 1500.0 * HOUR)}
_UNITS = {
    "east": {"m s-1": (1.0, -_FASTEST, _FASTEST)},
    "north": {"m s-1": (1.0, -_FASTEST, _FASTEST)},
    "air_temperature": {"K": (1.0, 150.0, 340.0)},
    "humidity": {"1": (1.0, -1e-4, 0.1)},
    "dew_point": {"K": (1.0, 100.0, 340.0)},
    "pressure": {"Pa": (1.0, 3e4, 1.1e5)},
    "shortwave": _RADIATION,
    "longwave": _RADIATION,
    "snowfall": {
        "kg m-2 s-1": (1.0, -1e-5, 0.1),
        "m of water equivalent": (_WATER_DENSITY / HOUR, -1e-4, 0.1),
    },
}
_AXES = (("latitude", "lat"), ("longitude", "lon"))
# Degrees beyond the grid that interpolation needs, and times read at once.
_MARGIN = 5.0
_TIMES_AT_ONCE = 48

# Series: names of the east and north wind, in the order in which they are looked for.
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


def has_surface_fields(source):
    """Whether a file holds weather near the surface on latitude and longitude axes."""
    return _axes(source) is not None and any(_first(source, names) for names in _NAMES.values())


def has_pressure_levels(source):
    """Whether a file holds fields on pressure levels and no 10 m wind."""
    levels = ("pressure_level", "isobaricInhPa", "level", "plev")
    return _first(source, levels) is not None and _first(source, _NAMES["east"]) is None


def has_wind_series(source):
    """Whether a file holds wind along time."""
    return _series_names(source) is not None


def read_latlon_forcing(source, grid):
    """Forcing from a regular latitude-longitude file, such as ERA5 or GFS.

    Parameters
    ----------
    source : Source
    grid : Grid
        A preset.

    Returns
    -------
    Forcing
        10 m wind turned to the axes of the grid, and what the file has of 2 m temperature, 2 m
        humidity (specific, or by dew point), downward radiation and snowfall; at T points, float32.

    Raises
    ------
    InputError
        If the file is not as expected or does not cover the ocean of the grid.

    Notes
    -----
    Linear interpolation on a polar plane, to whose axes the wind is turned first, so that the pole
    is no special place. Sums of radiation and snowfall are taken as those of the hour before each
    time, as in ERA5, and given to that time as means; values a little below zero, which packing
    leaves, become zero. Land cells that the file does not cover get the mean over the ocean.
    """
    time, time_dim = _times(source)
    found = _found(source)
    definition, rows = _where(source, grid)
    parts = []
    for first in range(0, time.size, _TIMES_AT_ONCE):
        index = {time_dim: slice(first, first + _TIMES_AT_ONCE), _axes(source)[0]: rows}
        values = {
            name: _field(source, variable, name, time_dim, index)
            for name, variable in found.items()
            if variable
        }
        parts.append(_on_grid(values, definition, grid))
    fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for name, field in fields.items():
        missing = (np.isnan(field) & grid.mask_t).any(axis=0).sum()
        if missing:
            source.refuse(
                f"{name} is missing on {missing} of {grid.mask_t.sum()} ocean cells of "
                f"{grid.name}, expected values down to {grid.latitude[grid.mask_t].min():.0f} N"
            )
        mean = field[:, grid.mask_t].mean(axis=1)[:, None, None]
        fields[name] = np.where(np.isnan(field), mean, field).astype(np.float32)
    return Forcing(time, **fields)


def check_latlon_forcing(source, start, end):
    """Refuse a file without wind, or whose times do not reach from `start` to `end` [s]."""
    _found(source)
    time, _ = _times(source)
    if start < time[0] or end > time[-1]:
        source.refuse(
            f"covers {iso(time[0])} to {iso(time[-1])}, expected {iso(start)} to {iso(end)}"
        )


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
    places = pressure = None
    if source.has("latitude", "longitude"):
        places = (
            along("latitude", "degrees_north", -90, 90),
            along("longitude", "degrees_east", -180, 360),
        )
    if source.has("msl"):
        factor = 100.0 if source.unit("msl") == "hPa" else 1.0
        pressure = factor * along("msl", ("Pa", "hPa"), 8e4 / factor, 1.1e5 / factor)
    return WindSeries(time, east, north, *(places or (None, None)), pressure)


def _found(source):
    """Names of the variables of the file by ours, None for what it lacks; wind it must have."""
    found = {name: _first(source, names) for name, names in _NAMES.items()}
    absent = [name for name in ("east", "north") if not found[name]]
    if absent:
        source.refuse(
            f"the {' and '.join(absent)} component of the 10 m wind is missing, expected one of "
            f"{', '.join(_NAMES[absent[0]])}; the file holds {source.listing()}"
        )
    return found


def _on_grid(values, definition, grid):
    """Fields of `Forcing` on the grid from those of the file, by name."""
    east, north = values.pop("east"), values.pop("north")
    fields = dict(
        zip(("wind_u", "wind_v"), regrid_vector(east, north, definition, grid), strict=True)
    )
    for name, field in values.items():
        fields[name] = regrid(field, definition, grid, method="bilinear")
    pressure = fields.pop("pressure", np.array(_SEA_LEVEL_PRESSURE))
    dew_point = fields.pop("dew_point", None)
    if "humidity" not in fields and dew_point is not None:
        fields["humidity"] = specific_humidity(dew_point, pressure)
    for name in {"humidity", "shortwave", "longwave", "snowfall"} & set(fields):
        fields[name] = np.maximum(fields[name], 0.0)
    return fields


def specific_humidity(dew_point, pressure):
    """Specific humidity from the dew point.

    Parameters
    ----------
    dew_point : array
        [K].
    pressure : array
        [Pa].

    Returns
    -------
    array
        [kg/kg].

    Notes
    -----
    Saturation over water at all temperatures, as the dew point of ERA5 is defined.

    References
    ----------
    ECMWF (2021), IFS documentation CY47R3, part IV, equations 7.4 and 7.5.
    """
    vapour = 611.21 * np.exp(17.502 * (dew_point - 273.16) / (dew_point - 32.19))
    return _DRY_TO_VAPOUR * vapour / (pressure - (1 - _DRY_TO_VAPOUR) * vapour)


def _field(source, variable, name, time_dim, index):
    """Part of a field ``(time, latitude, longitude)`` in our unit."""
    unit = source.unit(variable)
    accepted = _UNITS[name]
    source.variable(variable, unit=tuple(accepted))
    factor, least, most = accepted[unit]
    dims = list(source.variable(variable).dims)
    wanted = [time_dim, *_axes(source)]
    if not set(wanted) <= set(dims):
        source.refuse(f"{variable} has dimensions {tuple(dims)}, expected {tuple(wanted)}")
    values = source.numbers(variable, within=(least, most), gaps=True, **index)
    for dim in [dim for dim in dims if dim not in wanted]:
        axis = dims.index(dim)
        if dim == "expver":
            # Each time is either in the final or in the preliminary ERA5, and NaN in the other.
            values = _first_finite(values, axis)
        elif values.shape[axis] == 1:
            values = values.squeeze(axis)
        else:
            source.refuse(
                f"{variable} has {values.shape[axis]} entries along {dim}, expected one: select one"
            )
        dims.remove(dim)
    return factor * values.transpose([dims.index(dim) for dim in wanted]).astype(np.float32)


def _first_finite(values, axis):
    first, *others = np.moveaxis(values, axis, 0)
    for other in others:
        first = np.where(np.isnan(first), other, first)
    return first


def _where(source, grid):
    """Definition of the rows that the grid needs, and the slice that selects them."""
    latitude, longitude = (
        source.numbers(name, (name,), unit, within=bounds)
        for name, unit, bounds in zip(
            _axes(source), ("degrees_north", "degrees_east"), ((-90, 90), (-180, 360)), strict=True
        )
    )
    for name, values in zip(_axes(source), (latitude, longitude), strict=True):
        steps = np.diff(values)
        if values.size < 2 or not ((steps > 0).all() or (steps < 0).all()):
            source.refuse(f"{name} of {values.size} values does not only ascend or descend")
    near = np.flatnonzero(latitude > grid.latitude.min() - _MARGIN)
    if near.size < 2:
        source.refuse(f"{_axes(source)[0]} ends at {latitude.max():g} N, expected the Arctic")
    rows = slice(near[0], near[-1] + 1)
    return GridDefinition.latlon(latitude[rows], longitude), rows


def _times(source):
    """Times [s since 2000-01-01] and the name of their dimension."""
    for name in ("valid_time", "time"):
        if source.has(name) and len(source.variable(name).dims) == 1:
            return source.seconds(name), source.variable(name).dims[0]
    source.refuse(f"no times, expected time or valid_time along one dimension; {source.listing()}")


def _first(source, names):
    return next((name for name in names if source.has(name)), None)


def _axes(source):
    """Names of the latitude and longitude axes; None if the file has none."""
    for names in zip(*_AXES, strict=True):
        if source.has(*names) and all(source.variable(name).dims == (name,) for name in names):
            return names
    return None


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
