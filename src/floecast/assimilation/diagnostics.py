"""How an analysis fits its observations, and whether its errors are what it says they are."""

import numpy as np

from floecast.observation.observations import KINDS


def innovation_statistics(analysis):
    """Innovations and residuals of an analysis, by kind of observation.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    dict of str to dict of str to float
        For each kind that was assimilated, and ``"all"``: ``count``; ``innovation_mean`` and
        ``innovation_rms`` of observation minus background, ``residual_mean`` and ``residual_rms``
        of observation minus analysis; ``chi2``, the mean of the squared innovation over its
        expected variance, 1 if background spread and observation error are right; ``signal``, the
        degrees of freedom the observations gave to the analysis; and the variances that the
        departures speak for: ``observation_variance``, ``background_variance``,
        ``analysis_variance``, beside the ``assumed_observation_variance``.

    Notes
    -----
    With d_b and d_a the departures of the observations from the background and analysis means and
    d_ab the increment as observed, the estimated variances are the means of ``d_a d_b``,
    ``d_ab d_b`` and ``d_ab d_a``. They may come out negative in small samples, and mean little
    where errors of observation and background have the same length scale. The degrees of freedom
    for signal are the sum of the analysis variance over the error variance, exact for
    uncorrelated errors without inflation.

    References
    ----------
    Desroziers, G., Berre, L., Chapnik, B., and Poli, P. (2005). Diagnosis of observation,
    background and analysis-error statistics in observation space. Q. J. R. Meteorol. Soc., 131,
    3385-3396.
    """
    observations = analysis.observations
    good = np.asarray(observations.flag) == 0
    kind = np.asarray(observations.kind)
    chosen = {name: good & (kind == i) for i, name in enumerate(KINDS)} | {"all": good}
    return {name: _departures(analysis, keep) for name, keep in chosen.items() if keep.any()}


def _departures(analysis, keep):
    before = _finite(analysis.background_equivalents, keep)
    after = _finite(analysis.equivalents, keep)
    value = np.asarray(analysis.observations.value, float)[keep]
    variance = np.asarray(analysis.observations.error_std, float)[keep] ** 2
    innovation = value - before.mean(axis=0)
    residual = value - after.mean(axis=0)
    increment = innovation - residual
    statistics = {
        "innovation_mean": innovation.mean(),
        "innovation_rms": np.sqrt(np.mean(innovation**2)),
        "residual_mean": residual.mean(),
        "residual_rms": np.sqrt(np.mean(residual**2)),
        "chi2": np.mean(innovation**2 / (before.var(axis=0, ddof=1) + variance)),
        "signal": np.sum(after.var(axis=0, ddof=1) / variance),
        "assumed_observation_variance": variance.mean(),
        "observation_variance": np.mean(residual * innovation),
        "background_variance": np.mean(increment * innovation),
        "analysis_variance": np.mean(increment * residual),
    }
    return {"count": int(keep.sum())} | {name: float(v) for name, v in statistics.items()}


def _finite(equivalents, keep):
    """Finite members of the equivalents of some observations."""
    equivalents = np.asarray(equivalents, float)[:, keep]
    return equivalents[np.isfinite(equivalents).all(axis=1)]
