"""Readers of thickness fields: model output and gridded analyses."""

import numpy as np
import pyproj

from floecast.core.calendar import DAY, iso, to_datetime64

from .grids import GridDefinition
from .regrid import regrid
from .source import seconds_of

# Thickness that anything but a wrong unit keeps [m].
_THICKEST = 20.0
# A field stands for this long before and after its time [s].
_INSTANT = 12 * 3600
_WEEK = 3.5 * DAY

# CS2SMOS climatology: Lambert azimuthal equal area on a sphere, pole at row and column 179.
_EASE_SPHERE = "+proj=laea +lat_0=90 +lon_0=0 +R=6371228"
_EASE_RADIUS = 6371228.0
_EASE_CELLS = 359
_EASE_SPACING = 2 * _EASE_RADIUS / (360 * np.sqrt(2.0))
# Less is open water in that file [mm].
_OPEN_WATER = 50


def read_nextsim(source, grid, time):
    """Thickness of a neXtSIM file on its curvilinear grid.

    Parameters
    ----------
    source : Source
    grid : Grid
    time : time or None
        As in `read_thickness_field`.

    Returns
    -------
    (y, x) array
        [m], see `read_thickness_field`. The producer does not say whether it is a mean over the
        cell or over the ice.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    dims = source.variable("sit").dims
    if len(dims) != 2:
        source.refuse(f"sit has dimensions {dims}, expected (y, x)")
    check_instant(source, time)
    latitude = source.numbers("latitude", dims, "degrees_north", within=(-90, 90))
    longitude = source.numbers("longitude", dims, "degrees_east", within=(-180, 360))
    ocean = source.numbers("mask", dims, "1", within=(0, 1)) > 0.5
    thickness = source.numbers("sit", dims, "m", within=(0, _THICKEST), gaps=True)
    holes = np.sum(ocean & np.isnan(thickness))
    if holes:
        source.refuse(f"sit misses {holes} ocean cells, expected a value in each")
    _check_spread(source, latitude, longitude)
    definition = source.placed(GridDefinition.curvilinear, latitude, longitude)
    return _on_grid(source, thickness, definition, grid, ocean, 13e3)


def read_climatology(source, grid, time):
    """Thickness of a calendar day in the CS2SMOS climatology.

    Parameters
    ----------
    source : Source
    grid : Grid
    time : time
        Any year; 29 February is read as 28 February.

    Returns
    -------
    (y, x) array
        [m], see `read_thickness_field`.

    Raises
    ------
    InputError
        If the file is not as expected, `time` is left out, or the day is not in it.
    """
    dims = ("row", "col")
    shape = (_EASE_CELLS, _EASE_CELLS)
    days, wanted = climatology_day(source, time)
    source.variable("sit_mm", ("day", *dims), "mm", (len(days), *shape))
    millimetres = source.numbers(
        "sit_mm", within=(0, 1e3 * _THICKEST), day=slice(days.index(wanted), days.index(wanted) + 1)
    )[0]
    ocean = source.numbers("ocean", dims, "1", within=(0, 1), shape=shape) > 0.5
    axis = (np.arange(_EASE_CELLS) - _EASE_CELLS // 2) * _EASE_SPACING
    _check_positions(source, dims, axis, -axis, _EASE_SPHERE)
    if not millimetres[ocean].any():
        source.refuse(f"sit_mm holds no ice on {wanted}, expected some")
    thickness = np.where(millimetres < _OPEN_WATER, 0.0, millimetres / 1e3)
    definition = GridDefinition.projected(axis, -axis, _EASE_SPHERE)
    return _on_grid(source, thickness, definition, grid, ocean, _EASE_SPACING)


def climatology_day(source, time):
    """Days in the climatology, and that of a time among them, as ``MMDD``."""
    days = [_text(day) for day in source.read(source.variable("mmdd"))]
    if time is None:
        source.refuse(f"a climatology of days {days[0]}..{days[-1]} (MMDD): say which by time")
    wanted = to_datetime64(seconds_of(time)).astype("datetime64[D]").item().strftime("%m%d")
    wanted = "0228" if wanted == "0229" else wanted
    if wanted not in days:
        source.refuse(f"does not hold the day {wanted}; it covers {days[0]} to {days[-1]} (MMDD)")
    return days, wanted


def read_cs2smos(source, grid, time):
    """Thickness of a weekly CS2SMOS analysis on EASE-Grid 2.0, 25 km.

    Parameters
    ----------
    source : Source
    grid : Grid
    time : time or None
        As in `read_thickness_field`; the week is centred on the time in the file.

    Returns
    -------
    (y, x) array
        [m], see `read_thickness_field`; NaN also where there is no ice.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    name, dims = "analysis_sea_ice_thickness", ("yc", "xc")
    found = source.variable(name, unit="m").dims
    if found not in (dims, ("time", *dims)):
        source.refuse(f"{name} has dimensions {found}, expected {dims} or {('time', *dims)}")
    check_week(source, time)
    thickness = source.numbers(name, within=(0, _THICKEST), gaps=True)
    if thickness.shape[-2:] != (432, 432) or thickness.size != 432 * 432:
        source.refuse(f"{name} has shape {thickness.shape}, expected one field of (432, 432)")
    x, y = (_axis(source, axis) for axis in ("xc", "yc"))
    _check_positions(source, dims, x, y, "EPSG:6931")
    definition = source.placed(GridDefinition.projected, x, y, "EPSG:6931")
    return _on_grid(source, thickness.reshape(432, 432), definition, grid, None, 25e3)


def _on_grid(source, thickness, definition, grid, ocean, spacing):
    """Conservative mean on a coarser grid, linear interpolation on a finer one."""
    method = "conservative" if grid.spacing >= spacing else "bilinear"
    field = regrid(thickness, definition, grid, method=method, mask=ocean)
    field = np.where(grid.mask_t, field, np.nan)
    if not np.isfinite(field).any():
        source.refuse(f"no value lies over the ocean of {grid.name}, expected some")
    return field


def _axis(source, name):
    values = source.numbers(name, (name,), ("m", "km"), within=(-1e7, 1e7))
    values = values * (1e3 if source.unit(name) == "km" else 1.0)
    steps = np.abs(np.diff(values))
    if values.size != 432 or np.abs(steps - 25e3).max() > 1.0:
        source.refuse(f"{name} is not 432 places 25 km apart, expected EASE-Grid 2.0 of 25 km")
    return values


def _check_positions(source, dims, x, y, crs):
    """Refuse positions that are not those of the axes."""
    latitude = source.numbers("lat", dims, "degrees_north", within=(-90, 90), gaps=True)
    longitude = source.numbers("lon", dims, "degrees_east", within=(-180, 360), gaps=True)
    known = np.isfinite(latitude) & np.isfinite(longitude)
    east, north = np.meshgrid(x, y)
    lon, lat = longitude[known], latitude[known]
    there = pyproj.Proj(crs)(lon, lat)
    far = np.hypot(there[0] - east[known], there[1] - north[known]).max(initial=0.0)
    if far > 0.05 * abs(x[1] - x[0]) or known.mean() < 0.5:
        source.refuse(
            f"lat, lon lie up to {far / 1e3:.1f} km from the grid {crs}: the file is mislabelled, "
            "expected agreement"
        )


def _check_spread(source, latitude, longitude):
    """Refuse curvilinear positions that do not form a grid of the Arctic."""
    x, y = pyproj.Proj("EPSG:6931")(longitude, latitude)
    step = np.median(np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)))
    if not 1e3 < step < 100e3 or latitude.max() < 80:
        source.refuse(
            f"neighbours lie {step / 1e3:.1f} km apart, up to {latitude.max():.1f} N, expected "
            "a grid of the Arctic of 1 to 100 km"
        )


def check_instant(source, time):
    """Refuse a time for which a field of one instant does not stand."""
    _check_time(source, time, _INSTANT)


def check_week(source, time):
    """Refuse a time outside of the week of the file."""
    _check_time(source, time, _WEEK)


def _check_time(source, time, reach):
    """Refuse a time for which the only field of the file does not stand."""
    if time is None:
        return
    wanted = seconds_of(time)
    if not source.has("time"):
        source.refuse(f"does not say its time; read it without one, not for {iso(wanted)}")
    there = source.seconds("time").reshape(-1)
    if np.abs(there - wanted).min() > reach:
        first, last = iso(there.min() - reach), iso(there.max() + reach)
        source.refuse(f"does not hold {iso(wanted)}; it covers {first} to {last}")


def _text(characters):
    value = characters.tobytes() if isinstance(characters, np.ndarray) else characters
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
