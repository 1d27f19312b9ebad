"""Scores of ice drift: vectors, their direction, and the ellipses that an ensemble draws.

Velocities [m/s] or displacements [m] are given as two components along any perpendicular axes, at
the same points: bring staggered components together first, and compare the same span of time.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as f_distribution

from floecast.core.errors import InputError
from floecast.verification.weighting import Array, prepare, ratio, weighted_mean, weighted_sum


class DriftScores(NamedTuple):
    """Scores of one drift against another.

    Attributes
    ----------
    vector_rmse : root of the mean squared length of the error vector, unit of the drift; sqrt(2)
        times that of a component if both are alike.
    bias_u, bias_v : mean error of the components.
    speed_bias : mean error of the speed.
    coherence : size of the complex correlation [1].
    turning : its angle, positive where the forecast drifts to the left of the truth [degrees].
    direction_error : mean size of the angle between both, weighted by the true speed [degrees].
    """

    vector_rmse: Array
    bias_u: Array
    bias_v: Array
    speed_bias: Array
    coherence: Array
    turning: Array
    direction_error: Array


class Ellipses(NamedTuple):
    """Ellipses of an ensemble of vectors in every cell.

    Attributes
    ----------
    distance : (...) squared distance of the truth from the mean in units of the covariance of the
        members: an ellipse holds the truth if its quantile is not smaller.
    area : (...) area of the ellipse of quantile 1, square of the unit of the drift.
    eccentricity : (...) 0 for a circle, 1 for a line [1].
    """

    distance: Array
    area: Array
    eccentricity: Array


def drift_cells(forecast: Array, truth: Array) -> Array:
    """What every cell adds to the scores of drift, before it is weighted.

    Parameters
    ----------
    forecast, truth : (2, ...) components.

    Returns
    -------
    (11, ...) array
        One; squared length of the error; both components of the error; error of the speed; real
        and imaginary part of the conjugate truth times the forecast; squared length of the
        forecast and of the truth; true speed where both move, else 0; that speed times the size
        of the angle between them [rad].
    """
    error = forecast - truth
    squares = [np.sum(vector**2, axis=0) for vector in (forecast, truth)]
    speeds = np.sqrt(squares)
    dot = np.sum(truth * forecast, axis=0)
    cross = truth[0] * forecast[1] - truth[1] * forecast[0]
    moving = np.where((speeds[0] > 0) & (speeds[1] > 0), speeds[1], 0.0)
    angle = moving * np.abs(np.arctan2(cross, dot))
    first = (np.ones(dot.shape), np.sum(error**2, axis=0), *error, speeds[0] - speeds[1])
    return np.stack([*first, dot, cross, *squares, moving, angle])


def vector_rmse(sums: Array) -> Array:
    """Vector RMSE of sums (11, ...) of `drift_cells`."""
    return np.sqrt(ratio(sums[1], sums[0]))


def speed_bias(sums: Array) -> Array:
    """Mean error of the speed of sums (11, ...) of `drift_cells`."""
    return ratio(sums[4], sums[0])


def coherence(sums: Array) -> Array:
    """Size of the complex correlation of sums (11, ...) of `drift_cells` [1]."""
    return ratio(np.hypot(sums[5], sums[6]), np.sqrt(sums[7] * sums[8]))


def turning(sums: Array) -> Array:
    """Angle from the truth to the forecast of sums (11, ...) of `drift_cells` [degrees]."""
    defined = np.hypot(sums[5], sums[6]) > 0
    return np.where(defined, np.degrees(np.arctan2(sums[6], sums[5])), np.nan)[()]


def direction_error(sums: Array) -> Array:
    """Error of the direction, weighted by speed, of sums (11, ...) of `drift_cells` [degrees]."""
    return np.degrees(ratio(sums[10], sums[9]))


def drift_scores(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> DriftScores:
    """Scores of a field of drift.

    Parameters
    ----------
    forecast, truth : (2, ..., y, x) components at the same points.
    weights : (..., y, x) cell area times mask [m2]; cells without ice in the truth should have
        none, as a drift of 0 in open water is no skill.

    Returns
    -------
    DriftScores
        NaN where undefined: no cell counts, or nothing moves.

    Notes
    -----
    With ``w = u + i v`` the complex correlation is ``<w_o* w_f> / sqrt(<|w_o|^2> <|w_f|^2>)``; no
    mean is taken off. The direction counts where both move.

    References
    ----------
    Kundu, P. K. (1976): Ekman veering observed near the ocean bottom. J. Phys. Oceanogr. 6,
    238-242.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    sums = weighted_sum(drift_cells(forecast, truth), weights)
    return DriftScores(
        vector_rmse(sums),
        ratio(sums[2], sums[0]),
        ratio(sums[3], sums[0]),
        speed_bias(sums),
        coherence(sums),
        turning(sums),
        direction_error(sums),
    )


def ellipse_quantile(probability: float, members: int) -> float:
    """Squared size of the ellipse that holds one more vector of the same law.

    Parameters
    ----------
    probability : nominal probability, between 0 and 1.
    members : size M of the ensemble, at least 3.

    Returns
    -------
    float
        ``2 (M^2 - 1) / (M (M - 2)) F^-1_(2, M - 2)(probability)``.

    Raises
    ------
    InputError
        The probability is out of range or there are too few members.

    Notes
    -----
    The quantile of chi-square, which takes mean and covariance for known, holds 0.85 instead of
    0.90 of the cases with 20 members.

    References
    ----------
    Chew, V. (1966): Confidence, prediction, and tolerance regions for the multivariate normal
    distribution. J. Am. Stat. Assoc. 61, 605-617.
    """
    if not 0 < probability < 1:
        raise InputError(f"probability: {probability}; expected a number between 0 and 1")
    if members < 3:
        raise InputError(f"ensemble: {members} members; an ellipse needs at least 3")
    factor = 2 * (members**2 - 1) / (members * (members - 2))
    return float(factor * f_distribution.ppf(probability, 2, members - 2))


def ellipses(ensemble: Array, truth: Array) -> Ellipses:
    """Ellipse of the members in every cell, and where the truth lies in it.

    Parameters
    ----------
    ensemble : (2, member, ...) components of the members.
    truth : (2, ...) components of the truth.

    Returns
    -------
    Ellipses
        Where the members lie on one line or all agree, a truth off it is infinitely far.

    Raises
    ------
    InputError
        There are fewer than three members.
    """
    members = ensemble.shape[1]
    if members < 3:
        raise InputError(f"ensemble: {members} members; an ellipse needs at least 3")
    mean = ensemble.mean(axis=1)
    departure = ensemble - mean[:, None]
    uu, vv, uv = (
        np.sum(departure[i] * departure[j], axis=0) / (members - 1)
        for i, j in ((0, 0), (1, 1), (0, 1))
    )
    half, tilt = (uu + vv) / 2, np.hypot((uu - vv) / 2, uv)
    # Round-off of the smaller variance is that of the sum of both.
    small = np.where(half - tilt > 1e-12 * half, half - tilt, 0.0)
    large = half + tilt
    angle = np.arctan2(uv, (uu - vv) / 2) / 2
    error = truth - mean
    along = np.cos(angle) * error[0] + np.sin(angle) * error[1]
    across = np.cos(angle) * error[1] - np.sin(angle) * error[0]
    distance = np.zeros(half.shape)
    for component, variance in ((along, large), (across, small)):
        there = variance > 0
        distance = distance + np.where(
            there,
            component**2 / np.where(there, variance, 1.0),
            np.where(component == 0, 0.0, np.inf),
        )
    area = np.pi * np.sqrt(large * small)
    return Ellipses(distance, area, np.sqrt(1 - ratio(small, large)))


def ellipse_capture(
    ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, probability: float
) -> tuple[Array, Array]:
    """How often the prediction ellipse holds the truth, and how large it is.

    Parameters
    ----------
    ensemble : (2, member, ..., y, x) components of the members.
    truth : (2, ..., y, x) components of the truth. If it is observed, perturb the members by the
        error of the observations first.
    weights : (..., y, x) cell area times mask [m2].
    probability : nominal probability.

    Returns
    -------
    capture : (...) array or scalar
        Fraction of the area in which the truth lies in the ellipse; equal to `probability` when
        reliable.
    area : (...) array or scalar
        Mean area of the ellipses, square of the unit of the drift: of two reliable ensembles the
        one with the smaller is better.

    Raises
    ------
    InputError
        The probability is out of range or there are fewer than three members.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    quantile = ellipse_quantile(probability, ensemble.shape[1])
    found = ellipses(ensemble, truth)
    return (
        weighted_mean(found.distance <= quantile, weights),
        weighted_mean(quantile * found.area, weights),
    )
