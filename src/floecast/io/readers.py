"""Front doors: read a file of someone else, whatever product it is."""

from floecast.atmosphere.forcing import Forcing

from . import atmosphere, era5_levels
from .products import door_to, product_of
from .source import open_source, seconds_of
from .weather_files import open_sources

__all__ = [
    "check_use",
    "concentration_field",
    "identify",
    "read_aloft",
    "read_forcing",
    "read_observations",
    "read_thickness_field",
    "read_wind_series",
]


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
        return product_of(source).name


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
        return door_to(source, "read_observations").read(source, grid, start, end)


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
        return door_to(source, "read_thickness_field").read(source, grid, time)


def read_forcing(paths, grid, *, outside=None):
    """Forcing from files of weather.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files, or patterns such as ``"era5_2015-*.nc"``: surface weather of ERA5 of either
        generation of the Copernicus data store, GFS, AROME-Arctic, CARRA or alike, all on the same
        cells, one file for all, for each field or for each month. ERA5 on model levels among them
        gives the air aloft. Where there are files on latitudes and longitudes and others on a grid
        of their own, the latter stand where they reach.
    grid : Grid
        A preset.
    outside : Forcing, optional
        Stands where the files do not reach, and for the fields that they lack.

    Returns
    -------
    Forcing
        Wind turned to the axes of the grid, and what else the files have.

    Raises
    ------
    InputError
        If a file is damaged, mislabelled, another product, holds no surface wind, does not cover
        the grid, or times are missing.
    """
    with open_sources(paths) as sources:
        levels, *surface = _split(sources)
        for group in filter(None, surface):
            outside = atmosphere.read_surface_forcing(group, grid, outside)
        forcing = outside
        if not levels:
            return forcing
        aloft = era5_levels.read_levels(levels, grid, times=forcing.time).aloft
        return Forcing(forcing.time, **forcing.fields(), aloft=aloft)


def read_aloft(paths, grid, *, heights=era5_levels.HEIGHTS):
    """The air aloft from ERA5 on model levels.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files or patterns with t, q, u, v, lnsp and z.
    grid : Grid
        A preset.
    heights : sequence of float
        Above the surface, ascending [m].

    Returns
    -------
    Forcing
        With nothing but `aloft`, at the times of the files.

    Raises
    ------
    InputError
        If a file is damaged, mislabelled, another product, lacks levels or times, or does not cover
        the ocean of the grid.
    """
    with open_sources(paths) as sources:
        for source in sources:
            door_to(source, "read_aloft")
        return era5_levels.read_levels(sources, grid, heights)


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
        return door_to(source, "read_wind_series").read(source)


def concentration_field(path, grid, day):
    """Mean concentration of one day in the cells of a grid.

    Parameters
    ----------
    path : str or Path
        NSIDC-0081 file.
    grid : Grid
        A preset.
    day : str, datetime, datetime64 or int [s since 2000-01-01]
        Any time of the day.

    Returns
    -------
    (y, x) array
        [1]; NaN on land and where less than half of the cell was observed, the pole hole included.

    Raises
    ------
    InputError
        If the file is damaged, mislabelled, another product, or does not hold the day.
    """
    with open_source(path) as source:
        return door_to(source, "concentration_field").read(source, grid, day)


def check_use(paths, door, start, end):
    """Refuse a file of the wrong kind or of other times, before anything is read from it.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Several only for the functions that read several.
    door : str
        Function that shall read it, such as ``"read_observations"``.
    start, end : str, datetime, datetime64 or int [s since 2000-01-01]
        Times that it shall cover; of daily concentration, each day from the one to the other.

    Raises
    ------
    InputError
        If the file is damaged, not a product for that function, or does not cover the times.
    """
    start, end = seconds_of(start), seconds_of(end)
    with open_sources(paths) as sources:
        if door == "read_forcing":
            levels, *surface = _split(sources)
            for group in filter(None, surface):
                atmosphere.check_surface_forcing(group, start, end)
            if levels:
                era5_levels.check_levels(levels, start, end)
            return
        doors = [door_to(source, door) for source in sources]
        for source, found in zip(sources, doors, strict=True):
            if found.check is not None:
                found.check(source, start, end)


def _split(sources):
    """Files on model levels, of weather on latitudes and longitudes, and on other grids."""
    levels, regular, projected = [], [], []
    kinds = {"model_levels": levels, "latlon_forcing": regular, "projected_forcing": projected}
    for source in sources:
        name = product_of(source).name
        if name not in kinds:
            door_to(source, "read_forcing")
        kinds[name].append(source)
    if not regular + projected:
        door_to(levels[0], "read_forcing")
    return levels, regular, projected
