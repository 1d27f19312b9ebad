"""The error of the observations that ensembles are scored against."""

import numpy as np
from numpy.typing import ArrayLike

from floecast.verification.weighting import Array


def perturbed_members(
    ensemble: ArrayLike,
    error_std: ArrayLike,
    *,
    rng: np.random.Generator,
    lower: float = -np.inf,
    upper: float = np.inf,
) -> Array:
    """Members as an observation of them would read.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    error_std : scalar or (..., y, x) standard deviation of the observation error, same unit.
    rng : generator of the errors, independent for every member and cell.
    lower, upper : bounds that the product keeps: a retrieval of concentration is cut at 0 and 1,
        and then its error has a mean there, which the members must share.

    Returns
    -------
    (member, ..., y, x) array
        To be ranked and scored against observations with such an error. Without it an ensemble
        that is right about the ice looks too narrow. A truth without error needs none.

    References
    ----------
    Anderson, J. L. (1996): A method for producing and evaluating probabilistic forecasts from
    ensemble model integrations. J. Clim. 9, 1518-1530.
    """
    ensemble = np.asarray(ensemble, np.float64)
    noise = np.asarray(error_std, np.float64) * rng.standard_normal(ensemble.shape)
    return np.clip(ensemble + noise, lower, upper)
