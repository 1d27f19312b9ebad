"""Readers of gridded thickness as observations: CS2SMOS, CS3SMOS, CCI and AWI months, SMOS."""

import numpy as np

from floecast.core.calendar import DAY
from floecast.observation.errors import THICKNESS_ERROR, block_group
from floecast.observation.observations import FLAGS

from .gridded import GriddedValues, to_field, to_observations
from .native_grid import read_grid
from .openings import part_of, records_in
from .source import seconds_of
from .status_flags import classes_of, join_classes, our_flags

LEAST_THICKNESS_ERROR = 0.02
"""No thickness is taken to be better than this [m]."""

SMOS_DOUBTFUL = 1.0
"""SMOS thickness of a greater uncertainty is flagged [m]."""

SMOS_SATURATED = 95.0
"""SMOS thickness of a greater saturation ratio is flagged [%]."""

SMOS_FOOTPRINT = 40e3
"""Full width at half maximum of SMOS, 35 to 50 km [m]."""

_WITHIN = (-3.0, 30.0)
_WEEK = 7 * DAY
_STATUS = {
    1: "missing_no_data",
    2: "no_ice",
    3: "pole_hole_missing",
    4: "land",
    5: "retrieval_failed_missing",
}
_QUALITY = {2: "low_quality", 3: "missing_no_data"}


def read_cs2smos_points(source, grid, start, end):
    """Weekly CS2SMOS analyses, version 2, as observations.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`; the week is centred on the time in the file.

    Returns
    -------
    Observations
        Thickness over the ice in cells of 25 km, span a week, error of
        ``analysis_sea_ice_thickness_unc`` or, without it, `THICKNESS_ERROR`; cells of one block of
        100 km and one week are a group. Files of consecutive days share six of seven days:
        `overlap_inflation`.

    Raises
    ------
    InputError
        If the file is not as expected.

    References
    ----------
    Ricker, R., et al. (2017). A weekly Arctic sea-ice thickness data record from merged CryoSat-2
    and SMOS satellite data. Cryosphere, 11, 1607-1623. Names: CMEMS SEAICE_ARC_PHY_L4_NRT_011_014.
    """
    name, error = "analysis_sea_ice_thickness", "analysis_sea_ice_thickness_unc"
    return to_observations(source, _gridded(source, name, error, start, end, (25e3,)), grid)


def read_thickness_points(source, grid, start, end):
    """Gridded thickness with its uncertainty: CS3SMOS version 3, months of CCI and AWI.

    Parameters
    ----------
    source : Source
        ``sea_ice_thickness`` and ``sea_ice_thickness_uncertainty`` along ``time, yc, xc``.
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Thickness over the ice, with span and centre of ``time_bnds`` or, without, a week about the
        time; grouped as in `read_cs2smos_points`. Flags by the meanings in the file:
        ``interpolated``, ``suspect`` for low quality and ``masked`` in the marginal zone.

    Raises
    ------
    InputError
        If the file is not as expected.

    References
    ----------
    CS3SMOS v300 (2025), Alfred Wegener Institute. ESA Sea Ice CCI, L3C SITHICK,
    doi:10.5285/ff79d140824f42dd92b204b4f1e9e7c2. Hendricks, S., et al. (2023), AWI CryoSat-2
    product user guide v2.6.
    """
    name, error = "sea_ice_thickness", "sea_ice_thickness_uncertainty"
    values = _gridded(source, name, error, start, end, (12.5e3, 25e3, 50e3))
    return to_observations(source, values, grid)


def thickness_records(source):
    """Begin and end of each record, ``(time,)`` each [s since 2000-01-01]."""
    if not source.has("time"):
        source.refuse("does not say its time, expected time")
    time = source.seconds("time").reshape(-1)
    bounds = source.dataset.variables["time"].attrs.get("bounds", "time_bnds")
    if source.has(bounds):
        begin, stop = source.seconds(bounds, ascending=False).reshape(-1, 2).T
        if begin.shape != time.shape or np.any(stop < begin):
            source.refuse(f"{bounds} do not give begin and end of each time, expected both")
        if np.all(stop > begin):
            return begin, stop
    return time - _WEEK // 2, time + _WEEK // 2


def read_smos(source, grid, start, end):
    """Daily thickness of thin ice of SMOS, 12.5 km (Hamburg, AWI, ESA L3C).

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Thickness where it is above 0, span a day, error ``ice_thickness_uncertainty``. ``suspect``
        where that is above `SMOS_DOUBTFUL` or ``saturation_ratio`` above `SMOS_SATURATED`, as the
        documentation of the product advises. The retrieval takes the ice to be closed, so that
        where it is open the value lies nearer to the mean over the cell.

    Raises
    ------
    InputError
        If the file is not as expected.

    References
    ----------
    Tian-Kunze, X., et al. (2014). SMOS-derived thin sea ice thickness. Cryosphere, 8, 997-1018.
    AWI-ESA SMOS Read-me-first Technical Note v3.1, doi:10.57780/sm1-5ebe10b.
    """
    name = "sea_ice_thickness"
    dims = _dims(source, name)
    cells = read_grid(source, name, (12.5e3,))
    begin, stop = smos_records(source)
    chosen, part = records_in(source, begin, stop, start, end, dims)
    value = _thickness(source, name, dims, len(chosen), part)
    value = np.where(value > 0, value, np.nan)
    error = _thickness(source, "ice_thickness_uncertainty", dims, len(chosen), part)
    suspect = ~(error <= SMOS_DOUBTFUL)
    if source.has("saturation_ratio"):
        source.variable("saturation_ratio", dims)
        ratio = source.read(source.variable("saturation_ratio"), **part).astype(float)
        percent = source.unit("saturation_ratio") != "1" or np.nanmax(ratio, initial=0) > 1.5
        suspect |= ratio.reshape(value.shape) * (1 if percent else 100) > SMOS_SATURATED
    error = np.where(error > LEAST_THICKNESS_ERROR, error, SMOS_DOUBTFUL)
    return to_observations(
        source,
        GriddedValues(
            "thickness",
            cells,
            value,
            error,
            FLAGS["suspect"] * suspect.astype(np.int32),
            ((begin + stop) // 2)[chosen],
            (stop - begin)[chosen],
            SMOS_FOOTPRINT,
        ),
        grid,
    )


def smos_records(source):
    """Begin and end of each day, ``(day,)`` each [s since 2000-01-01]."""
    day = source.seconds("time").reshape(-1) // DAY * DAY
    return day, day + DAY


def read_thickness_map(source, grid, time):
    """Thickness of a week or month of `read_thickness_points`, as `read_thickness_field` gives it.

    Parameters
    ----------
    source : Source
    grid : Grid
    time : time or None

    Returns
    -------
    (y, x) array
        [m]; NaN also where there is no ice.
    """
    check_record(source, time)
    begin, stop = thickness_records(source)
    number = 0 if time is None else _covering(begin, stop, time)
    centre = int((begin[number] + stop[number]) // 2)
    name, error = "sea_ice_thickness", "sea_ice_thickness_uncertainty"
    values = _gridded(source, name, error, centre, centre + 1, None, covers=False)
    field = to_field(values, grid)
    if not np.isfinite(field).any():
        source.refuse(f"no value lies over the ocean of {grid.name}, expected some")
    return field


def check_record(source, time):
    """Refuse a time that no record stands for."""
    begin, stop = thickness_records(source)
    if time is None and begin.size > 1:
        source.refuse(f"holds {begin.size} times: say which by time")
    if time is not None and _covering(begin, stop, time) is None:
        source.period(begin, stop, seconds_of(time), seconds_of(time) + 1)


def _covering(begin, stop, time):
    found = np.flatnonzero((begin <= seconds_of(time)) & (seconds_of(time) < stop))
    return int(found[0]) if found.size else None


def _gridded(source, name, error_name, start, end, spacings, covers=True):
    dims = _dims(source, name)
    cells = read_grid(source, name, spacings)
    begin, stop = thickness_records(source)
    if covers:
        chosen, part = records_in(source, begin, stop, start, end, dims)
    else:
        centre = (begin + stop) // 2
        chosen = np.flatnonzero((centre >= start) & (centre < end))
        part = part_of(dims, chosen)
    value = _thickness(source, name, dims, len(chosen), part)
    found = {}
    for flag, values in (("status_flag", _STATUS), ("quality_flag", _QUALITY), ("flag_miz", None)):
        if source.has(flag) and source.variable(flag).dims == dims:
            more = classes_of(source, flag, values=values, **part)
            found = join_classes(found, {kind: more[kind].reshape(value.shape) for kind in more})
    for kind in ("absent", "filtered"):  # there is no thickness of open water
        value = np.where(found.get(kind, False), np.nan, value)
    error = np.full(value.shape, THICKNESS_ERROR)
    if source.has(error_name):
        given = _thickness(source, error_name, dims, len(chosen), part)
        error = np.where(np.isfinite(given), np.maximum(given, LEAST_THICKNESS_ERROR), error)
    time = ((begin + stop) // 2)[chosen]
    return GriddedValues(
        "thickness",
        cells,
        value,
        error,
        our_flags(found, value.shape),
        time,
        (stop - begin)[chosen],
        cells.spacing,
        "box",
        lambda x, y, record: block_group(x, y, time[record] // _WEEK),
    )


def _dims(source, name):
    dims = source.variable(name, unit="m").dims
    if len(dims) not in (2, 3):
        source.refuse(f"{name} has dimensions {dims}, expected y and x, with or without a time")
    return dims


def _thickness(source, name, dims, records, part):
    """Values ``(record, y, x)`` [m], NaN where the file has none or -999, as some do."""
    variable = source.variable(name, dims, "m")
    values = source.read(variable, **part)
    if values.dtype.kind not in "iuf":
        source.refuse(f"{name} holds {values.dtype} values, expected numbers")
    values = values.astype(float)
    values[values <= -99] = np.nan
    if np.isnan(values).all():
        source.refuse(f"{name} holds no value, expected numbers in {_WITHIN[0]:g}..{_WITHIN[1]:g}")
    low, high = np.nanmin(values), np.nanmax(values)
    if low < _WITHIN[0] or high > _WITHIN[1]:
        source.refuse(
            f"{name} is {low:g} to {high:g} m, expected {_WITHIN[0]:g} to {_WITHIN[1]:g} m"
        )
    return values.reshape(records, *values.shape[-2:])
