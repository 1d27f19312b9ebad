"""Probabilities and quantiles of an ensemble."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.variables import ICE_EDGE

STAGES = (0.1, 0.3, 0.7, 1.2, 2.0)
"""Thickness between the stages of development of sea ice, from nilas to old ice [m].

References
----------
World Meteorological Organization (2014): Sea-Ice Nomenclature, WMO No. 259.
"""


def quantiles(members: ArrayLike, levels: ArrayLike) -> NDArray:
    """Quantiles over the members.

    Parameters
    ----------
    members : (member, ...) array
    levels : (quantile,) array
        In (0, 1).

    Returns
    -------
    (quantile, ...) array

    Notes
    -----
    Estimator number 8 of Hyndman and Fan, about unbiased in the median for every distribution.

    References
    ----------
    Hyndman, R. J. and Y. Fan (1996): Sample quantiles in statistical packages. Am. Stat. 50,
    361-365, doi:10.1080/00031305.1996.10473566.
    """
    members = np.asarray(members)
    levels = np.asarray(levels, members.dtype)
    return np.quantile(members, levels, axis=0, method="median_unbiased")


def probability_above(members: ArrayLike, threshold: float) -> NDArray:
    """Share of the members above a threshold [1]; ``(member, ...)`` to ``(...)``."""
    return np.mean(np.asarray(members) > threshold, axis=0)


def thickness_classes(
    concentration: ArrayLike, thickness: ArrayLike, inner: ArrayLike = STAGES
) -> NDArray:
    """Probability of each class of thickness.

    Parameters
    ----------
    concentration : (member, ...) array
        [1]
    thickness : (member, ...) array
        Mean over the ice [m].
    inner : (class - 1,) array
        Thickness between the classes, ascending [m]; each holds its lower bound.

    Returns
    -------
    (class, ...) array
        Share of the members that have ice (concentration above 15 %) of that mean thickness; all
        classes together are the probability of ice.
    """
    ice = np.asarray(concentration) > ICE_EDGE
    number = np.digitize(np.asarray(thickness), inner)
    return np.stack([np.mean(ice & (number == i), axis=0) for i in range(len(inner) + 1)])
