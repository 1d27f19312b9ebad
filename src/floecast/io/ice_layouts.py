"""How ice models write their output: names, places, axes of the drift, kinds of thickness."""

from collections.abc import Mapping
from dataclasses import dataclass

CELL = "mean over the cell"
ICE = "mean over the ice"


@dataclass(frozen=True)
class IceLayout:
    """How a model writes its ice.

    Parameters
    ----------
    name, title : str
    places : tuple of str
        Latitude and longitude, ``(y, x)``.
    times : tuple of str
        The first found is taken where a variable names none of them.
    fields : mapping of str to mapping of str to str
        By our name: names in files, the first found taken, with what a value stands for where the
        file does not tell.
    drift, currents : tuple of pairs of str
        Names of the two components, the first pair found taken.
    warmth : tuple of str
        Surface temperature of the ocean.
    faces : bool
        Whether components lie at the east and the north face of a cell, not at its centre.
    """

    name: str
    title: str
    places: tuple[str, str]
    times: tuple[str, ...]
    fields: Mapping[str, Mapping[str, str]]
    drift: tuple[tuple[str, str], ...]
    warmth: tuple[str, ...] = ()
    currents: tuple[tuple[str, str], ...] = ()
    faces: bool = False


NEXTSIM = IceLayout(
    "nextsim_moorings",
    "neXtSIM moorings (sic, sit, snt, siu, siv)",
    ("latitude", "longitude"),
    ("time",),
    {
        "concentration": {"sic": CELL},
        "ice_volume": {"sit": CELL},
        "snow_volume": {"snt": CELL},
        "damage": {"damage": CELL},
    },
    (("siu", "siv"),),
    ("sst",),
)

CMEMS = IceLayout(
    "cmems_nextsim",
    "CMEMS neXtSIM (siconc, sithick, sisnthick, vxsi, vysi)",
    ("latitude", "longitude"),
    ("time",),
    {
        "concentration": {"siconc": CELL},
        "ice_volume": {"sithick": ICE},
        "snow_volume": {"sisnthick": ICE},
        "damage": {"damage": CELL},
    },
    (("vxsi", "vysi"),),
)

NEMO = IceLayout(
    "nemo_icemod",
    "NEMO-SI3 or NANUQ icemod (siconc, sivolu, snvolu, u_ice-u, v_ice-v)",
    ("nav_lat", "nav_lon"),
    ("time_counter", "time_centered", "time_instant"),
    {
        "concentration": {"siconc": CELL, "siconc-t": CELL},
        "ice_volume": {"sivolu": CELL, "sivolu-t": CELL, "sithic": ICE, "sithic-t": ICE},
        "snow_volume": {"snvolu": CELL, "snvolu-t": CELL, "snthic": ICE, "snthic-t": ICE},
        "damage": {"damage-t": CELL, "damage": CELL},
    },
    (("u_ice-u", "v_ice-v"), ("u_ice", "v_ice"), ("sivelu", "sivelv")),
    ("tos", "sst"),
    (("uos", "vos"), ("vozocrtx", "vomecrty")),
    True,
)

LAYOUTS = (NEMO, NEXTSIM, CMEMS)


def layout_of(source):
    """How the file of an ice model is laid out.

    Parameters
    ----------
    source : Source

    Returns
    -------
    IceLayout

    Raises
    ------
    InputError
        If it is not the output of a known ice model.

    Notes
    -----
    neXtSIM: `GridOutput` of the model, whose ``sit`` and ``snt`` are means over the cell. NEMO: the
    XIOS files of SI3, of its BBM branch and of NANUQ, with ``-t``, ``-u``, ``-v`` after a name for
    its point. CMEMS: ARCTIC_ANALYSISFORECAST_PHY_ICE_002_011.
    """
    if "time_counter" in source.dataset.dims or source.has("nav_lat"):
        found = NEMO
    elif source.has("sic") or source.has("siu"):
        found = NEXTSIM
    elif source.has("siconc") or source.has("vxsi"):
        found = CMEMS
    else:
        known = "; ".join(layout.title for layout in LAYOUTS)
        source.refuse(f"holds {source.listing()}, no output of an ice model; known are {known}")
    return found
