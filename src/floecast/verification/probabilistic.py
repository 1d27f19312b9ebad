"""Scores of an ensemble against one field; members lie on the first axis.

The functions named `*_cells` give the score of every cell before averaging and take fields
without fill values; the others mask, weight and average.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError
from floecast.verification.weighting import Array, prepare, ratio, weighted_mean


class RankHistogram(NamedTuple):
    """Ranks of the truth among the members.

    Attributes
    ----------
    counts : (member + 1,) number of cells with each rank.
    tied_fraction : fraction of the cells left out because truth and all members agree exactly.
    """

    counts: NDArray[np.int64]
    tied_fraction: float


def _at_least_two(ensemble: Array, purpose: str) -> int:
    members = ensemble.shape[0]
    if members < 2:
        raise InputError(
            f"ensemble: {members} member on the first axis; {purpose} needs at least 2 members"
        )
    return members


def crps_cells(ensemble: Array, truth: Array, *, fair: bool) -> Array:
    """CRPS of every cell.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.
    truth : (...) truth.
    fair : use the estimator that is unbiased in the number of members.

    Returns
    -------
    (...) array
        CRPS in the unit of the field.
    """
    members = _at_least_two(ensemble, "the fair CRPS") if fair else ensemble.shape[0]
    distance = np.abs(ensemble - truth[None]).mean(axis=0)
    # Sorting turns the double sum over pairs into a single one.
    rank_weight = 2.0 * np.arange(members) - (members - 1)
    half_pair_sum = np.tensordot(rank_weight, np.sort(ensemble, axis=0), axes=1)
    return distance - half_pair_sum / (members * (members - 1 if fair else members))


def crps(ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, fair: bool = False) -> Array:
    """Continuous ranked probability score, area-weighted mean.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    fair : use the estimator that is unbiased in the number of members; the only one that
        compares ensembles of different size.

    Returns
    -------
    (...) array or scalar
        CRPS in the unit of the field.

    Raises
    ------
    InputError
        `fair` with fewer than two members.

    Notes
    -----
    ``mean_i |x_i - y| - c sum_ij |x_i - x_j|`` with ``c = 1 / (2 M^2)`` for the empirical
    distribution and ``c = 1 / (2 M (M - 1))`` in the fair form. One member gives the mean
    absolute error.

    References
    ----------
    Ferro, C. A. T. (2014): Fair scores for ensemble forecasts. Q. J. R. Meteorol. Soc. 140,
    1917-1923.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    return weighted_mean(crps_cells(ensemble, truth, fair=fair), weights)


def threshold_weighted_crps(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    lower: float = -np.inf,
    upper: float = np.inf,
    fair: bool = False,
) -> Array:
    """CRPS that looks at the thresholds between two bounds only, area-weighted mean.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    lower, upper : bounds of the thresholds that count, in the unit of the field.
    fair : use the estimator that is unbiased in the number of members.

    Returns
    -------
    (...) array or scalar
        Score in the unit of the field; without bounds it is the CRPS.

    Raises
    ------
    InputError
        The bounds are in the wrong order, or `fair` with fewer than two members.

    Notes
    -----
    ``int_lower^upper (F(x) - 1{x >= y})^2 dx``, which is the CRPS of members and truth limited to
    the bounds. It is proper, while a CRPS averaged over the cells where the *truth* lies in the
    range is not: that average rewards forecasts of extremes.

    References
    ----------
    Gneiting, T. and R. Ranjan (2011): Comparing density forecasts using threshold- and
    quantile-weighted scoring rules. J. Bus. Econ. Stat. 29, 411-422.
    Allen, S., D. Ginsbourger and J. Ziegel (2023): Evaluating forecasts for high-impact events
    using transformed kernel scores. SIAM/ASA J. Uncertain. Quantif. 11, 906-940.
    """
    if not lower < upper:
        raise InputError(f"lower, upper: {lower} and {upper}; expected lower below upper")
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    ensemble, truth = np.clip(ensemble, lower, upper), np.clip(truth, lower, upper)
    return weighted_mean(crps_cells(ensemble, truth, fair=fair), weights)


def mean_variance_cells(ensemble: Array) -> Array:
    """Expected squared error of the ensemble mean in every cell, if the ensemble is reliable.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.

    Returns
    -------
    (...) array
        ``(M + 1) / M`` times the unbiased ensemble variance.
    """
    members = _at_least_two(ensemble, "the ensemble variance")
    return (members + 1) / members * ensemble.var(axis=0, ddof=1)


def _misfit_and_expectation(
    ensemble: ArrayLike, truth: ArrayLike, weights: ArrayLike, error_std: ArrayLike
) -> tuple[Array, Array]:
    weights, ensemble, truth, error_std = prepare(
        weights, ensemble=ensemble, truth=truth, error_std=error_std
    )
    misfit = weighted_mean((ensemble.mean(axis=0) - truth) ** 2, weights)
    return misfit, weighted_mean(mean_variance_cells(ensemble) + error_std**2, weights)


def spread_skill(
    ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, error_std: ArrayLike = 0.0
) -> Array:
    """Spread of the ensemble over the error of its mean; 1 when reliable, below 1 when too narrow.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    error_std : scalar or (..., y, x) standard deviation of the error of the truth, same unit.

    Returns
    -------
    (...) array or scalar
        Ratio [1]; NaN where the mean has no error.

    Notes
    -----
    ``sqrt(mean((M + 1) / M s^2 + error_std^2)) / rmse``: variances are averaged, never
    standard deviations.

    References
    ----------
    Fortin, V., et al. (2014): Why should ensemble spread match the RMSE of the ensemble mean?
    J. Hydrometeorol. 15, 1708-1713.
    """
    misfit, expected = _misfit_and_expectation(ensemble, truth, weights, error_std)
    return np.sqrt(ratio(expected, misfit))


def reduced_variable(
    ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, error_std: ArrayLike = 0.0
) -> Array:
    """Mean squared misfit over the variance that ensemble and observation error predict.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth or observation in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    error_std : scalar or (..., y, x) standard deviation of the observation error, same unit.

    Returns
    -------
    (...) array or scalar
        Reduced chi-square [1]: 1 when reliable, above 1 when the predicted variance is too small.

    Notes
    -----
    ``mean(misfit^2) / mean((M + 1) / M s^2 + error_std^2)``. The factor makes the expectation 1
    for any number of members.
    """
    misfit, expected = _misfit_and_expectation(ensemble, truth, weights, error_std)
    return ratio(misfit, expected)


def brier_cells(ensemble: Array, truth: Array, *, threshold: float, fair: bool) -> Array:
    """Brier score of every cell for the event that the value exceeds a threshold.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.
    truth : (...) truth.
    threshold : the event is a value above it.
    fair : take out the expected contribution of the finite ensemble.

    Returns
    -------
    (...) array
        Brier score [1].
    """
    probability = (ensemble > threshold).mean(axis=0)
    score = (probability - (truth > threshold)) ** 2
    if not fair:
        return score
    members = _at_least_two(ensemble, "the fair Brier score")
    return score - probability * (1 - probability) / (members - 1)


def brier(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float,
    fair: bool = False,
) -> Array:
    """Brier score of the event that the value exceeds a threshold, area-weighted mean.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    threshold : the event is a value above it.
    fair : use the estimator that is unbiased in the number of members.

    Returns
    -------
    (...) array or scalar
        Brier score [1].

    Raises
    ------
    InputError
        `fair` with fewer than two members.

    Notes
    -----
    ``(p - o)^2``, fair form ``(p - o)^2 - p (1 - p) / (M - 1)``.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    return weighted_mean(brier_cells(ensemble, truth, threshold=threshold, fair=fair), weights)


def ranks(
    ensemble: Array, truth: Array, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rank of the truth among the members, ties broken at random.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.
    truth : (...) truth.
    rng : generator of the random ranks of ties.

    Returns
    -------
    rank : (...) int, number of members below the truth, 0 to M.
    tied : (...) bool, where truth and all members agree exactly and the rank says nothing.
    """
    ties = (ensemble == truth).sum(axis=0)
    rank = (ensemble < truth).sum(axis=0) + rng.integers(0, ties + 1)
    return rank, ties == ensemble.shape[0]


def rank_histogram(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    rng: np.random.Generator,
    error_std: ArrayLike | None = None,
) -> RankHistogram:
    """Histogram of the rank of the truth among the members; flat when reliable.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth or observation in the same unit.
    weights : (..., y, x) cell area times mask; cells of positive weight count once each.
    rng : generator of the random ranks of ties and of the observation error.
    error_std : scalar or (..., y, x) standard deviation of the observation error, same unit;
        None when the truth is exact.

    Returns
    -------
    RankHistogram
        Counts of the ranks and the fraction of cells left out.

    Notes
    -----
    The rank is ``#{x_i < y} + U`` with U uniform on ``{0, ..., #{x_i = y}}``, so that the atoms
    at concentration 0 and 1 do not fake a U shape. Cells in which the truth and all members
    agree say nothing and would flatten the histogram; they are left out. Neighbouring cells are
    correlated: the counts are no independent sample for a chi-square test.

    References
    ----------
    Hamill, T. M. (2001): Interpretation of rank histograms for verifying ensemble forecasts.
    Mon. Weather Rev. 129, 550-560.
    """
    error = 0.0 if error_std is None else error_std
    weights, ensemble, truth, error = prepare(
        weights, ensemble=ensemble, truth=truth, error_std=error
    )
    used = np.broadcast_to(weights > 0, truth.shape)
    members, values = ensemble[:, used], truth[used]
    if error_std is not None:
        members = members + np.broadcast_to(error, truth.shape)[used] * rng.standard_normal(
            members.shape
        )
    rank, tied = ranks(members, values, rng)
    counts = np.bincount(rank[~tied], minlength=members.shape[0] + 1)
    return RankHistogram(counts, float(ratio(np.count_nonzero(tied), tied.size)))


def interval_coverage(
    ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, level: float
) -> Array:
    """Fraction of the area in which the truth lies in the central interval of the ensemble.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    level : nominal probability of the interval, between 0 and ``(M - 1) / (M + 1)``.

    Returns
    -------
    (...) array or scalar
        Coverage [1]; equal to `level` when reliable.

    Raises
    ------
    InputError
        The ensemble is too small for the level.

    Notes
    -----
    The bounds are quantiles with plotting positions ``i / (M + 1)``: an ensemble exchangeable
    with the truth has the nominal coverage where ``(1 - level) / 2 (M + 1)`` is whole, and
    nearly so between. A truth on a bound counts as inside, so atoms such as open water raise
    the coverage.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    largest = (ensemble.shape[0] - 1) / (ensemble.shape[0] + 1)
    if not 0 < level <= largest:
        raise InputError(
            f"level: {level} is out of range; expected above 0 and at most {largest:.3f} with "
            f"{ensemble.shape[0]} members; lower the level or use more members"
        )
    low, high = np.quantile(ensemble, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
    return weighted_mean((low <= truth) & (truth <= high), weights)
