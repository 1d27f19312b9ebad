"""Altimetry: thickness and freeboard of ice that floats under its snow."""

from floecast.core.constants import ICE_DENSITY, MOVING_WATER_DENSITY, SNOW_DENSITY

DENSITY = {"water": MOVING_WATER_DENSITY, "ice": ICE_DENSITY, "snow": SNOW_DENSITY}
"""Of sea water, sea ice and snow [kg/m3].

Those of the simulator and of the freeboard operator of DART. Products take 1024 for water, and for
ice 917 in its first year and 882 when older (Alexandrov et al. 2010), with which the same freeboard
is a quarter less ice when older: compare freeboard where a product gives it, or its thickness under
its own densities."""

_BUOYANCY = DENSITY["water"] - DENSITY["ice"]


def freeboard_of(thickness, snow_depth, *, laser=False):
    """Height of the ice surface above the water, or with its snow.

    Parameters
    ----------
    thickness, snow_depth : array
        Over the ice [m].
    laser : bool
        A laser sees the snow surface; a radar, with its path through the snow corrected, the ice
        surface.

    Returns
    -------
    array
        [m]; negative where the snow presses the ice under water.

    Notes
    -----
    With h and d ice and snow, ``(rho_w - rho_i) h - rho_s d`` over rho_w for the ice surface, and d
    more for that of the snow.

    References
    ----------
    Laxon, S., Peacock, N., and Smith, D. (2003). High interannual variability of sea ice thickness
    in the Arctic region. Nature, 425, 947-950.
    Alexandrov, V., Sandven, S., Wahlin, J., and Johannessen, O. M. (2010). The relation between sea
    ice thickness and freeboard in the Arctic. Cryosphere, 4, 373-380.
    """
    ice = _BUOYANCY / DENSITY["water"] * thickness
    # A share of rho_s / rho_w of the snow goes under water.
    return ice + (float(laser) - DENSITY["snow"] / DENSITY["water"]) * snow_depth


def thickness_of(freeboard, snow_depth, *, laser=False):
    """Thickness of ice with a freeboard and snow: the inverse of `freeboard_of`.

    Parameters
    ----------
    freeboard, snow_depth : array
        [m]
    laser : bool
        As in `freeboard_of`.

    Returns
    -------
    array
        [m]
    """
    snow = DENSITY["snow"] - float(laser) * DENSITY["water"]
    return (DENSITY["water"] * freeboard + snow * snow_depth) / _BUOYANCY
