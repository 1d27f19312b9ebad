"""Front doors: read a file of someone else, whatever product it is."""

from collections.abc import Callable
from dataclasses import dataclass

from . import atmosphere, drift, model_output, satellite
from .satellite import concentration_field
from .source import open_source

__all__ = [
    "concentration_field",
    "identify",
    "read_forcing",
    "read_observations",
    "read_thickness_field",
    "read_wind_series",
]


@dataclass(frozen=True)
class Product:
    """A kind of file.

    Parameters
    ----------
    name, title : str
        What `identify` returns, and the words for messages.
    door : str
        Function that reads it; empty if there is none.
    recognises : function of Source
        Whether a file is one, by the variables it holds.
    read : function or None
        Reader of the open file; None for what is known but cannot be used.
    """

    name: str
    title: str
    door: str
    recognises: Callable
    read: Callable | None


def _holds(*names):
    """Recognise a file by any of some variables, so that a reader can tell which one is missing."""
    return lambda source: any(source.has(name) for name in names)


PRODUCTS = (
    Product(
        "nsidc0081",
        "NSIDC-0081 daily concentration (icecon)",
        "read_observations",
        _holds("icecon"),
        satellite.read_nsidc,
    ),
    Product(
        "cryosat2_monthly",
        "CryoSat-2 monthly thickness cells (sit_m)",
        "read_observations",
        _holds("sit_m"),
        satellite.read_cryosat,
    ),
    Product(
        "osisaf405",
        "OSI SAF OSI-405 drift (dX, dY)",
        "read_observations",
        _holds("dX", "dY"),
        drift.read_osisaf_drift,
    ),
    Product(
        "kimura",
        "Kimura AMSR2 drift (vx, vy)",
        "read_observations",
        _holds("vx", "vy"),
        drift.read_kimura_drift,
    ),
    Product(
        "nextsim",
        "neXtSIM thickness (sit)",
        "read_thickness_field",
        _holds("sit"),
        model_output.read_nextsim,
    ),
    Product(
        "cs2smos_climatology",
        "CS2SMOS climatology (sit_mm)",
        "read_thickness_field",
        _holds("sit_mm"),
        model_output.read_climatology,
    ),
    Product(
        "cs2smos",
        "CS2SMOS weekly analysis (analysis_sea_ice_thickness)",
        "read_thickness_field",
        _holds("analysis_sea_ice_thickness"),
        model_output.read_cs2smos,
    ),
    Product(
        "pressure_levels",
        "fields on pressure levels, without 10 m wind",
        "",
        atmosphere.has_pressure_levels,
        None,
    ),
    Product(
        "latlon_forcing",
        "surface weather on latitude and longitude (u10, v10, ...)",
        "read_forcing",
        atmosphere.has_surface_fields,
        atmosphere.read_latlon_forcing,
    ),
    Product(
        "wind_series",
        "wind along time (u, v or wind_u, wind_v)",
        "read_wind_series",
        atmosphere.has_wind_series,
        atmosphere.read_wind_series,
    ),
)
"""The files that are known, in the order in which they are recognised."""


def identify(path):
    """Name of the product in a file, by what it holds.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        A name of `PRODUCTS`.

    Raises
    ------
    InputError
        If it is no netCDF file or none of the known products.
    """
    with open_source(path) as source:
        return _product(source).name


def read_observations(path, grid, *, start=None, end=None):
    """Observations in a file of a satellite product.

    Parameters
    ----------
    path : str or Path
        Concentration of NSIDC-0081, monthly CryoSat-2 thickness, drift of OSI-405 or Kimura.
    grid : Grid
        A preset, on whose plane positions and footprints are given.
    start, end : str, datetime, datetime64 or int [s since 2000-01-01], optional
        Only records whose centre is at or after `start` and before `end`: whole days in daily
        files, half a month in for monthly ones. The file must cover all of the period. A year of
        daily concentration takes some gigabytes.

    Returns
    -------
    Observations
        Flagged ones included, see `Observations.good`.

    Raises
    ------
    InputError
        If the file is damaged, mislabelled, not a known product, or does not cover the period.
    """
    with open_source(path) as source:
        return _reader(source, "read_observations")(source, grid, start, end)


def read_thickness_field(path, grid, *, time=None):
    """Thickness on a grid from a file of a model or an analysis.

    Parameters
    ----------
    path : str or Path
        neXtSIM output, the CS2SMOS climatology or a weekly CS2SMOS analysis.
    grid : Grid
        A preset.
    time : str, datetime, datetime64 or int [s since 2000-01-01], optional
        The climatology needs it, for the calendar day. Else the file must stand for this time.

    Returns
    -------
    (y, x) array
        Mean over the cell of what the file holds [m], open water as 0 where the file says so; NaN
        on land and where less than half of the cell is covered.

    Raises
    ------
    InputError
        If the file is damaged, mislabelled, not a known product, or not of that time.
    """
    with open_source(path) as source:
        return _reader(source, "read_thickness_field")(source, grid, time)


def read_forcing(path, grid):
    """Forcing from a file of surface weather on regular latitudes and longitudes.

    Parameters
    ----------
    path : str or Path
        ERA5 of either generation of the Copernicus data store, GFS, or alike.
    grid : Grid
        A preset.

    Returns
    -------
    Forcing
        Wind turned to the axes of the grid, and what else the file has.

    Raises
    ------
    InputError
        If the file is damaged, mislabelled, holds no surface wind or does not cover the grid.
    """
    with open_source(path) as source:
        return _reader(source, "read_forcing")(source, grid)


def read_wind_series(path):
    """Wind along time at buoys or as a mean over an area.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    WindSeries

    Raises
    ------
    InputError
        If the file is damaged or holds no such series.
    """
    with open_source(path) as source:
        return _reader(source, "read_wind_series")(source)


def _reader(source, door):
    product = _product(source)
    if product.door != door:
        use = f"for {product.door}" if product.read else "of no use here"
        source.refuse(f"holds {product.title}, {use}; {door} reads {_known(door)}")
    return product.read


def _product(source):
    for product in PRODUCTS:
        if product.recognises(source):
            return product
    source.refuse(f"unknown content {source.listing()}; known are {_known()}")


def _known(door=None):
    return "; ".join(product.title for product in PRODUCTS if door in (None, product.door))
