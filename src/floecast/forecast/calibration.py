"""Calibration of a forecast of concentration by earlier forecasts and what was observed after them.

Of each lead, three steps:

1. The change from what was observed at the start is expected from the change that the forecast
   tells, from how far its analysis is off the observation and, where other years are known, from
   the change that the season brings and the anomaly at the start: linear regression on earlier
   forecasts, all cells together (the form of nonhomogeneous regression by Gneiting et al. 2005,
   doi:10.1175/MWR2904.1, for the mean). Factors below one pull a forecast that knows little
   towards persistence and climatology.
2. About the expected value lie the errors that earlier forecasts had in cells alike, by expected
   concentration and spread of the members, as quantiles.
3. Each member takes the quantile of its rank in its cell, so that patterns in space, in time and
   from cell to cell stay those of the members: ensemble copula coupling (Schefzik et al. 2013,
   doi:10.1214/13-STS443).

Bounds hold: quantiles beyond 0 and 1 are put there, as the share of cases that had no ice or no
water.
"""

from typing import NamedTuple

import numpy as np

from floecast.core.calendar import DAY
from floecast.core.errors import InputError

SEASON_DAYS = 30.0
"""Standard deviation of the weight of an earlier forecast over the days of the year between."""
FEWEST = 3.0
"""Sum of the weights of earlier forecasts from which on there is a calibration."""
EXPECTED = (0.001, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Expected concentration between the classes of cells alike [1]."""
SPREAD = (0.01, 0.05)
"""Spread of the members between these classes [1]."""
_ENOUGH = 100
_YEAR = 365.2425 * DAY
_RIDGE = 1e-6


class Lead(NamedTuple):
    """A forecast at one lead, over the cells.

    Attributes
    ----------
    start : time of its start [s since 2000-01-01].
    observed : (cell,) concentration observed at the start [1].
    predictors : (predictor, cell) what the change is expected from; see `predictors`.
    spread : (cell,) standard deviation of the members at this lead [1].
    outcome : (cell,) concentration observed at this lead [1], NaN where not; None if not yet.
    """

    start: int
    observed: np.ndarray
    predictors: np.ndarray
    spread: np.ndarray
    outcome: np.ndarray | None = None


class Calibration(NamedTuple):
    """What earlier forecasts tell of a lead.

    Attributes
    ----------
    factors : (predictor,) of the regression [1].
    residuals : (sample,) observed minus expected concentration of earlier forecasts [1].
    weights : (sample,) of these [1].
    expected, spread : (sample,) expected concentration and spread of the members there [1].
    """

    factors: np.ndarray
    residuals: np.ndarray
    weights: np.ndarray
    expected: np.ndarray
    spread: np.ndarray


def predictors(mean_start, mean, observed, normal_start=None, normal=None):
    """What the change of concentration is expected from.

    Parameters
    ----------
    mean_start, mean : (cell,) mean of the members at the start and at the lead [1].
    observed : (cell,) observed at the start [1].
    normal_start, normal : (cell,) mean of other years at these two dates [1]; both or neither.

    Returns
    -------
    (2 or 4, cell) array
        Change of the forecast, departure of the observation from its analysis; change of the
        normal, departure of the observation from the normal.
    """
    found = [mean - mean_start, observed - mean_start]
    if normal is not None:
        found += [normal - normal_start, observed - normal_start]
    return np.stack(found)


def season_weight(start, other):
    """Weight of a forecast of another time by the days of the year between the two.

    Parameters
    ----------
    start, other : times [s since 2000-01-01].

    Returns
    -------
    float
        1 on the same day of any year.
    """
    apart = abs(start - other) % _YEAR
    return float(np.exp(-0.5 * (min(apart, _YEAR - apart) / (SEASON_DAYS * DAY)) ** 2))


def calibration(earlier, start):
    """Learn from earlier forecasts.

    Parameters
    ----------
    earlier : sequence of Lead
        With outcomes, all with the same predictors and the same lead.
    start : start of the forecast to be calibrated [s since 2000-01-01].

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        There are too few of this season.
    """
    weights = [season_weight(start, one.start) for one in earlier]
    if sum(weights) < FEWEST:
        raise InputError(
            f"{len(earlier)} earlier forecasts with observations, together worth "
            f"{sum(weights):.1f} of this season; a calibration needs {FEWEST:g}: give more "
            f"forecasts from within {SEASON_DAYS:g} days of this day of any year"
        )
    products, targets = 0.0, 0.0
    for one, weight in zip(earlier, weights, strict=True):
        known = np.isfinite(one.outcome)
        given = one.predictors[:, known]
        products = products + weight * given @ given.T
        targets = targets + weight * given @ (one.outcome - one.observed)[known]
    # A predictor that never changes gets no factor.
    ridge = _RIDGE * max(np.trace(products), 1.0) * np.eye(len(targets))
    factors = np.linalg.solve(products + ridge, targets)
    parts = []
    for one, weight in zip(earlier, weights, strict=True):
        known = np.isfinite(one.outcome)
        mean = expected(one, factors)[known]
        error = one.outcome[known] - mean
        parts.append((error, np.full(error.shape, weight), mean, one.spread[known]))
    return Calibration(factors, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def expected(lead, factors):
    """Expected concentration.

    Parameters
    ----------
    lead : Lead
    factors : (predictor,) of `Calibration`.

    Returns
    -------
    (cell,) array
        0 to 1.
    """
    return np.clip(lead.observed + factors @ lead.predictors, 0.0, 1.0)


def quantiles(found, lead, levels):
    """Quantiles of the concentration in each cell.

    Parameters
    ----------
    found : Calibration
    lead : Lead
        Of the forecast to be calibrated.
    levels : (level,) of the quantiles, ascending [1].

    Returns
    -------
    (level, cell) array
        Ascending along levels, 0 to 1. Where fewer than a hundred samples were alike, spread is
        left aside, then classes of expected concentration nearby are taken in.
    """
    mean = expected(lead, found.factors)
    here = np.digitize(mean, EXPECTED), np.digitize(lead.spread, SPREAD)
    there = np.digitize(found.expected, EXPECTED), np.digitize(found.spread, SPREAD)
    told = np.empty((len(levels), mean.size))
    for row, column in sorted(set(zip(*here, strict=True))):
        alike = (there[0] == row) & (there[1] == column)
        reach = 0
        while alike.sum() < _ENOUGH and reach <= len(EXPECTED):
            alike = abs(there[0] - row) <= reach
            reach += 1
        errors = _weighted_quantiles(found.residuals[alike], found.weights[alike], levels)
        cells = (here[0] == row) & (here[1] == column)
        told[:, cells] = mean[cells] + errors[:, None]
    return np.clip(told, 0.0, 1.0)


def _weighted_quantiles(values, weights, levels):
    order = np.argsort(values, kind="stable")
    weights = weights[order]
    middles = np.cumsum(weights) - 0.5 * weights
    return np.interp(levels, middles / weights.sum(), values[order])


def in_order_of(members, sorted_values):
    """Give sorted values to members in the order that they have in each cell.

    Parameters
    ----------
    members : (member, cell) array
    sorted_values : (member, cell) array, ascending along members.

    Returns
    -------
    (member, cell) array
        Members alike keep the order of their numbers.
    """
    ranks = np.argsort(np.argsort(members, axis=0, kind="stable"), axis=0, kind="stable")
    return np.take_along_axis(sorted_values, ranks, axis=0)
