"""A typical Arctic ice cover for a time of year: where idealised runs start."""

import numpy as np

from floecast.core.calendar import year_fraction
from floecast.core.state import IceState

# Longitude, latitude of the ice edge in March and in September [degrees].
# fmt: off
_EDGE = np.array([
    (-180, 60.5, 74.0), (-165, 60.0, 74.5), (-150, 58.0, 74.0), (-125, 55.0, 72.5),
    (-100, 50.0, 70.0), (-80, 50.0, 75.0), (-60, 56.0, 79.0), (-50, 60.0, 81.0),
    (-42, 63.0, 82.0), (-30, 67.0, 80.0), (-20, 70.0, 78.0), (-10, 73.0, 79.5),
    (0, 76.5, 80.5), (10, 79.5, 81.5), (20, 79.5, 82.0), (30, 77.5, 82.0),
    (45, 76.0, 82.0), (60, 70.0, 82.0), (75, 66.0, 81.5), (100, 60.0, 80.0),
    (130, 52.0, 78.5), (145, 50.0, 77.5), (160, 54.0, 75.5), (170, 59.0, 74.5),
    (180, 60.5, 74.0),
])
# fmt: on
_MARCH_MAXIMUM = 0.19
"""Year fraction of the maximum extent, about 10 March."""


def typical_state(grid, time):
    """Ice at rest with a typical edge and thickness for the season.

    Parameters
    ----------
    grid : Grid
        With latitudes and longitudes.
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    IceState

    Notes
    -----
    The latitude of the edge at each longitude is read by eye off charts of the mean March and
    September extent (Sea Ice Index, Fetterer et al. 2017, doi:10.7265/N5K072F8) and blended with
    a cosine through the year. Thickness is largest off northern Greenland and the Canadian
    Archipelago and falls off towards Siberia and the edge, as in the climatology of CryoSat-2 and
    SMOS (Ricker et al. 2017, doi:10.5194/tc-11-1607-2017). A start for a spin-up, no climatology.
    """
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * (year_fraction(time) - _MARCH_MAXIMUM))
    edge, march, september = _EDGE.T
    knots = winter * march + (1 - winter) * september
    longitude = (grid.longitude + 180.0) % 360.0 - 180.0
    inside = grid.latitude - np.interp(longitude, edge, knots)
    concentration = 0.99 / (1.0 + np.exp(-np.clip(4.0 * inside, -50, 50)))
    concentration = np.where(concentration > 0.02, concentration, 0.0)
    from_thickest = _distance(grid, 84.0, -60.0)
    old_ice = 1.6 * np.exp(-((from_thickest / 900e3) ** 2))
    pack = 1.0 + 0.7 * winter
    thickness = (pack + old_ice) * (0.25 + 0.75 * np.clip(inside / 7.0, 0.0, 1.0))
    snow_depth = 0.25 * winter * np.clip(inside / 7.0, 0.2, 1.0)
    return IceState.at_rest(grid, concentration, thickness, snow_depth)


def _distance(grid, latitude, longitude):
    phi, there = np.radians(grid.latitude), np.radians(latitude)
    cosine = np.sin(phi) * np.sin(there) + np.cos(phi) * np.cos(there) * np.cos(
        np.radians(grid.longitude - longitude)
    )
    return 6371e3 * np.arccos(np.clip(cosine, -1.0, 1.0))
