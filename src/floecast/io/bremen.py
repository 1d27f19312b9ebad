"""Reader of AMSR2 concentration of the University of Bremen."""

import re

import numpy as np

from floecast.core.calendar import DAY, to_seconds
from floecast.observation.errors import concentration_error
from floecast.observation.footprint import containing_cell

from .gridded import GriddedValues, beside, to_field, to_observations
from .native import NSIDC_3KM, NSIDC_6KM
from .native_grid import NativeGrid, read_grid
from .openings import attributes_of, daily_records, first_of, one_day
from .source import Source
from .status_flags import our_flags

ASI_FOOTPRINT = 5e3
"""Of AMSR2 at 89 GHz, which ASI uses, 3 km by 5 km [m]."""

_LEAST_LAND_AGREEMENT = 0.85
_NAMES = ("z", "ASI Ice Concentration", "ASI_Ice_Concentration", "sea_ice_concentration")


def is_bremen(source):
    """Whether a file is ASI concentration: two dimensions and none of time, by one of its names."""
    name = _bremen_name(source)
    if name is None:
        return False
    variable = source.dataset.variables[name]
    told = re.search("asi|amsr|polar_stereographic", attributes_of(source), re.IGNORECASE)
    known = name != "z" or told or "polar_stereographic" in source.dataset.variables
    return bool(variable.ndim == 2 and known)


def read_bremen(source, grid, start, end):
    """Daily ASI concentration of AMSR2 from the University of Bremen, 3.125 or 6.25 km.

    Parameters
    ----------
    source : Source
        The netCDF copy (``z``, percent), or a netCDF made of the HDF file
        (``ASI Ice Concentration``), of which the position is known from the number of cells and
        the order of its rows from the land; ``Latitudes`` and ``Longitudes`` are used where they
        were joined to it.
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Time 12 UTC, error by `concentration_error`. Flag: ``near_coast`` within one cell of what
        has no value.

    Raises
    ------
    InputError
        If the file is not as expected.

    Notes
    -----
    The files hold no time: it is the date in the history or title that they carry, else the one in
    their name. Since 2 November 2018 they tell WGS 84 for the same axes, which moves a cell by up
    to 150 m.

    References
    ----------
    Spreen, G., L. Kaleschke and G. Heygster (2008). Sea ice remote sensing using AMSR-E 89-GHz
    channels. J. Geophys. Res., 113, C02S03.
    """
    return to_observations(source, _bremen(source, grid, start, end), grid)


def read_bremen_field(source, grid, day):
    """Mean concentration of the day, ``(y, x)``, as `concentration_field` gives it."""
    return to_field(_bremen(source, grid, *one_day(day)), grid)


def bremen_records(source):
    """Begin and end of the day of the file, ``(1,)`` each [s since 2000-01-01]."""
    if source.has("time"):
        return daily_records(source)
    told = [str(value) for value in source.dataset.attrs.values()]
    dates = re.findall(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)", source.path.name)
    for text in told:
        dates = re.findall(r"AMSR2-[ns]\d+-(20\d\d)([01]\d)([0-3]\d)", text) or dates
    if len(set(dates)) != 1:
        source.refuse(
            "holds no date in its title or history, expected one, or YYYYMMDD in its name"
        )
    try:
        day = np.array([to_seconds("-".join(dates[0]))])
    except ValueError:
        source.refuse(f"is of {'-'.join(dates[0])}, expected a date")
    return day, day + DAY


def _bremen(source, grid, start, end):
    name = _bremen_name(source)
    begin, stop = bremen_records(source)
    source.period(begin, stop, start, end)
    factor = 0.01
    if "units" in source.dataset.variables[name].attrs:
        source.variable(name, unit=("%", "1"))
        factor = 1.0 if source.unit(name) == "1" else 0.01
    value = factor * source.numbers(name, within=(0, 100.5 * 0.01 / factor), gaps=True)
    if np.nanmax(value) <= 0.0101 and factor == 0.01:
        source.refuse(f"{name} is at most {100 * np.nanmax(value):g}, expected percent")
    cells, value = _bremen_cells(source, name, value, grid)
    value = value[None]
    return GriddedValues(
        "concentration",
        cells,
        value,
        concentration_error(value),
        our_flags({"near_coast": beside(np.isnan(value))}, value.shape),
        begin + DAY // 2,
        np.array([DAY]),
        max(ASI_FOOTPRINT, cells.spacing),
        assumed=True,
    )


def _bremen_cells(source: Source, name, value, grid):
    """Cells, and values in the order of their rows."""
    dims = source.variable(name).dims
    told = "polar_stereographic" in source.dataset.variables or source.has(
        "Latitudes", "Longitudes"
    )
    if told or source.has(*dims):
        return read_grid(source, name, (3125.0, 6250.0)), value
    known = next((one for one in (NSIDC_3KM, NSIDC_6KM) if one.shape == value.shape), None)
    if known is None:
        source.refuse(
            f"{name} has shape {value.shape} and no positions, expected {NSIDC_3KM.shape}, "
            f"{NSIDC_6KM.shape}, or Latitudes and Longitudes of the grid file of Bremen"
        )
    x, y = known.on(grid)
    _, ocean = containing_cell(grid, x, y)
    inside = np.hypot(x, y) < 3e6
    agreement = [(np.isfinite(one) == ocean)[inside].mean() for one in (value, value[::-1])]
    if max(agreement) < _LEAST_LAND_AGREEMENT:
        source.refuse(
            f"what has no value in {name} agrees with the land of the Arctic in "
            f"{max(agreement):.0%} of the cells, expected over {_LEAST_LAND_AGREEMENT:.0%}"
        )
    cells = NativeGrid(known.definition, known.spacing, known.projection.central_longitude)
    return cells, value if agreement[0] >= agreement[1] else value[::-1]


def _bremen_name(source):
    return first_of(source, *_NAMES)
