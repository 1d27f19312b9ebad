"""Diagrams of reliability: event probabilities, spread against error, flatness of ranks.

Each diagram is made of sums, which may be added over start dates before the diagram is drawn.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from floecast.core.errors import InputError
from floecast.verification.probabilistic import mean_variance_cells
from floecast.verification.weighting import Array, prepare, ratio


class ReliabilityDiagram(NamedTuple):
    """Reliability of event probabilities, with the parts of the Brier score.

    Attributes
    ----------
    probability : (category,) forecast probabilities that occur, ascending.
    frequency : (category,) observed frequency of the event under each; erratic where rare.
    calibrated : (category,) the frequency as a non-decreasing function of the probability.
    weight : (category,) weight of each.
    miscalibration : what calibration would take off the Brier score; 0 when reliable.
    discrimination : what calibrated probabilities gain on the base rate; large is good.
    uncertainty : Brier score of the base rate.
    """

    probability: Array
    frequency: Array
    calibrated: Array
    weight: Array
    miscalibration: float
    discrimination: float
    uncertainty: float

    @property
    def brier(self) -> float:
        """Brier score: miscalibration minus discrimination plus uncertainty."""
        return self.miscalibration - self.discrimination + self.uncertainty


class SpreadClasses(NamedTuple):
    """Expected and true error of the ensemble mean in classes of spread.

    Attributes
    ----------
    spread : (class,) root of the mean expected squared error, unit of the field.
    error : (class,) root-mean-square error of the ensemble mean; equal to `spread` if reliable.
    weight : (class,) weight of each.
    """

    spread: Array
    error: Array
    weight: Array


def probability_sums(ensemble: Array, truth: Array, weights: Array, threshold: float) -> Array:
    """Weight of every forecast probability, and of the event under it.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.
    truth : (...) truth.
    weights : (...) weights, zero where a cell does not count.
    threshold : the event is a value above it.

    Returns
    -------
    (2, member + 1) array
        Sums for the probabilities ``k / M``: of the weights, and of those where the event occurs.
    """
    members = ensemble.shape[0]
    count = (ensemble > threshold).sum(axis=0).ravel()
    weights, event = np.broadcast_to(weights, truth.shape).ravel(), (truth > threshold).ravel()
    return np.stack(
        [
            np.bincount(count, weights=part, minlength=members + 1)
            for part in (weights, weights * event)
        ]
    )


def reliability_of_sums(sums: Array) -> ReliabilityDiagram:
    """Reliability diagram of sums by `probability_sums`, also of several dates.

    Parameters
    ----------
    sums : (2, member + 1) array

    Returns
    -------
    ReliabilityDiagram
        Empty, with undefined parts, if nothing counts.
    """
    probability = np.linspace(0.0, 1.0, sums.shape[1])
    there = sums[0] > 0
    probability, weight, event = probability[there], sums[0, there], sums[1, there]
    if not there.any():
        return ReliabilityDiagram(probability, event, event, weight, np.nan, np.nan, np.nan)
    frequency, base = event / weight, event.sum() / weight.sum()
    calibrated = isotonic_regression(frequency, weights=weight).x

    def brier(forecast):
        cells = forecast**2 - 2 * forecast * frequency + frequency
        return float(weight @ cells / weight.sum())

    best, uncertainty = brier(calibrated), float(base * (1 - base))
    return ReliabilityDiagram(
        probability,
        frequency,
        calibrated,
        weight,
        brier(probability) - best,
        uncertainty - best,
        uncertainty,
    )


def reliability_diagram(
    ensemble: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, threshold: float
) -> ReliabilityDiagram:
    """Reliability of the share of members above a threshold, without bins.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    threshold : the event is a value above it.

    Returns
    -------
    ReliabilityDiagram

    Notes
    -----
    The calibrated probabilities come from isotonic regression of the event on the forecast
    probability (pool adjacent violators), so that there are no bins to choose. Neighbouring cells
    are correlated: take intervals over start dates.

    References
    ----------
    Dimitriadis, T., T. Gneiting and A. I. Jordan (2021): Stable reliability diagrams for
    probabilistic classifiers. Proc. Natl. Acad. Sci. 118, e2016191118.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    return reliability_of_sums(probability_sums(ensemble, truth, weights, threshold))


def spread_class_sums(
    ensemble: Array, truth: Array, weights: Array, classes: int, error_std: ArrayLike = 0.0
) -> Array:
    """Weight, expected and true squared error in classes of spread of about equal weight.

    Parameters
    ----------
    ensemble : (member, ...) forecast members.
    truth : (...) truth.
    weights : (...) weights, zero where a cell does not count.
    classes : number of classes.
    error_std : scalar or (...) standard deviation of the error of the truth.

    Returns
    -------
    (3, class) array
        Sums of weight, of weight times expected and of weight times true squared error of the
        mean. Cells where truth and all members agree exactly are left out. Equal spreads share a
        class, so a class may be empty.
    """
    used = np.broadcast_to(weights > 0, truth.shape) & np.any(ensemble != truth, axis=0)
    weight = np.broadcast_to(weights, truth.shape)[used]
    if weight.size == 0:
        return np.zeros((3, classes))
    expected = mean_variance_cells(ensemble)[used]
    expected = expected + np.broadcast_to(np.square(error_std), truth.shape)[used]
    misfit = np.square(ensemble.mean(axis=0) - truth)[used]
    _, place = np.unique(expected, return_inverse=True)
    of_value = np.bincount(place, weights=weight)
    middle = (np.cumsum(of_value) - of_value / 2) / of_value.sum()
    group = np.minimum((classes * middle).astype(int), classes - 1)[place]
    return np.stack(
        [
            np.bincount(group, weights=part, minlength=classes)
            for part in (weight, weight * expected, weight * misfit)
        ]
    )


def classes_of_sums(sums: Array) -> SpreadClasses:
    """Spread and error of sums by `spread_class_sums`, also of several dates."""
    spread, error = np.sqrt(ratio(sums[1], sums[0])), np.sqrt(ratio(sums[2], sums[0]))
    return SpreadClasses(spread, error, sums[0])


def spread_skill_classes(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    classes: int = 10,
    error_std: ArrayLike = 0.0,
) -> SpreadClasses:
    """Error of the ensemble mean where the spread is small, and where it is large.

    Parameters
    ----------
    ensemble : (member, ..., y, x) forecast members.
    truth : (..., y, x) truth in the same unit.
    weights : (..., y, x) cell area times mask [m2].
    classes : number of classes of about equal weight.
    error_std : scalar or (..., y, x) standard deviation of the error of the truth, same unit.

    Returns
    -------
    SpreadClasses
        On the diagonal when reliable; NaN in an empty class.

    Raises
    ------
    InputError
        There are fewer than two members or no class.

    Notes
    -----
    The spread is that of ``(M + 1) / M s^2 + error_std^2``; variances are averaged, never standard
    deviations. A cell where truth and all members agree exactly, such as open water, is left out:
    it lies on the diagonal whatever the ensemble is worth.
    """
    if classes < 1:
        raise InputError(f"classes: {classes}; expected 1 or more")
    weights, ensemble, truth, error_std = prepare(
        weights, ensemble=ensemble, truth=truth, error_std=error_std
    )
    return classes_of_sums(spread_class_sums(ensemble, truth, weights, classes, error_std))


def rank_unevenness(counts: ArrayLike) -> float:
    """Squared departure of a rank histogram from flat, over what independent cases show.

    Parameters
    ----------
    counts : (member + 1,) cases of every rank, such as those of `rank_histogram`.

    Returns
    -------
    float
        1 is expected of a reliable ensemble and independent cases, more otherwise; NaN without
        cases.

    Notes
    -----
    ``sum (s_k - n / (M + 1))^2 / (n M / (M + 1))``. Cells of one date are no independent cases.

    References
    ----------
    Candille, G. and O. Talagrand (2005): Evaluation of probabilistic prediction systems for a
    scalar variable. Q. J. R. Meteorol. Soc. 131, 2131-2150.
    """
    counts = np.asarray(counts, np.float64)
    total, ranks = counts.sum(), counts.size
    expected = total * (ranks - 1) / ranks
    return float(ratio(np.sum((counts - total / ranks) ** 2), expected))
