"""Thinning: fewer observations where neighbours say the same; none is dropped."""

import numpy as np
from scipy.spatial import cKDTree

from floecast.core.errors import InputError

from .quality_control import flagged


def thin_every(observations, step):
    """Keep every n-th good observation of each kind and time, in the order they come in.

    Parameters
    ----------
    observations : Observations
    step : int
        One of so many stays; 1 is all.

    Returns
    -------
    Observations
        With ``thinned`` set for the others.

    Raises
    ------
    InputError
        If the step is not a positive whole number.
    """
    if step < 1 or step != int(step):
        raise InputError(f"one of every {step} observations makes no sense; use 1 or more")
    good = np.flatnonzero(np.asarray(observations.flag) == 0)
    thinned = np.zeros(observations.size, bool)
    for together in _together(observations, good):
        thinned[together] = np.arange(together.size) % int(step) > 0
    return flagged(observations, thinned, "thinned")


def thin_distance(observations, distance):
    """Keep good observations of each kind and time that lie some distance from each other.

    Parameters
    ----------
    observations : Observations
    distance : float
        Least distance between those that stay, on the projected plane [m].

    Returns
    -------
    Observations
        With ``thinned`` set for those closer to one with a smaller error, or with the same error
        and earlier in order, that stays.

    Raises
    ------
    InputError
        If the distance is not positive.

    Notes
    -----
    For products whose errors are correlated over that distance, such as optimally interpolated
    maps, of which values at 100 to 200 km say nearly all.
    """
    if not distance > 0:
        raise InputError(f"the least distance between observations must be positive: {distance}")
    error = np.asarray(observations.error_std)
    good = np.flatnonzero(np.asarray(observations.flag) == 0)
    thinned = np.zeros(observations.size, bool)
    for together in _together(observations, good):
        ordered = together[np.argsort(error[together], kind="stable")]
        tree = cKDTree(observations.position[ordered])
        for number, one in enumerate(ordered):
            if not thinned[one]:
                near = ordered[tree.query_ball_point(tree.data[number], distance)]
                separation = np.hypot(*(observations.position[near] - tree.data[number]).T)
                thinned[near[(separation < distance) & (near != one)]] = True
    return flagged(observations, thinned, "thinned")


def _together(observations, chosen):
    """Indices of each kind, time and span among the chosen, in their order."""
    keys = np.stack(
        [
            np.asarray(field)[chosen]
            for field in (observations.kind, observations.time, observations.span)
        ]
    )
    _, number = np.unique(keys, axis=1, return_inverse=True)
    order = np.argsort(number.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(number.reshape(-1)))[:-1]
    return [chosen[part] for part in np.split(order, ends) if part.size]
