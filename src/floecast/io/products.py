"""The kinds of file that are known, and which functions read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from floecast.core.calendar import DAY

from . import atmosphere, drift, era5_levels, model_output, satellite, wind_series


@dataclass(frozen=True)
class Door:
    """One way to use a product.

    Parameters
    ----------
    read : function
        Reader of the open file.
    check : function or None
        Called with the open file and the first and last time wanted [s since 2000-01-01]; refuses
        a file that does not stand for them, from its times alone.
    """

    read: Callable
    check: Callable | None = None


@dataclass(frozen=True)
class Product:
    """A kind of file.

    Parameters
    ----------
    name, title : str
        What `identify` returns, and the words for messages.
    recognises : function of Source
        Whether a file is one, by the variables it holds.
    doors : mapping of str to Door
        By the function that reads it; empty for what is known but cannot be used.
    """

    name: str
    title: str
    recognises: Callable
    doors: Mapping[str, Door] = field(default_factory=dict)


def _holds(*names):
    """Recognise a file by any of some variables, so that a reader can tell which one is missing."""
    return lambda source: any(source.has(name) for name in names)


def _observations(read, records):
    """Door to records of a period; `records` gives the begin and end of each."""

    def check(source, start, end):
        source.period(*records(source), start, end)

    return {"read_observations": Door(read, check)}


def _thickness(read, check_time):
    """Door to a field of one time."""

    def check(source, start, end):
        for time in {start, end}:
            check_time(source, time)

    return {"read_thickness_field": Door(read, check)}


def _check_days(source, start, end):
    begin, stop = satellite.nsidc_records(source)
    for day in range(start // DAY * DAY, end + 1, DAY):
        source.period(begin, stop, day, day + DAY)


def _check_levels(source, start, end):
    era5_levels.check_levels([source], start, end)


# Weather may lie in several files: `read_forcing` and `read_aloft` take them together.
_FORCING = Door(atmosphere.read_surface_forcing)
_ALOFT = Door(era5_levels.read_levels, _check_levels)


PRODUCTS = (
    Product(
        "nsidc0081",
        "NSIDC-0081 daily concentration (icecon)",
        _holds("icecon"),
        _observations(satellite.read_nsidc, satellite.nsidc_records)
        | {"concentration_field": Door(satellite.read_nsidc_field, _check_days)},
    ),
    Product(
        "cryosat2_monthly",
        "CryoSat-2 monthly thickness cells (sit_m)",
        _holds("sit_m"),
        _observations(satellite.read_cryosat, satellite.cryosat_records),
    ),
    Product(
        "osisaf405",
        "OSI SAF OSI-405 drift (dX, dY)",
        _holds("dX", "dY"),
        _observations(drift.read_osisaf_drift, drift.osisaf_records),
    ),
    Product(
        "kimura",
        "Kimura AMSR2 drift (vx, vy)",
        _holds("vx", "vy"),
        _observations(drift.read_kimura_drift, drift.kimura_records),
    ),
    Product(
        "nextsim",
        "neXtSIM thickness (sit)",
        _holds("sit"),
        _thickness(model_output.read_nextsim, model_output.check_instant),
    ),
    Product(
        "cs2smos_climatology",
        "CS2SMOS climatology (sit_mm)",
        _holds("sit_mm"),
        _thickness(model_output.read_climatology, model_output.climatology_day),
    ),
    Product(
        "cs2smos",
        "CS2SMOS weekly analysis (analysis_sea_ice_thickness)",
        _holds("analysis_sea_ice_thickness"),
        _thickness(model_output.read_cs2smos, model_output.check_week),
    ),
    Product(
        "model_levels",
        "ERA5 on model levels (t, q, u, v, lnsp, z)",
        era5_levels.has_model_levels,
        {"read_aloft": _ALOFT},
    ),
    Product(
        "pressure_levels",
        "fields on pressure levels, without 10 m wind",
        atmosphere.has_pressure_levels,
    ),
    Product(
        "latlon_forcing",
        "surface weather on latitude and longitude (u10, v10, ...)",
        atmosphere.has_surface_fields,
        {"read_forcing": _FORCING},
    ),
    Product(
        "projected_forcing",
        "surface weather on a grid of its own (x_wind_10m, y_wind_10m, ...)",
        atmosphere.has_projected_fields,
        {"read_forcing": _FORCING},
    ),
    Product(
        "wind_series",
        "wind along time (u, v or wind_u, wind_v)",
        wind_series.has_wind_series,
        {"read_wind_series": Door(wind_series.read_wind_series)},
    ),
)
"""The files that are known, in the order in which they are recognised."""


def door_to(source, name):
    """How a function reads a file; refuses one that it does not read."""
    product = product_of(source)
    if name not in product.doors:
        use = f"for {' and '.join(product.doors)}" if product.doors else "of no use here"
        source.refuse(f"holds {product.title}, {use}; {name} reads {_known(name)}")
    return product.doors[name]


def product_of(source):
    """What a file is; refuses one that is not known."""
    for product in PRODUCTS:
        if product.recognises(source):
            return product
    source.refuse(f"unknown content {source.listing()}; known are {_known()}")


def _known(door=None):
    return "; ".join(product.title for product in PRODUCTS if door is None or door in product.doors)
