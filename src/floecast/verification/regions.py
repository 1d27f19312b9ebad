"""Where and when scores are taken: boxes, zones of the observed ice cover, seasons.

A region may depend on the observation, never on the forecast: a forecast must not choose the cells
on which it is judged.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.calendar import to_datetime64
from floecast.core.errors import InputError
from floecast.core.variables import ICE_EDGE, PACK_ICE

OWN = ("arctic", "pack", "marginal zone")
"""Names of the regions that are always there: the whole, and the zones of the ice."""


class Box(NamedTuple):
    """A region between two parallels and two meridians [degrees].

    Attributes
    ----------
    south, north : parallels, south of north.
    west, east : meridians; the box runs from west to east, across the date line if need be.
    """

    south: float
    north: float
    west: float
    east: float


SEAS = {
    "central Arctic": Box(80, 90, -180, 180),
    "Beaufort Sea": Box(68, 80, -160, -120),
    "Chukchi Sea": Box(66, 80, -180, -160),
    "East Siberian Sea": Box(68, 80, 140, 180),
    "Laptev Sea": Box(70, 80, 100, 140),
    "Kara Sea": Box(68, 80, 60, 100),
    "Barents Sea": Box(68, 80, 17, 60),
    "Greenland Sea": Box(68, 80, -40, 17),
}
"""Boxes that stand roughly for the seas of the Arctic and do not overlap."""

SEASONS = {
    "freeze-up": (10, 11, 12),
    "winter": (1, 2, 3, 4),
    "melt": (5, 6, 7),
    "late summer": (8, 9),
}
"""Months of each season of the Arctic ice cover."""


def box_regions(
    boxes: Mapping[str, Box], latitude: ArrayLike, longitude: ArrayLike
) -> dict[str, NDArray[np.bool_]]:
    """Cells within boxes.

    Parameters
    ----------
    boxes : name to box, such as `SEAS`.
    latitude, longitude : (y, x) of the cell centres [degrees].

    Returns
    -------
    dict of (y, x) bool arrays
        The southern and western borders belong to a box, the others to the next; the pole to all
        that reach it.

    Raises
    ------
    InputError
        A box has its south at or above its north, or is no place on Earth.
    """
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    found = {}
    for name, box in boxes.items():
        south, north, west, east = box
        if not -90 <= south < north <= 90 or not (abs(west) <= 360 and abs(east) <= 360):
            raise InputError(
                f"region {name!r}: {tuple(box)}; expected south below north, west and east in "
                "degrees, within -90 to 90 and -360 to 360"
            )
        width = east - west if east > west else east - west + 360
        within = (latitude >= south) & ((latitude < north) | (north == 90))
        found[name] = within & ((width >= 360) | ((longitude - west) % 360 < width))
    return found


def ice_zones(concentration: ArrayLike) -> dict[str, NDArray[np.bool_]]:
    """Zones of an observed ice cover.

    Parameters
    ----------
    concentration : (..., y, x) observed or true ice concentration, NaN where unknown [1].

    Returns
    -------
    dict of (..., y, x) bool arrays
        ``pack`` above `PACK_ICE`, ``marginal zone`` from `ICE_EDGE` to it, both included.
    """
    concentration = np.asarray(concentration)
    pack = concentration > PACK_ICE
    return {"pack": pack, "marginal zone": (concentration >= ICE_EDGE) & ~pack}


def season_of(times: ArrayLike) -> NDArray[np.str_]:
    """Season of every time.

    Parameters
    ----------
    times : (...) int, such as start dates [s since 2000-01-01].

    Returns
    -------
    (...) array of str
        Names of `SEASONS`.
    """
    months = to_datetime64(times).astype("datetime64[M]").astype(int) % 12 + 1
    names = {month: name for name, months in SEASONS.items() for month in months}
    return np.vectorize(names.get, otypes=["U16"])(months)
