"""Scores as sums over cells: what each cell adds, and what becomes of the sums.

A score taken from sums can be cut to a region, resampled over blocks of the domain, or added up
over start dates without keeping any field.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.verification.deterministic import correlation_of_means
from floecast.verification.ice_edge import edge_cells, edge_length_cells, median_edge
from floecast.verification.probabilistic import brier_cells, crps_cells, mean_variance_cells
from floecast.verification.weighting import Array, prepare, ratio

THOUSAND_KM2 = 1e9
KM = 1e3


class ScoreMap(NamedTuple):
    """A score made of sums over cells.

    Attributes
    ----------
    name : of the score.
    parts : (y, x) contributions to each of the sums.
    statistic : maps sums (part, ...) to the score (...).
    daily : the score of several dates is the mean of their scores, as of an area or of a distance
        between two edges; otherwise it is the score of the summed sums, as of an RMSE.
    whole : the score belongs to the whole edge, and has no meaning where cells are chosen by the
        ice: with true ice only, the edge can be misplaced to one side only.
    """

    name: str
    parts: tuple[Array, ...] | Array
    statistic: Callable[[Array], Array]
    daily: bool = False
    whole: bool = False


def mean_of(sums: Array) -> Array:
    """Sum over weight."""
    return ratio(sums[0], sums[1])


def root_mean_of(sums: Array) -> Array:
    """Root of sum over weight."""
    return np.sqrt(ratio(sums[0], sums[1]))


def _area(sums: Array) -> Array:
    return sums[0] / THOUSAND_KM2


def _area_difference(sums: Array) -> Array:
    return np.abs(sums[0] - sums[1]) / THOUSAND_KM2


def _twice_the_smaller(sums: Array) -> Array:
    return 2 * np.minimum(sums[0], sums[1]) / THOUSAND_KM2


def twice_over_length(sums: Array) -> Array:
    """Twice an area over the length of two edges [km]."""
    return 2 * ratio(sums[0], sums[1]) / KM


def _correlation(sums: Array) -> Array:
    return correlation_of_means(*(ratio(part, sums[5]) for part in sums[:5]))


def _error_maps(variable: str, forecast: Array, truth: Array, weights: Array) -> list[ScoreMap]:
    error = forecast - truth
    maps = [
        ScoreMap("rmse", (weights * error**2, weights), root_mean_of),
        ScoreMap("bias", (weights * error, weights), mean_of),
    ]
    if variable != "concentration":
        return maps
    products = (forecast, truth, forecast**2, truth**2, forecast * truth)
    return [
        *maps,
        ScoreMap("mae", (weights * np.abs(error), weights), mean_of),
        ScoreMap(
            "correlation", (*(weights * product for product in products), weights), _correlation
        ),
    ]


def edge_lengths(
    forecast_ice: NDArray[np.bool_], true_ice: NDArray[np.bool_], weights: Array
) -> tuple[Array, Array]:
    """Length of the edge of the forecast and of the truth in every cell [m]."""
    edges = [edge_cells(ice, weights=weights, threshold=0.5) for ice in (forecast_ice, true_ice)]
    return edge_length_cells(edges[0], weights), edge_length_cells(edges[1], weights)


def _edge_maps(
    forecast_ice: NDArray[np.bool_], true_ice: NDArray[np.bool_], weights: Array
) -> list[ScoreMap]:
    over, under = weights * (forecast_ice & ~true_ice), weights * (true_ice & ~forecast_ice)
    both = sum(edge_lengths(forecast_ice, true_ice, weights))
    areas = [
        ScoreMap("iiee", (over + under,), _area),
        ScoreMap("overestimate", (over,), _area),
        ScoreMap("underestimate", (under,), _area),
        ScoreMap("absolute_extent_error", (over, under), _area_difference),
        ScoreMap("misplacement", (over, under), _twice_the_smaller),
    ]
    displacement = ScoreMap("displacement", (over + under, both), twice_over_length, whole=True)
    return [*(score._replace(daily=True, whole=True) for score in areas), displacement]


def _distribution_maps(
    variable: str, seen: Array, truth: Array, weights: Array, threshold: float
) -> list[ScoreMap]:
    """Scores that compare ensembles with single fields: of one field the CRPS is the absolute
    error, the SPS the area where one of field and truth has ice."""
    fair = seen.shape[0] > 1
    maps = [ScoreMap("crps", (weights * crps_cells(seen, truth, fair=fair), weights), mean_of)]
    if variable == "concentration":
        cells = brier_cells(seen, truth, threshold=threshold, fair=fair)
        maps.append(ScoreMap("sps", (weights * cells,), _area, daily=True, whole=True))
    return maps


def _spread_map(ensemble: Array, truth: Array, weights: Array, error_std: Array) -> ScoreMap:
    misfit = (ensemble.mean(axis=0) - truth) ** 2
    expected = mean_variance_cells(ensemble) + error_std**2
    return ScoreMap("spread_skill", (weights * expected, weights * misfit), root_mean_of)


def score_maps(
    variable: str,
    members: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike,
    threshold: float,
    *,
    seen: ArrayLike | None = None,
    error_std: ArrayLike = 0.0,
) -> list[ScoreMap]:
    """The common scores of one system at one lead.

    Parameters
    ----------
    variable : name, which decides on the scores.
    members : (member, y, x) ensemble, of one member if deterministic.
    truth : (y, x) truth.
    weights : (y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].
    seen : (member, y, x) members with the error of the observations, for the scores of the
        distribution; `members` if left out.
    error_std : scalar or (y, x) standard deviation of that error.

    Returns
    -------
    list of ScoreMap
    """
    seen = members if seen is None else seen
    weights, members, seen, truth, error_std = prepare(
        weights, forecast=members, seen=seen, truth=truth, error_std=error_std
    )
    maps = _error_maps(variable, members.mean(axis=0), truth, weights)
    if variable == "concentration":
        # The median edge of a single field is its own edge.
        maps += _edge_maps(median_edge(members, threshold=threshold), truth > threshold, weights)
    if members.shape[0] > 1:
        maps.append(_spread_map(members, truth, weights, error_std))
    else:
        seen = members  # the error of observations makes a distribution no better than one field
    return maps + _distribution_maps(variable, seen, truth, weights, threshold)
