"""Readers of satellite concentration and thickness."""

import re

import numpy as np

from floecast.core.calendar import DAY, to_datetime64, to_seconds
from floecast.observation.errors import THICKNESS_ERROR, block_group, concentration_error
from floecast.observation.footprint import (
    LEAST_OCEAN_SHARE,
    containing_cell,
    footprints,
    grid_position,
)
from floecast.observation.observations import FLAGS, observations

from .gridded import beside
from .grids import GridDefinition
from .native import NSIDC_25KM
from .openings import daily_records, one_day, records_in
from .regrid import regrid

SENSOR_FOOTPRINT = 50e3
"""Full width at half maximum of the SSMIS footprint at 19 GHz, which NASA Team uses [m]."""

THICKNESS_CELL = 50e3
"""Side of the cells of the monthly CryoSat-2 product [m]."""

# Codes of NSIDC-0081.
_FULL, _POLE_HOLE, _UNUSED, _COAST, _LAND, _MISSING = 250, 251, 252, 253, 254, 255
_FRACTION = "Fraction between 0.0 - 1.0"
# A day that misses more of its sea cells is not to be trusted in the rest either [1].
_MOST_MISSING = 0.05
# Less agreement between the land codes and the land of the grid means a mislabelled file [1].
_LEAST_LAND_AGREEMENT = 0.85
# Ice that no neighbour shares is weather: the 15 % of the extent products [1].
_ICE = 0.15


def read_nsidc(source, grid, start, end):
    """Daily NASA Team concentration (NSIDC-0081, 25 km), of either version.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Native cells whose footprint is at least half over ocean of the grid, which leaves out
        lakes; time is 12 UTC. Coast, land and missing cells give none. Of version 2, with a
        variable ``F16_ICECON``, ``F17_ICECON``, ``F18_ICECON`` for each satellite, each day is of
        the one that misses the fewest cells; NSIDC-0051 has the same form.

        Flags: ``near_coast`` within one cell of the coast code; ``suspect`` for ice without ice in
        any of the eight cells around, and for all of a day that misses over 5 % of its sea cells;
        ``pole_hole`` for cells of that code, which stand with value 1 and error 1 to show where
        nothing was measured.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    day, codes = _nsidc_codes(source, grid, start, end)
    x, y = NSIDC_25KM.on(grid)
    seen = footprints(grid, x.ravel(), y.ravel(), SENSOR_FOOTPRINT)
    _, inside = _inside(grid, x, y)
    usable = (seen.ocean_share >= LEAST_OCEAN_SHARE).reshape(x.shape) & inside
    parts = []
    for when, code in zip(day, codes, strict=True):
        flag = _nsidc_flags(code)
        row, column = np.nonzero(usable & (code <= _POLE_HOLE))
        code, flag = code[row, column], flag[row, column]
        hole = code == _POLE_HOLE
        value = np.where(hole, 1.0, code / _FULL)
        error = np.where(hole, 1.0, concentration_error(value))
        place = row * x.shape[1] + column
        parts.append((value, error, place, np.full(place.size, when + DAY // 2), flag))
    value, error, place, time, flag = map(np.concatenate, zip(*parts, strict=True))
    if not value.size:
        source.refuse(f"no cell over the ocean of {grid.name} has a value, expected some")
    return observations(
        "concentration",
        value,
        error,
        x.ravel()[place],
        y.ravel()[place],
        time,
        seen.cell[place],
        seen.weight[place],
        span=DAY,
        flag=flag,
        assumed=True,
    )


def read_nsidc_field(source, grid, day):
    """Mean concentration of one day of NSIDC-0081 in the cells of a grid.

    Parameters
    ----------
    source : Source
    grid : Grid
    day : time
        As in `concentration_field`.

    Returns
    -------
    (y, x) array
        [1], see `concentration_field`.

    Raises
    ------
    InputError
        If the file is not as expected.

    Notes
    -----
    Conservative mean of the good native cells. Those near the coast, which land makes look icy, are
    used only where the others cover less than half of a cell. A suspect day has no value at all.
    """
    _, (code,) = _nsidc_codes(source, grid, *one_day(day))
    flag, value = _nsidc_flags(code), code / _FULL
    native = GridDefinition.projected(NSIDC_25KM.x, NSIDC_25KM.y, "EPSG:3411")
    measured = (code <= _FULL) & (flag & FLAGS["suspect"] == 0)
    inner, all_cells = (
        regrid(np.where(mask, value, np.nan), native, grid)
        for mask in (measured & (flag == 0), measured)
    )
    field = np.where(np.isfinite(inner), inner, all_cells)
    return np.where(grid.mask_t, field, np.nan)


def _nsidc_codes(source, grid, start, end):
    """Start of each day in the period [s] and its codes ``(day, y, x)``, checked."""
    names = nsidc_names(source)
    for name in names:
        code = source.variable(name, ("time", "y", "x"))
        kept = np.dtype(code.encoding.get("dtype", code.dtype))
        if code.shape[1:] != NSIDC_25KM.shape or kept != np.uint8:
            source.refuse(
                f"{name} is {kept} of shape {code.shape}, expected bytes of shape "
                f"(time, {NSIDC_25KM.shape[0]}, {NSIDC_25KM.shape[1]})"
            )
        unit = code.attrs.get("units", "1")
        if unit not in ("1", _FRACTION):
            source.refuse(f"{name} is in {unit!r}, expected codes without a unit")
    NSIDC_25KM.check(source, names[0], "x", "y")
    day, day_end = daily_records(source)
    chosen, part = records_in(source, day, day_end, start, end, code.dims)
    codes = _most_complete([_bytes(source, name, part) for name in names])
    land = (codes == _COAST) | (codes == _LAND)
    ocean, inside = _inside(grid, *NSIDC_25KM.on(grid))
    agreement = (land[:, inside] != ocean[inside]).mean(axis=1).min()
    if agreement < _LEAST_LAND_AGREEMENT:
        source.refuse(
            f"the land codes of {names[0]} agree with the land of the Arctic in {agreement:.0%} of "
            f"the cells, expected over {_LEAST_LAND_AGREEMENT:.0%}: turned, damaged or of another "
            "product"
        )
    if (codes == _UNUSED).any():
        source.refuse(f"{names[0]} holds the code {_UNUSED}, expected 0..251 and 253..255")
    return day[chosen], codes


def is_nsidc(source):
    """Whether a file holds a variable of NSIDC-0081 or 0051."""
    return any(source.has(name) for name in nsidc_names(source))


def nsidc_names(source):
    """Names of the concentration: ``icecon``, or one a satellite, the latest first."""
    found = [name for name in source.dataset.variables if re.fullmatch(r"F\d\d_ICECON", str(name))]
    return ["icecon"] if source.has("icecon") or not found else sorted(found, reverse=True)


def _bytes(source, name, part):
    """Codes as they stand in the file, which xarray takes for packed fractions."""
    variable = source.variable(name)
    values = source.read(variable, **part)
    if values.dtype == np.uint8:
        return values
    scale = variable.encoding.get("scale_factor", 1.0)
    codes = np.rint(np.nan_to_num(values.astype(float) / scale, nan=_MISSING))
    if codes.min() < 0 or codes.max() > _MISSING:
        source.refuse(f"{name} holds {codes.max():g}, expected codes of 0..{_MISSING}")
    return codes.astype(np.uint8)


def _most_complete(satellites):
    """Codes of each day of the satellite that misses the fewest cells, the first of equal ones."""
    codes = np.stack(satellites)
    best = (codes == _MISSING).sum(axis=(2, 3)).argmin(axis=0)
    return codes[best, np.arange(codes.shape[1])]


def _inside(grid, x, y):
    """Whether native cells are ocean of the grid, and whether they are inside of it."""
    _, ocean = containing_cell(grid, x, y)
    (west, east), (south, north) = (edges[[0, -1]] for edges in grid.edges())
    return ocean, (x > west) & (x < east) & (y > south) & (y < north)


def _nsidc_flags(code):
    """Bits of `FLAGS` of one day ``(y, x)``."""
    land = (code == _COAST) | (code == _LAND)
    ice = (code <= _FULL) & (code >= _ICE * _FULL)
    alone = ice & ~beside(ice)
    suspect = alone | ((code == _MISSING).sum() > _MOST_MISSING * (~land).sum())
    return (
        FLAGS["near_coast"] * beside(land)
        | FLAGS["suspect"] * suspect
        | FLAGS["pole_hole"] * (code == _POLE_HOLE)
    )


def read_cryosat(source, grid, start, end):
    """Monthly CryoSat-2 thickness in cells of 50 km, listed as points.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`; the centre of a month is in its middle.

    Returns
    -------
    Observations
        Thickness over the ice, span one month, error `THICKNESS_ERROR`; the cells of one block of
        100 km and one month are a group. Negative retrievals are kept. Cells whose footprint is
        less than half over ocean of the grid are left out.

    Raises
    ------
    InputError
        If the file is not as expected.
    """
    dims = ("obs",)
    month_begin, month_end = cryosat_records(source)
    month = to_datetime64(month_begin).astype("datetime64[M]")
    chosen = source.period(month_begin, month_end, start, end)
    value = source.numbers("sit_m", dims, "m", within=(-3, 20))
    latitude = source.numbers("lat", dims, "degrees_north", within=(40, 90))
    longitude = source.numbers("lon", dims, "degrees_east", within=(-180, 360))
    _check_places(source, dims, latitude, longitude)
    x, y = grid_position(grid, latitude, longitude)
    seen = footprints(grid, x, y, THICKNESS_CELL, shape="box")
    kept = np.flatnonzero(chosen & (seen.ocean_share >= LEAST_OCEAN_SHARE))
    if not kept.size:
        source.refuse(f"no cell lies over the ocean of {grid.name}, expected some")
    return observations(
        "thickness",
        value[kept],
        THICKNESS_ERROR,
        x[kept],
        y[kept],
        (month_begin + month_end)[kept] // 2,
        seen.cell[kept],
        seen.weight[kept],
        span=(month_end - month_begin)[kept],
        group=block_group(x, y, month.astype(int))[kept],
    )


def cryosat_records(source):
    """Begin and end of the month of each cell, ``(obs,)`` each [s since 2000-01-01]."""
    source.variable("time", ("obs",))
    month = to_datetime64(source.seconds("time", ascending=False)).astype("datetime64[M]")
    _check_months(source, month, ("obs",))
    return to_seconds(month), to_seconds(month + 1)


def _check_months(source, month, dims):
    number = month.astype(int)
    year = source.numbers("year", dims, "1", within=(2010, 2100))
    within_year = source.numbers("month", dims, "1", within=(1, 12))
    wrong = (year - 1970) * 12 + within_year - 1 != number
    if wrong.any():
        source.refuse(
            f"time says {month[wrong][0]} where year and month say {year[wrong][0]:.0f}-"
            f"{within_year[wrong][0]:02.0f}, and they disagree in {wrong.sum()} cells: mislabelled"
        )


def _check_places(source, dims, latitude, longitude):
    x, y = NSIDC_25KM.projection.forward(latitude, longitude)
    far = np.hypot(
        x - source.numbers("x", dims, "m", within=(-6e6, 6e6)),
        y - source.numbers("y", dims, "m", within=(-6e6, 6e6)),
    )
    if far.max() > 0.05 * THICKNESS_CELL:
        source.refuse(
            f"lat, lon lie up to {far.max() / 1e3:.1f} km from x, y in EPSG:3411: the file is "
            "mislabelled, expected agreement"
        )
