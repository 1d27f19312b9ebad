"""The kinds of file that are known, and which functions read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from floecast.core.calendar import DAY

from . import (
    atmosphere,
    bremen,
    buoys,
    concentration,
    drift,
    era5_levels,
    ice_on_map,
    model_output,
    observation_file,
    satellite,
    thickness,
    tracks,
    wind_series,
)
from .ice_layouts import LAYOUTS
from .openings import daily_records


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
    records : function of Source or None
        Begin and end of each record [s since 2000-01-01], where it has records along time.
    """

    name: str
    title: str
    recognises: Callable
    doors: Mapping[str, Door] = field(default_factory=dict)
    records: Callable | None = None


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


def _daily(name, title, recognises, read, read_field, records):
    """A product of daily concentration."""

    def check(source, start, end):
        begin, stop = records(source)
        for day in range(start // DAY * DAY, end + 1, DAY):
            source.period(begin, stop, day, day + DAY)

    doors = _observations(read, records) | {"concentration_field": Door(read_field, check)}
    return Product(name, title, recognises, doors, records)


def _track(source):
    """Whether thickness or freeboard lies along a track."""
    return any(
        source.has(name) and source.dataset.variables[name].ndim == 1
        for name in ("sea_ice_thickness", "sea_ice_freeboard")
    )


def _smos(source):
    return source.has("sea_ice_thickness", "ice_thickness_uncertainty")


def _check_levels(source, start, end):
    era5_levels.check_levels([source], start, end)


# Weather may lie in several files: `read_forcing` and `read_aloft` take them together.
_FORCING = Door(atmosphere.read_surface_forcing)
_ALOFT = Door(era5_levels.read_levels, _check_levels)


PRODUCTS = (
    Product(
        "floecast_observations",
        "observations of floecast (value, error_std, kind, cell, weight)",
        observation_file.is_own,
        {
            "read_observations": Door(
                observation_file.read_own, tracks.check_times(observation_file.own_times)
            )
        },
    ),
    _daily(
        "nsidc0081",
        "NSIDC-0081 or 0051 daily concentration (icecon, F18_ICECON, ...)",
        satellite.is_nsidc,
        satellite.read_nsidc,
        satellite.read_nsidc_field,
        daily_records,
    ),
    _daily(
        "nsidc_cdr",
        "NSIDC climate record G02202 of concentration (cdr_seaice_conc)",
        _holds("cdr_seaice_conc"),
        concentration.read_cdr,
        concentration.read_cdr_field,
        daily_records,
    ),
    _daily(
        "osisaf_concentration",
        "OSI SAF concentration, daily or record (ice_conc)",
        _holds("ice_conc"),
        concentration.read_osisaf,
        concentration.read_osisaf_field,
        daily_records,
    ),
    _daily(
        "amsr2_bremen",
        "AMSR2 ASI concentration of Bremen (z, ASI Ice Concentration)",
        bremen.is_bremen,
        bremen.read_bremen,
        bremen.read_bremen_field,
        bremen.bremen_records,
    ),
    Product(
        "cryosat2_monthly",
        "CryoSat-2 monthly thickness cells (sit_m)",
        _holds("sit_m"),
        _observations(satellite.read_cryosat, satellite.cryosat_records),
        satellite.cryosat_records,
    ),
    Product(
        "cryosat2_l2i",
        "CryoSat-2 level-2I track (freeboard_20_ku)",
        _holds("freeboard_20_ku"),
        {"read_observations": Door(tracks.read_l2i, tracks.check_times(tracks.l2i_times))},
    ),
    Product(
        "cryosat2_l2p",
        "altimeter track of level 2P (sea_ice_thickness or sea_ice_freeboard along time)",
        _track,
        {"read_observations": Door(tracks.read_l2p, tracks.check_times(tracks.l2p_times))},
    ),
    Product(
        "smos_thin_ice",
        "SMOS thin ice thickness (sea_ice_thickness, ice_thickness_uncertainty)",
        _smos,
        _observations(thickness.read_smos, thickness.smos_records),
        thickness.smos_records,
    ),
    Product(
        "osisaf_drift",
        "OSI SAF drift OSI-405 or OSI-455 (dX, dY)",
        _holds("dX", "dY"),
        _observations(drift.read_osisaf_drift, drift.osisaf_records),
        drift.osisaf_records,
    ),
    Product(
        "iabp",
        "positions of IABP buoys (BuoyID, Year, DOY, Lat, Lon)",
        buoys.is_buoys,
        {"read_observations": Door(buoys.read_buoys, tracks.check_times(buoys.buoy_times))},
    ),
    Product(
        "kimura",
        "Kimura AMSR2 drift (vx, vy)",
        _holds("vx", "vy"),
        _observations(drift.read_kimura_drift, drift.kimura_records),
        drift.kimura_records,
    ),
    Product(
        "nextsim",
        "neXtSIM thickness (sit)",
        lambda source: source.has("sit") and not source.has("sic"),
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
        _thickness(model_output.read_cs2smos, model_output.check_week)
        | _observations(thickness.read_cs2smos_points, thickness.thickness_records),
        thickness.thickness_records,
    ),
    Product(
        "gridded_thickness",
        "CS3SMOS week, CCI or AWI month of thickness (sea_ice_thickness with uncertainty)",
        _holds("sea_ice_thickness"),
        _thickness(thickness.read_thickness_map, thickness.check_record)
        | _observations(thickness.read_thickness_points, thickness.thickness_records),
        thickness.thickness_records,
    ),
    *(
        Product(
            layout.name,
            layout.title,
            ice_on_map.holds(layout),
            _thickness(ice_on_map.read_ice, ice_on_map.check_ice),
            ice_on_map.ice_records,
        )
        for layout in LAYOUTS
    ),
    Product("nemo_mesh", "NEMO mesh mask (tmask, glamt, gphit)", _holds("tmask")),
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
