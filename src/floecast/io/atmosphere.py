"""Readers of surface weather: ERA5, GFS, AROME-Arctic, CARRA and files like them, as forcing."""

import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import iso
from floecast.core.projection import rotate_to_east_north
from floecast.core.variables import VARIABLES

from . import accumulations
from .projected_weather import is_spatial, layout_of, regular_axes, wind_angle
from .regrid import regrid, regrid_vector
from .weather_files import common_times, pieces_of, read_part

_FASTEST = 100.0  # [m/s]
_SEA_LEVEL_PRESSURE = 101325.0  # [Pa]
_FRESH_WATER = 1000.0  # density, in whose depth snowfall is told [kg/m3]
_DRY_TO_VAPOUR = 287.0597 / 461.5250  # gas constants of dry air and water vapour [1]

# Names in the files of both generations of the Copernicus data store, of GFS by wgrib2 and by
# cfgrib, and of MET Norway, the first found taken.
_MET_SUM = "integral_of_surface_downwelling_{}wave_flux_in_air_wrt_time"
_GFS_MEANS = ("DSWRF_surface", "dswrf", "sdswrf", "DLWRF_surface", "dlwrf", "sdlwrf")
NAMES = {
    "east": ("u10", "10u", "VAR_10U", "UGRD_10maboveground", "x_wind_10m"),
    "north": ("v10", "10v", "VAR_10V", "VGRD_10maboveground", "y_wind_10m"),
    "air_temperature": (
        *VARIABLES["air_temperature"].synonyms,
        "TMP_2maboveground",
        "air_temperature_2m",
    ),
    "humidity": (
        *VARIABLES["humidity"].synonyms,
        "q",
        "SPFH_2maboveground",
        "2sh",
        "specific_humidity_2m",
    ),
    "dew_point": ("d2m", "2d", "VAR_2D", "DPT_2maboveground", "dew_point_temperature_2m"),
    "relative_humidity": ("r2", "2r", "RH_2maboveground", "relative_humidity_2m"),
    "pressure": (
        "sp",
        "SP",
        "PRES_surface",
        "surface_air_pressure",
        "msl",
        "prmsl",
        "PRMSL_meansealevel",
        "air_pressure_at_sea_level",
    ),
    "shortwave": (
        "avg_sdswrf",
        "msdwswrf",
        "ssrd",
        "SSRD",
        *_GFS_MEANS[:3],
        _MET_SUM.format("short"),
    ),
    "longwave": (
        "avg_sdlwrf",
        "msdwlwrf",
        "strd",
        "STRD",
        *_GFS_MEANS[3:],
        _MET_SUM.format("long"),
    ),
    "snowfall": (
        "avg_tsrwe",
        "msr",
        "sf",
        "SF",
        "snowfall_amount_acc",
        "integral_of_snowfall_amount_wrt_time",
        "titspf",
    ),
    "precipitation": ("PRATE_surface", "prate"),
    "snow_share": ("CSNOW_surface", "csnow"),
}
"""Names in files by ours."""

# By unit: factor to ours, least and largest value in the file. Packed files hold values a little
# below zero. Sums may be those of a forecast of ten days.
_TEN_DAYS = 864000.0
_RADIATION = {"W m-2": (1.0, -3.0, 1500.0), "J m-2": (1.0, -1e4, 1500.0 * _TEN_DAYS)}
_UNITS = {
    "east": {"m s-1": (1.0, -_FASTEST, _FASTEST)},
    "north": {"m s-1": (1.0, -_FASTEST, _FASTEST)},
    "air_temperature": {"K": (1.0, 150.0, 340.0)},
    "humidity": {"1": (1.0, -1e-4, 0.1)},
    "dew_point": {"K": (1.0, 100.0, 340.0)},
    "relative_humidity": {"1": (1.0, -0.02, 1.5), "%": (0.01, -2.0, 150.0)},
    "pressure": {"Pa": (1.0, 3e4, 1.1e5)},
    "shortwave": _RADIATION,
    "longwave": _RADIATION,
    "snowfall": {
        "kg m-2 s-1": (1.0, -1e-5, 0.1),
        "kg m-2": (1.0, -0.1, 3e3),
        "m of water equivalent": (_FRESH_WATER, -1e-4, 3.0),
    },
    "precipitation": {"kg m-2 s-1": (1.0, -1e-5, 0.1)},
    "snow_share": {"1": (1.0, 0.0, 1.0)},
}
_WIND = ("east", "north")
_SUMS = ("J m-2", "kg m-2", "m of water equivalent")
_OVER_TIME = ("shortwave", "longwave", "snowfall")
_NEVER_NEGATIVE = (*_OVER_TIME, "humidity")
_TIMES_AT_ONCE = 48
# Cells of the file that are smaller than this share of ours are averaged, not interpolated.
_FINE = 0.5


def has_surface_fields(source):
    """Whether a file holds weather near the surface on latitude and longitude axes."""
    return regular_axes(source) is not None and _has_fields(source)


def has_projected_fields(source):
    """Whether a file holds weather near the surface on a grid of its own."""
    return regular_axes(source) is None and _has_fields(source)


def _has_fields(source):
    return any(
        source.has(name) and is_spatial(source, name) for names in NAMES.values() for name in names
    )


def has_pressure_levels(source):
    """Whether a file holds fields on pressure levels and no 10 m wind."""
    levels = ("pressure_level", "isobaricInhPa", "level", "plev")
    return any(map(source.has, levels)) and not any(map(source.has, NAMES["east"]))


def read_surface_forcing(sources, grid, outside=None):
    """Forcing from files of surface weather.

    Parameters
    ----------
    sources : list of Source
        All on the same cells: one file, one a field, one a month, or both.
    grid : Grid
        A preset.
    outside : Forcing, optional
        On the same grid, for the ocean that the files do not cover, as those of a regional model,
        and for the fields that they lack.

    Returns
    -------
    Forcing
        10 m wind turned to the axes of the grid, and what the files have of 2 m temperature, 2 m
        humidity (specific, by dew point or relative), downward radiation and snowfall; at T points,
        float32.

    Raises
    ------
    InputError
        If a file is not as expected, times are missing or stand twice, or the ocean of the grid is
        not covered.

    Notes
    -----
    Linear interpolation on a polar plane, to whose axes the wind is turned first, so that the pole
    is no special place; area means where the cells of the file are less than half as wide as ours.
    Radiation and snowfall that stand for some time before their own are brought to it by
    `floecast.io.accumulations`: sums of files on latitudes and longitudes are those of the hour
    before, as in ERA5, and else those since the start of the forecast; means of GFS those since 00,
    06, 12 or 18 UTC. Values a little below zero, which packing leaves, become zero. Land cells that
    the files do not cover get the mean over the ocean.
    """
    pieces = surface_pieces(sources)
    time = common_times(pieces, late=_OVER_TIME)
    layout = layout_of(sources[0], grid)
    for source in sources[1:]:
        if not layout.fits(layout_of(source, grid)):
            source.refuse(f"holds other cells than {sources[0].path.name}, expected the same")
    wind = [(piece.source, piece.variable) for name in _WIND for piece in pieces[name]]
    angle = wind_angle(wind, layout)
    method = "bilinear"
    if not layout.regular and layout.spacing() < _FINE * grid.spacing:
        method = "conservative"
    parts = []
    for first in range(0, time.size, _TIMES_AT_ONCE):
        wanted = time[first : first + _TIMES_AT_ONCE]
        parts.append(_on_grid(_values(pieces, wanted, layout), layout, angle, grid, method))
    fields = {}
    for name in [name for name in parts[0] if name != "north"]:
        when, values = (
            np.concatenate([part[name][item] for part in parts if name in part])
            for item in range(2)
        )
        if name in _OVER_TIME:
            values = _at_times(pieces[name], name, when, values, layout, time)
        fields[name] = values
    made = {
        name: _filled(sources[0], name, field, time, grid, outside)
        for name, field in _derived(fields).items()
    }
    if outside is not None:
        for name in outside.fields().keys() - made.keys():
            made[name] = _sampled(sources[0], outside, name, time)
    return Forcing(time, **made)


def check_surface_forcing(sources, start, end):
    """Refuse files without wind, or whose times do not reach from `start` to `end` [s]."""
    time = common_times(surface_pieces(sources), late=_OVER_TIME)
    if start < time[0] or end > time[-1]:
        sources[0].refuse(
            f"covers {iso(time[0])} to {iso(time[-1])}, expected {iso(start)} to {iso(end)}"
        )


def surface_pieces(sources):
    """What the files hold, by our name; wind they must have."""
    pieces = pieces_of(sources, NAMES)
    absent = [name for name in _WIND if name not in pieces]
    if absent:
        sources[0].refuse(
            f"the {' and '.join(absent)} component of the 10 m wind is missing, expected one of "
            f"{', '.join(NAMES[absent[0]])}; the file holds {sources[0].listing()}"
        )
    return pieces


def _values(pieces, wanted, layout):
    """Times and values ``(time, row, column)`` of all fields, by name."""
    made = {}
    for name, parts in pieces.items():

        def read(piece, index, name=name):
            return _field(piece, name, layout, index)

        when, values = read_part(parts, wanted, read)
        if when.size:
            made[name] = (when, values)
    return made


def _on_grid(fields, layout, angle, grid, method):
    """The same on the grid, the wind along its axes as ``wind_u`` and ``wind_v``."""
    definition = layout.definition
    (when, first), (_, second) = fields.pop("east"), fields.pop("north")
    east, north = rotate_to_east_north(first, second, angle)
    wind = regrid_vector(
        east.astype(np.float32), north.astype(np.float32), definition, grid, method=method
    )
    made = {"wind_u": (when, wind[0]), "wind_v": (when, wind[1])}
    for name, (when, values) in fields.items():
        made[name] = (when, regrid(values, definition, grid, method=method))
    return made


def _at_times(pieces, name, when, values, layout, time):
    """Radiation or snowfall at all times, from what the files hold over time."""
    parts = []
    for piece in pieces:
        inside = np.isin(when, piece.time)
        held = values[inside], when[inside]
        try:
            parts.append(_means(piece, layout, *held))
        except ValueError as error:
            text, moment = error.args
            piece.source.refuse(f"{piece.variable} {text} {iso(moment)}")
    if not sum(len(part.rate) for part in parts):
        pieces[0].source.refuse(
            f"{pieces[0].variable} is a sum since the start of a forecast that the file does not "
            f"tell, expected forecast_reference_time, or two times for {name}"
        )
    return accumulations.at_times(parts, time)


def _means(piece, layout, values, time):
    """What the values of one file stand for."""
    kind = piece.source.variable(piece.variable).attrs.get("GRIB_stepType")
    if piece.source.unit(piece.variable) in _SUMS:
        if layout.regular and piece.start is None:
            return accumulations.hourly_sums(values, time)
        return accumulations.sums_since_start(values, time, piece.start)
    if kind == "instant":
        return accumulations.moments(values, time)
    if piece.variable in _GFS_MEANS:
        return accumulations.running_means(values, time)
    return accumulations.hourly_means(values, time)


def _derived(fields):
    """Fields of `Forcing` from those of the files."""
    pressure = fields.pop("pressure", np.array(_SEA_LEVEL_PRESSURE))
    dew_point, relative = fields.pop("dew_point", None), fields.pop("relative_humidity", None)
    if "humidity" not in fields and dew_point is not None:
        fields["humidity"] = specific_humidity(dew_point, pressure)
    if "humidity" not in fields and relative is not None and "air_temperature" in fields:
        fields["humidity"] = specific_humidity(fields["air_temperature"], pressure, relative)
    precipitation, share = fields.pop("precipitation", None), fields.pop("snow_share", None)
    if "snowfall" not in fields and precipitation is not None and share is not None:
        fields["snowfall"] = precipitation * share
    for name in set(_NEVER_NEGATIVE) & set(fields):
        fields[name] = np.maximum(fields[name], 0.0)
    return fields


def _filled(source, name, field, time, grid, outside):
    """A field as float32 without gaps; those over the ocean are refused, or taken from outside."""
    missing = np.isnan(field) & grid.mask_t
    if missing.any() and outside is not None and name in outside.fields():
        field = np.where(np.isnan(field), _sampled(source, outside, name, time), field)
        missing = np.isnan(field) & grid.mask_t
    if missing.any():
        when, row, column = (int(i) for i in np.argwhere(missing)[0])
        source.refuse(
            f"{name} is missing on {missing.any(axis=0).sum()} of {grid.mask_t.sum()} ocean cells "
            f"of {grid.name}, first at {iso(time[when])}, {grid.latitude[row, column]:.1f} N "
            f"{grid.longitude[row, column]:.1f} E, expected values down to "
            f"{grid.latitude[grid.mask_t].min():.0f} N"
        )
    mean = field[:, grid.mask_t].mean(axis=1)[:, None, None]
    return np.where(np.isnan(field), mean, field).astype(np.float32)


def _sampled(source, outside, name, time):
    """A field of other forcing at some times, linear between its own."""
    if time[0] < outside.start or time[-1] > outside.end:
        source.refuse(
            f"reaches from {iso(time[0])} to {iso(time[-1])}, the forcing around it only from "
            f"{iso(outside.start)} to {iso(outside.end)}"
        )
    return np.stack([np.asarray(getattr(outside.between(t, t), name)[0]) for t in time])


def specific_humidity(dew_point, pressure, relative=1.0):
    """Specific humidity from the dew point, or from temperature and relative humidity.

    Parameters
    ----------
    dew_point : array
        Or temperature, with `relative` [K].
    pressure : array
        [Pa].
    relative : array, optional
        Relative humidity over water [1].

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
    vapour = relative * 611.21 * np.exp(17.502 * (dew_point - 273.16) / (dew_point - 32.19))
    return _DRY_TO_VAPOUR * vapour / (pressure - (1 - _DRY_TO_VAPOUR) * vapour)


def _field(piece, name, layout, index):
    """Part of a field ``(time, row, column)`` in our unit."""
    source, variable = piece.source, piece.variable
    unit = source.unit(variable)
    accepted = _UNITS[name]
    source.variable(variable, unit=tuple(accepted))
    factor, least, most = accepted[unit]
    dims = list(source.variable(variable).dims)
    wanted = [*([piece.time_dim] if piece.time_dim else []), *layout.dims]
    if not set(wanted) <= set(dims):
        source.refuse(f"{variable} has dimensions {tuple(dims)}, expected {tuple(wanted)}")
    values = source.numbers(variable, within=(least, most), gaps=True, **index, **layout.index)
    for dim in [dim for dim in dims if dim not in wanted]:
        axis = dims.index(dim)
        if dim == "expver":
            # Each time is either in the final or in the preliminary ERA5, and NaN in the other.
            values = first_finite(values, axis)
        elif values.shape[axis] == 1:
            values = values.squeeze(axis)
        else:
            source.refuse(
                f"{variable} has {values.shape[axis]} entries along {dim}, expected one: select one"
            )
        dims.remove(dim)
    values = values.transpose([dims.index(dim) for dim in wanted])
    return factor * values.reshape(-1, *values.shape[-2:]).astype(np.float32)


def first_finite(values, axis):
    """Values without an axis, of which the first entry that is no NaN is taken."""
    first, *others = np.moveaxis(values, axis, 0)
    for other in others:
        first = np.where(np.isnan(first), other, first)
    return first
