"""Score estimates at the places of observations, such as cells kept out of an analysis."""

import numpy as np

from floecast.core.errors import InputError
from floecast.verification.bootstrap import block_interval, draw_blocks
from floecast.verification.deterministic import correlation_of_means
from floecast.verification.scorecard import Row
from floecast.verification.weighting import ratio


def score_points(
    estimates,
    value,
    error_std,
    labels,
    *,
    variable,
    region,
    rng,
    spreads=None,
    lead_hours=0.0,
    draws=2000,
):
    """Misfit of several systems to the same observations, one row a score.

    Parameters
    ----------
    estimates : dict
        System name to the ``(p,)`` equivalents of the observations.
    value, error_std : (p,) array
        The observations and their standard errors.
    labels : (p,) array
        Block of each observation; blocks are what the bootstrap draws.
    variable, region : str
        For the rows.
    rng : Generator
        Of the bootstrap.
    spreads : dict, optional
        System name to the ``(p,)`` standard deviation of its members.
    lead_hours : float
        For the rows [h].
    draws : int
        Number of bootstrap samples.

    Returns
    -------
    list of Row
        ``rmse``, ``bias`` (estimate minus observation), ``mae``, ``correlation`` and, where there
        is a spread, ``consistency``: the mean squared misfit over the mean of squared spread plus
        squared error, 1 if the ensemble and the errors explain it.

    Raises
    ------
    InputError
        If an estimate has another length than the observations.
    """
    value, error_std = np.asarray(value, float), np.asarray(error_std, float)
    finite = np.isfinite(value)
    for name, estimate in estimates.items():
        if np.shape(estimate) != value.shape:
            raise InputError(
                f"{name}: {np.shape(estimate)} estimates for {value.shape} observations"
            )
        finite &= np.isfinite(estimate)
    observed, error = value[finite], error_std[finite]
    blocks = draw_blocks(np.asarray(labels)[finite], draws=draws, rng=rng)
    rows = []
    for name, estimate in estimates.items():
        forecast = np.asarray(estimate, float)[finite]
        misfit, one = forecast - observed, np.ones(observed.size)
        scores = {
            "rmse": ((misfit**2, one), lambda s: np.sqrt(ratio(s[0], s[1]))),
            "bias": ((misfit, one), lambda s: ratio(s[0], s[1])),
            "mae": ((np.abs(misfit), one), lambda s: ratio(s[0], s[1])),
            "correlation": (
                (forecast, observed, forecast**2, observed**2, forecast * observed, one),
                lambda s: correlation_of_means(*(ratio(part, s[5]) for part in s[:5])),
            ),
        }
        if spreads and name in spreads:
            expected = np.asarray(spreads[name], float)[finite] ** 2 + error**2
            scores["consistency"] = ((misfit**2, expected), lambda s: ratio(s[0], s[1]))
        for score, (parts, statistic) in scores.items():
            interval = block_interval(np.stack(parts), statistic, blocks)
            rows.append(
                Row(name, variable, score, region, float(lead_hours), *interval, observed.size)
            )
    return rows
