"""Readers of CryoSat-2 along its track: level 2P of CCI and AWI, level 2I of ESA."""

import numpy as np

from floecast.core.calendar import DAY, iso, to_seconds
from floecast.observation.errors import THICKNESS_ERROR, block_group
from floecast.observation.footprint import LEAST_OCEAN_SHARE, footprints, grid_position
from floecast.observation.observations import FLAGS, observations

from .source import seconds_of

FREEBOARD_ERROR = {"sar": 0.10, "sarin": 0.14}
"""Error of a freeboard at 20 Hz by the mode of the altimeter, the speckle [m]."""

FOOTPRINT = 2e3
"""Side of what a radar echo of CryoSat-2 comes from, 0.3 km by 1.7 km [m]."""

_WITHIN = (-3.0, 30.0)
_FREEBOARD_WITHIN = (-5.0, 10.0)
# TAI less UTC [s] since a day; IERS Bulletin C.
_LEAPS = (("2009-01-01", 34), ("2012-07-01", 35), ("2015-07-01", 36), ("2017-01-01", 37))
_SOUTHERNMOST = 30.0


def read_l2p(source, grid, start, end):
    """Thickness, or freeboard, along tracks of level 2P (ESA CCI, AWI).

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        Only records at or after `start` and before `end`. The file need not cover the period, as a
        track is a matter of minutes.

    Returns
    -------
    Observations
        ``thickness`` with the uncertainty of the file where it holds ``sea_ice_thickness``, else
        ``freeboard``, but not both, which are one measurement. ``masked`` where ``flag_miz`` tells
        of a bias of the marginal zone. Records of one block of 100 km and one day are a group, as
        snow and density are of climatologies.

    Raises
    ------
    InputError
        If the file is not as expected or none of its records is of the period.

    References
    ----------
    Paul, S., et al. (2018). Empirical parametrization of Envisat freeboard retrieval. Cryosphere,
    12, 2437-2460 (ESA Sea Ice CCI, L2P SITHICK). Hendricks, S., et al. (2023), AWI CryoSat-2
    product user guide v2.6.
    """
    name, kind, within = "sea_ice_thickness", "thickness", _WITHIN
    if not source.has(name):
        name, kind, within = "sea_ice_freeboard", "freeboard", _FREEBOARD_WITHIN
    dims = source.variable(name).dims
    if len(dims) != 1:
        source.refuse(f"{name} has dimensions {dims}, expected those of a track")
    source.variable("time", dims)
    time = l2p_times(source)
    chosen = of_period(source, time, start, end)
    value = source.numbers(name, dims, "m", within=within, gaps=True)
    latitude, longitude = _places(source, dims, ("latitude", "lat"), ("longitude", "lon"))
    error = np.full(value.shape, THICKNESS_ERROR if kind == "thickness" else FREEBOARD_ERROR["sar"])
    if source.has(f"{name}_uncertainty"):
        given = source.numbers(f"{name}_uncertainty", dims, "m", within=(0, 50), gaps=True)
        error = np.where(given > 0, given, error)
    flag = np.zeros(value.shape, np.int32)
    for miz in ("flag_miz", "miz_flag"):
        if source.has(miz):
            code = np.nan_to_num(source.read(source.variable(miz, dims)))
            flag |= FLAGS["masked"] * (code == 2).astype(np.int32)
    return _along(source, grid, kind, value, error, time, latitude, longitude, flag, chosen)


def read_l2i(source, grid, start, end):
    """Freeboard at 20 Hz of an ESA level-2I track.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_l2p`.

    Returns
    -------
    Observations
        ``freeboard``, the height of the ice over the water: that of the file, which takes the speed
        of light in a vacuum, and what the snow delays. Error `FREEBOARD_ERROR` by the mode of each
        record. Negative values are noise and stay. ``suspect`` where the file says unreliable.
        Times of the file are TAI.

    Raises
    ------
    InputError
        If the file is not as expected or none of its records is of the period.

    Notes
    -----
    The delay in snow of depth h and density r [kg/m3] is ``h ((1 + 0.51e-3 r)^1.5 - 1)``.

    References
    ----------
    ESA (2019), CryoSat-2 baseline D level 2 product format specification. Wingham, D. J., et al.
    (2006), CryoSat: a mission to determine the fluctuations in Earth's land and marine ice fields,
    Adv. Space Res., 37, 841-871 (speckle). Ulaby, F. T., et al. (1986), Microwave Remote Sensing,
    vol. 3; Mallett, R. D. C., et al. (2020), Cryosphere, 14, 251-260 (snow).
    """
    name, dims = "freeboard_20_ku", ("time_20_ku",)
    source.variable("time_20_ku", dims)
    time = l2i_times(source)
    chosen = of_period(source, time, start, end)
    value = source.numbers(name, dims, "m", within=_FREEBOARD_WITHIN, gaps=True)
    latitude, longitude = _places(source, dims, ("lat_20_ku",), ("lon_20_ku",))
    depth = source.numbers("snow_depth_20_ku", dims, "m", within=(0, 3), gaps=True)
    density = np.full(value.shape, 300.0)
    if source.has("snow_density_20_ku"):
        density = source.numbers("snow_density_20_ku", dims, within=(0, 1000), gaps=True)
    delay = depth * ((1 + 0.51e-3 * density) ** 1.5 - 1)
    mode = np.full(value.shape, 2)
    if source.has("flag_instr_mode_op_20_ku"):
        mode = np.nan_to_num(source.read(source.variable("flag_instr_mode_op_20_ku", dims)))
    error = np.where(mode == 3, FREEBOARD_ERROR["sarin"], FREEBOARD_ERROR["sar"])
    code = source.read(source.variable("flag_freeboard_20_ku", dims))
    code = np.nan_to_num(code).astype(np.int64)
    value = np.where(code & 8, np.nan, value + np.nan_to_num(delay))
    flag = FLAGS["suspect"] * ((code & 4) > 0).astype(np.int32)
    return _along(source, grid, "freeboard", value, error, time, latitude, longitude, flag, chosen)


def l2p_times(source):
    """Times of the records of a track of level 2P [s since 2000-01-01]."""
    return source.seconds("time", ascending=False).reshape(-1)


def l2i_times(source):
    """Times of the records of a track of level 2I, from TAI [s since 2000-01-01]."""
    time = source.seconds("time_20_ku", ascending=False).reshape(-1)
    since = [to_seconds(day) for day, _ in _LEAPS]
    ahead = np.array([32, *(count for _, count in _LEAPS)])
    return time - ahead[np.searchsorted(since, time, side="right")]


def check_times(times):
    """Function that refuses a file without a record in a period; `times` gives those it has."""

    def check(source, start, end):
        of_period(source, times(source), start, end)

    return check


def of_period(source, time, start, end):
    """Which times lie in a period; refuses if none does."""
    first = time.min() if start is None else seconds_of(start)
    last = time.max() + 1 if end is None else seconds_of(end)
    chosen = (time >= first) & (time < last)
    if not chosen.any():
        source.refuse(
            f"holds no record of {iso(first)} to {iso(last)}; it covers {iso(int(time.min()))} to "
            f"{iso(int(time.max()))}"
        )
    return chosen


def _places(source, dims, latitudes, longitudes):
    found = []
    for names, unit, within in (
        (latitudes, "degrees_north", (-90, 90)),
        (longitudes, "degrees_east", (-360, 720)),
    ):
        name = next((name for name in names if source.has(name)), names[0])
        found.append(source.numbers(name, dims, unit, within=within, gaps=True))
    return found


def _along(source, grid, kind, value, error, time, latitude, longitude, flag, chosen):
    """Observations of the records with a value over the ocean of a grid."""
    chosen = chosen & np.isfinite(value) & (latitude > _SOUTHERNMOST) & np.isfinite(longitude)
    number = np.flatnonzero(chosen)
    if not number.size:
        source.refuse("no record of the period has a value in the north, expected some")
    x, y = grid_position(grid, latitude[number], longitude[number])
    seen = footprints(grid, x, y, FOOTPRINT, shape="box")
    kept = seen.ocean_share >= LEAST_OCEAN_SHARE
    if not kept.any():
        source.refuse(f"no value lies over the ocean of {grid.name}, expected some")
    number, x, y = number[kept], x[kept], y[kept]
    return observations(
        kind,
        value[number],
        error[number],
        x,
        y,
        time[number],
        seen.cell[kept],
        seen.weight[kept],
        group=block_group(x, y, time[number] // DAY),
        flag=flag[number],
    )
