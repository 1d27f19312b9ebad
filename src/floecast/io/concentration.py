"""Readers of gridded concentration: OSI SAF and the NSIDC climate record."""

import re

import numpy as np

from floecast.core.calendar import DAY
from floecast.observation.errors import PACK_ERROR, concentration_error
from floecast.observation.observations import FLAGS

from .gridded import GriddedValues, beside, to_field, to_observations
from .native_grid import read_grid
from .openings import attributes_of, daily_records, first_of, one_day, records_in
from .status_flags import CDR_BITS, CONFIDENCE, classes_of, join_classes, our_flags

SSMIS_FOOTPRINT = 50e3
"""Full width at half maximum at 19 GHz, which sets the resolution of OSI SAF, NASA Team and
Bootstrap [m]."""

AMSR2_FOOTPRINT = 20e3
"""The same of AMSR2 at 19 GHz [m]."""

LEAST_ERROR = 0.01
"""No concentration is taken to be better than this [1]."""

_OSISAF_SPACINGS = (10e3, 12.5e3, 25e3)
_TOTALS = ("total_standard_uncertainty", "total_standard_error", "total_uncertainty")
_RAW = ("raw_ice_conc_values", "ice_conc_unfiltered")
# Retrievals before any filter; farther out is a wrong unit [%].
_RAW_WITHIN = (-100.0, 200.0)


# --- OSI SAF ------------------------------------------------------------------------------------


def read_osisaf(source, grid, start, end):
    """Daily concentration of OSI SAF: OSI-401 and 408, and the records OSI-450, 430 and 458.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Time 12 UTC. The error is the total uncertainty of the file, not below `LEAST_ERROR`.

        Where the open-water filter or the cut at 0 and 100 % changed a value and the file holds
        the one before, that one stands: it may be below 0 and above 1, as an unbiased likelihood
        needs it. Flags: ``near_coast`` where land spill-over was corrected, ``interpolated`` in
        space or time, ``masked`` by a climatology, ``suspect`` for warm air or low confidence.

    Raises
    ------
    InputError
        If the file is not as expected.

    References
    ----------
    Lavergne, T., et al. (2019). Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice
    concentration climate data records. Cryosphere, 13, 49-78. Names of variables: Product User
    Manuals of OSI-450-a, 430-a and 458 (2022), of OSI-401-d and 408-a (2023).
    """
    return to_observations(source, _osisaf(source, start, end), grid)


def read_osisaf_field(source, grid, day):
    """Mean concentration of one day of OSI SAF, ``(y, x)``, as `concentration_field` gives it."""
    return to_field(_osisaf(source, *one_day(day)), grid)


def _osisaf(source, start, end):
    dims = source.variable("ice_conc").dims
    if len(dims) != 3 or dims[0] != "time":
        source.refuse(f"ice_conc has dimensions {dims}, expected time, y and x")
    cells = read_grid(source, "ice_conc", _OSISAF_SPACINGS)
    begin, stop = daily_records(source)
    chosen, part = records_in(source, begin, stop, start, end, dims)
    when = begin[chosen]
    value = _percent(source, "ice_conc", dims, (-1.0, 101.0), **part)
    found = _osisaf_status(source, dims, **part)
    nothing = np.zeros(value.shape, bool)
    raw = first_of(source, *_RAW)
    if raw is not None:
        before = _percent(source, raw, dims, _RAW_WITHIN, empty=True, **part)
        cut = found.get("filtered", nothing) | (value <= 0) | (value >= 1)
        value = np.where(cut & np.isfinite(before), before, value)
    value = np.where(found.get("absent", nothing), np.nan, value)
    total = first_of(source, *_TOTALS)
    error, assumed = concentration_error(np.clip(value, 0, 1)), True
    if total is not None:
        given = _uncertainty(source, total, dims, **part)
        assumed = ~np.isfinite(given)
        error = np.where(np.isfinite(given), np.maximum(given, LEAST_ERROR), error)
    amsr = re.search("amsr", attributes_of(source), re.IGNORECASE)
    return GriddedValues(
        "concentration",
        cells,
        value,
        error,
        our_flags(found, value.shape),
        when + DAY // 2,
        np.full(when.size, DAY),
        AMSR2_FOOTPRINT if amsr else SSMIS_FOOTPRINT,
        assumed=assumed,
    )


def _osisaf_status(source, dims, **part):
    """Classes of the status flag, with those of the confidence level of the older files.

    Without meanings in the file, a raw value tells that its flag has the bits of the records; the
    flag of files before 2023 is 0 where the retrieval is nominal.
    """
    found = {}
    if source.has("status_flag"):
        source.variable("status_flag", dims)
        new = any(source.has(name) for name in (_RAW[0], *_TOTALS[:2]))
        found = classes_of(source, "status_flag", bits=CDR_BITS if new else None, **part)
    if source.has("confidence_level"):
        source.variable("confidence_level", dims)
        more = classes_of(source, "confidence_level", values=CONFIDENCE, **part)
        found = join_classes(found, more)
    return found


def _percent(source, name, dims, within, empty=False, **part):
    """Values of a concentration [1], of percent or of a fraction as its unit says."""
    unit = source.unit(name) if source.has(name) else None
    factor = 1.0 if unit == "1" else 0.01
    source.variable(name, dims, ("%", "1"))
    bounds = tuple(bound * 0.01 / factor for bound in within)
    if empty and np.isnan(source.read(source.variable(name), **part)).all():
        return np.full(source.read(source.variable(name), **part).shape, np.nan)
    return factor * source.numbers(name, within=bounds, gaps=True, **part)


def _uncertainty(source, name, dims, **part):
    """Standard uncertainty [1]. Some catalogues tell the unit 1 of what is in percent."""
    source.variable(name, dims, ("%", "1"))
    given = source.numbers(name, within=(0, 1000), gaps=True, **part)
    percent = source.unit(name) == "%" or np.nanmedian(given) > 1 or np.nanmax(given) > 3
    return given * (0.01 if percent else 1.0)


# --- NSIDC climate data record --------------------------------------------------------------------


def read_cdr(source, grid, start, end):
    """Daily concentration of the NOAA/NSIDC climate data record G02202, versions 4 to 6.

    Parameters
    ----------
    source : Source
    grid : Grid
    start, end : time or None
        As in `read_observations`.

    Returns
    -------
    Observations
        Time 12 UTC. The error is `PACK_ERROR` and the standard deviation of the file in
        quadrature: the record gives the scatter of both algorithms over three by three cells, which
        is 0 where all say 0 or 1. Flags: ``near_coast`` within one cell of land or where the
        spill-over was corrected, ``interpolated``, ``masked`` by the mask of possible ice,
        ``suspect`` without input, ``pole_hole`` in files whose pole is not filled.

    Raises
    ------
    InputError
        If the file is not as expected.

    Notes
    -----
    Version 4 names ``stdev_of_cdr_seaice_conc``, ``qa_of_cdr_seaice_conc``, ``xgrid``, ``ygrid``
    and has codes from 251; versions 5 and 6 ``cdr_seaice_conc_stdev``, ``cdr_seaice_conc_qa_flag``,
    ``x``, ``y`` and a fill value alone.

    References
    ----------
    Meier, W. N., F. Fetterer, A. K. Windnagel, and J. S. Stewart (2021, 2024), NOAA/NSIDC Climate
    Data Record of Passive Microwave Sea Ice Concentration, doi:10.7265/efmz-2t65 and
    doi:10.7265/rjzb-pf78, and its program seaice_ecdr on GitHub.
    """
    return to_observations(source, _cdr(source, start, end), grid)


def read_cdr_field(source, grid, day):
    """Mean concentration of one day of the record, ``(y, x)``; see `concentration_field`."""
    return to_field(_cdr(source, *one_day(day)), grid)


_QA = {
    1: "BT_weather_filter_applied",
    2: "NT_weather_filter_applied",
    4: "land_spillover_applied",
    8: "no_input_data",
    16: "valid_ice_mask_applied",
    32: "spatial_interpolation_applied",
    64: "temporal_interpolation_applied",
    128: "melt_start_detected",
}


def _cdr(source, start, end):
    name = "cdr_seaice_conc"
    dims = source.variable(name, unit="1").dims
    if len(dims) != 3:
        source.refuse(f"{name} has dimensions {dims}, expected time, y and x")
    cells = read_grid(source, name, (25e3,))
    begin, stop = daily_records(source)
    chosen, part = records_in(source, begin, stop, start, end, dims)
    when = begin[chosen]
    value = source.numbers(name, within=(0, 2.56), gaps=True, **part)
    code = np.where(np.isfinite(value), np.rint(100 * np.nan_to_num(value)), 255).astype(int)
    hole = code == 251
    value = np.where(code > 250, np.nan, value)
    if np.nanmax(value, initial=0) > 1.001:
        source.refuse(f"{name} is {np.nanmax(value):g}, expected 0..1 or codes of 2.51 to 2.55")
    land = np.isin(code, (253, 254)) if np.isin(code, (253, 254)).any() else code > 251
    found = {"near_coast": beside(land)}
    qa = first_of(source, "cdr_seaice_conc_qa_flag", "qa_of_cdr_seaice_conc")
    if qa is not None:
        source.variable(qa, dims)
        found = join_classes(found, classes_of(source, qa, bits=_QA, **part))
    error = concentration_error(value)
    assumed: bool | np.ndarray = True
    deviation = first_of(source, "cdr_seaice_conc_stdev", "stdev_of_cdr_seaice_conc")
    if deviation is not None:
        source.variable(deviation, dims)
        given = source.read(source.variable(deviation), **part).astype(float)
        given = np.where((given >= 0) & (given <= 1), given, np.nan)
        assumed = ~np.isfinite(given)
        error = np.where(np.isfinite(given), np.hypot(PACK_ERROR, given), error)
    flag = our_flags(found, value.shape)
    if hole.any():
        value, error = np.where(hole, 1.0, value), np.where(hole, 1.0, error)
        flag = np.where(hole, FLAGS["pole_hole"], flag)
    return GriddedValues(
        "concentration",
        cells,
        value,
        error,
        flag,
        when + DAY // 2,
        np.full(when.size, DAY),
        SSMIS_FOOTPRINT,
        assumed=assumed,
    )
