"""The variables: the only place where names, units, grid points and bounds live."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Variable:
    """One physical variable.

    Parameters
    ----------
    name : str
        Name in floecast and in its files.
    long_name : str
        For axis labels.
    standard_name : str or None
        CF standard name; None where the table of CF has none.
    unit : str
        UDUNITS text.
    point : str
        Point of the Arakawa C grid: ``"T"``, ``"U"`` or ``"V"``.
    lower, upper : float
        Bounds that every state keeps.
    synonyms : tuple of str
        Names in NEMO-SI3, neXtSIM, CMEMS and satellite files.
    cell_methods : str or None
        CF cell methods, telling cell means from means over ice.
    """

    name: str
    long_name: str
    standard_name: str | None
    unit: str
    point: str = "T"
    lower: float = -inf
    upper: float = inf
    synonyms: tuple[str, ...] = ()
    cell_methods: str | None = None


_TABLE = (
    Variable(
        "concentration",
        "sea-ice concentration",
        "sea_ice_area_fraction",
        "1",
        "T",
        0.0,
        1.0,
        ("siconc", "sic", "ice_conc", "icecon", "cice"),
        "area: mean where sea",
    ),
    Variable(
        "ice_volume",
        "sea-ice volume per area of the grid cell",
        "sea_ice_thickness",
        "m",
        "T",
        0.0,
        inf,
        ("sivolu",),
        "area: mean where sea",
    ),
    Variable(
        "thickness",
        "sea-ice thickness, mean over the ice",
        "sea_ice_thickness",
        "m",
        "T",
        0.0,
        inf,
        ("sithic", "sithick", "sit", "sea_ice_thickness"),
        "area: mean where sea_ice",
    ),
    Variable(
        "snow_volume",
        "snow volume on sea ice per area of the grid cell",
        "surface_snow_thickness",
        "m",
        "T",
        0.0,
        inf,
        ("snvolu", "snt"),
        "area: mean where sea",
    ),
    Variable(
        "u",
        "sea-ice velocity along the grid's x axis",
        "sea_ice_x_velocity",
        "m s-1",
        "U",
        synonyms=("u_ice", "siu", "sivelu", "vxsi"),
    ),
    Variable(
        "v",
        "sea-ice velocity along the grid's y axis",
        "sea_ice_y_velocity",
        "m s-1",
        "V",
        synonyms=("v_ice", "siv", "sivelv", "vysi"),
    ),
    Variable(
        "damage",
        "sea-ice damage (0 intact, 1 broken)",
        None,
        "1",
        "T",
        0.0,
        1.0,
        ("sidmg", "dmg"),
    ),
    Variable("wind_u", "10 m wind along the grid's x axis", "x_wind", "m s-1"),
    Variable("wind_v", "10 m wind along the grid's y axis", "y_wind", "m s-1"),
    Variable(
        "air_temperature",
        "2 m air temperature",
        "air_temperature",
        "K",
        lower=150.0,
        upper=340.0,
        synonyms=("t2m", "2t", "VAR_2T"),
    ),
    Variable(
        "humidity",
        "2 m specific humidity",
        "specific_humidity",
        "1",
        lower=0.0,
        upper=0.1,
        synonyms=("q2m", "sh2"),
    ),
    Variable(
        "shortwave",
        "downward shortwave radiation at the surface",
        "surface_downwelling_shortwave_flux_in_air",
        "W m-2",
        lower=0.0,
        upper=1500.0,
    ),
    Variable(
        "longwave",
        "downward longwave radiation at the surface",
        "surface_downwelling_longwave_flux_in_air",
        "W m-2",
        lower=0.0,
        upper=600.0,
    ),
    Variable("snowfall", "snowfall", "snowfall_flux", "kg m-2 s-1", lower=0.0, upper=0.1),
    Variable(
        "current_u", "surface current along the grid's x axis", "sea_water_x_velocity", "m s-1"
    ),
    Variable(
        "current_v", "surface current along the grid's y axis", "sea_water_y_velocity", "m s-1"
    ),
    Variable("sea_surface_height", "sea surface height", "sea_surface_height_above_geoid", "m"),
    Variable(
        "ocean_temperature",
        "temperature to which the mixed layer is drawn",
        "sea_surface_temperature",
        "K",
        lower=260.0,
        upper=320.0,
    ),
    Variable("age", "mean age of the ice volume", "age_of_sea_ice", "s", lower=0.0),
)

VARIABLES = {variable.name: variable for variable in _TABLE}
"""Every variable by name."""

STATE = ("concentration", "ice_volume", "snow_volume", "u", "v", "damage")
"""Names of the fields of `IceState`."""

ICE_EDGE = 0.15
"""Concentration that makes a cell count as ice [1], the threshold of all extent products."""

PACK_ICE = 0.8
"""Concentration above which a cell counts as pack ice [1]."""
