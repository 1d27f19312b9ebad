"""Further scores of forecasts as sums over cells: distances of edges, scales, thresholds, drift.

Of `concentration`: `signed_displacement`, `edge_distance`, `edge_rms_distance`, `edge_bias`,
`modified_hausdorff` [km]; `fss_ice_N` and `fss_edge_N` [1] for windows of N cells, with the scale
from which on they are of use, `useful_scale_ice` and `useful_scale_edge` [km]; of ensembles
`sps_length` [km], `brier_15` and `brier_80` [1] and `crps_marginal_zone` [1], the CRPS over
thresholds from 0.15 to 0.8. Of `ice_volume` and `thickness`: of ensembles `crps_thin_ice` [m], over
thresholds to 1 m. Of `drift`: `vector_rmse`, `speed_bias` [m/s], `coherence` [1], `turning`,
`direction_error` [degrees]; of ensembles `spread_skill` [1], `energy_score` [m/s], and of the
prediction ellipses `capture_50`, `capture_90` [1] and `ellipse_area_90` [km2/day2].
"""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.calendar import DAY
from floecast.core.variables import ICE_EDGE, PACK_ICE
from floecast.verification import drift, edge_position
from floecast.verification.fractions_skill import fraction_cells, useful_scale
from floecast.verification.ice_edge import edge_cells, median_edge
from floecast.verification.probabilistic import brier_cells, crps_cells, mean_variance_cells
from floecast.verification.score_maps import (
    KM,
    ScoreMap,
    edge_lengths,
    mean_of,
    root_mean_of,
    twice_over_length,
)
from floecast.verification.weighting import Array, prepare, ratio

WINDOWS = (1, 3, 5, 9, 17)
"""Sides of the windows of the fractions skill score [cells]."""

THIN_ICE = 1.0
"""Thickness up to which ice counts as thin [m]."""

CAPTURED = (0.5, 0.9)
"""Nominal probabilities of the prediction ellipses."""

_RANGES = {
    "concentration": ("crps_marginal_zone", ICE_EDGE, PACK_ICE),
    "ice_volume": ("crps_thin_ice", 0.0, THIN_ICE),
    "thickness": ("crps_thin_ice", 0.0, THIN_ICE),
}


def _in_km(statistic, sums):
    return statistic(sums) / KM


def _skill(sums: Array) -> Array:
    return 1 - ratio(sums[0], sums[1])


def _useful(sides: tuple[float, ...], sums: Array) -> Array:
    """Of the parts error and largest error for each window, then true events and weight."""
    count = len(sides)
    scores = 1 - ratio(sums[:count], sums[count : 2 * count])
    return useful_scale(scores, sides, ratio(sums[-2], sums[-1]))


def _scale_maps(
    event: str, forecast: NDArray[np.bool_], truth: NDArray[np.bool_], weights: Array
) -> list[ScoreMap]:
    cells = [fraction_cells(forecast, truth, weights, window) for window in WINDOWS]
    maps = [
        ScoreMap(f"fss_{event}_{window}", pair, _skill)
        for window, pair in zip(WINDOWS, cells, strict=True)
    ]
    used = weights > 0
    side = float(np.sqrt(weights[used].mean())) / KM if used.any() else np.nan
    errors, largest = zip(*cells, strict=True)
    parts = (*errors, *largest, weights * truth, weights)
    useful = partial(_useful, tuple(window * side for window in WINDOWS))
    maps.append(ScoreMap(f"useful_scale_{event}", parts, useful))
    return [score._replace(whole=True) for score in maps]


def _position_maps(
    forecast_ice: NDArray[np.bool_],
    true_ice: NDArray[np.bool_],
    weights: Array,
    positions: Array,
) -> list[ScoreMap]:
    over, under = weights * (forecast_ice & ~true_ice), weights * (true_ice & ~forecast_ice)
    both = sum(edge_lengths(forecast_ice, true_ice, weights))
    cells = edge_position.edge_position_cells(forecast_ice, true_ice, weights, positions)
    statistics = {
        "edge_distance": edge_position.mean_distance,
        "edge_rms_distance": edge_position.rms_distance,
        "edge_bias": edge_position.distance_bias,
        "modified_hausdorff": edge_position.modified_hausdorff,
    }
    maps = [ScoreMap("signed_displacement", (over - under, both), twice_over_length, whole=True)]
    for name, statistic in statistics.items():
        # Squared distances of all dates are pooled, the others averaged by date.
        daily = name != "edge_rms_distance"
        maps.append(ScoreMap(name, cells, partial(_in_km, statistic), daily, whole=True))
    return maps


def concentration_maps(
    members: Array, truth: Array, weights: Array, positions: Array, threshold: float
) -> list[ScoreMap]:
    """Scores of the position of the ice and of its edge, by the median edge.

    Parameters
    ----------
    members : (member, y, x) concentration, of one member if deterministic [1].
    truth : (y, x) concentration [1].
    weights : (y, x) cell area times mask [m2].
    positions : (y, x, 2 or 3) Cartesian positions of the cells [m].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    list of ScoreMap
    """
    ice = median_edge(members, threshold=threshold), truth > threshold
    edges = [edge_cells(cover, weights=weights, threshold=0.5) for cover in ice]
    return [
        *_position_maps(*ice, weights, positions),
        *_scale_maps("ice", *ice, weights),
        *_scale_maps("edge", *edges, weights),
    ]


def _distribution_maps(
    variable: str, seen: Array, truth: Array, weights: Array, threshold: float
) -> list[ScoreMap]:
    maps = []
    if variable in _RANGES:
        name, lower, upper = _RANGES[variable]
        cells = crps_cells(np.clip(seen, lower, upper), np.clip(truth, lower, upper), fair=True)
        maps.append(ScoreMap(name, (weights * cells, weights), mean_of))
    if variable == "concentration":
        for limit in (ICE_EDGE, PACK_ICE):
            cells = brier_cells(seen, truth, threshold=limit, fair=True)
            name = f"brier_{round(100 * limit)}"
            maps.append(ScoreMap(name, (weights * cells, weights), mean_of))
        cells = brier_cells(seen, truth, threshold=threshold, fair=True)
        length = edge_lengths(truth > threshold, truth > threshold, weights)[1]
        per_length = partial(_in_km, mean_of)
        maps.append(ScoreMap("sps_length", (weights * cells, length), per_length, whole=True))
    return maps


def forecast_maps(
    variable: str,
    members: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike,
    positions: Array,
    threshold: float,
    *,
    seen: ArrayLike | None = None,
) -> list[ScoreMap]:
    """The scores at the head of this module of one system at one lead, but for drift.

    Parameters
    ----------
    variable : name, which decides on the scores.
    members : (member, y, x) ensemble, of one member if deterministic.
    truth : (y, x) truth.
    weights : (y, x) cell area times mask [m2].
    positions : (y, x, 2 or 3) Cartesian positions of the cells [m].
    threshold : concentration above which a cell counts as ice [1].
    seen : (member, y, x) members with the error of the observations, for the scores of the
        distribution; `members` if left out.

    Returns
    -------
    list of ScoreMap
    """
    seen = members if seen is None else seen
    weights, members, seen, truth = prepare(weights, forecast=members, seen=seen, truth=truth)
    maps = []
    if variable == "concentration":
        maps += concentration_maps(members, truth, weights, positions, threshold)
    if members.shape[0] > 1:
        maps += _distribution_maps(variable, seen, truth, weights, threshold)
    return maps


def _energy_cells(members: Array, truth: Array) -> Array:
    """Fair energy score of every cell; `members` (2, member, ...)."""
    count = members.shape[1]
    to_truth = np.hypot(*(members - truth[:, None])).mean(axis=0)
    between = np.zeros(truth.shape[1:])
    for one in range(1, count):
        between += np.hypot(*(members[:, one, None] - members[:, :one])).sum(axis=0)
    return to_truth - between / (count * (count - 1))


def drift_maps(
    members: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike,
    *,
    seen: ArrayLike | None = None,
    error_std: ArrayLike = 0.0,
) -> list[ScoreMap]:
    """Scores of the drift of one system at one lead.

    Parameters
    ----------
    members : (2, member, y, x) components [m/s], of one member if deterministic.
    truth : (2, y, x) components [m/s].
    weights : (y, x) cell area times mask [m2], zero where the truth has no ice.
    seen : (2, member, y, x) members with the error of the observations, for the scores of the
        distribution; `members` if left out.
    error_std : scalar or (y, x) standard deviation of the error of a component [m/s].

    Returns
    -------
    list of ScoreMap
    """
    seen = members if seen is None else seen
    weights, members, seen, truth, error_std = prepare(
        weights, forecast=members, seen=seen, truth=truth, error_std=error_std
    )
    mean, count = members.mean(axis=1), members.shape[1]
    cells = weights * drift.drift_cells(mean, truth)
    statistics = (
        drift.vector_rmse,
        drift.speed_bias,
        drift.coherence,
        drift.turning,
        drift.direction_error,
    )
    maps = [ScoreMap(statistic.__name__, cells, statistic) for statistic in statistics]
    if count > 1:
        expected = sum(mean_variance_cells(part) for part in members) + 2 * error_std**2
        misfit = np.sum((mean - truth) ** 2, axis=0)
        maps += [
            ScoreMap("spread_skill", (weights * expected, weights * misfit), root_mean_of),
            ScoreMap("energy_score", (weights * _energy_cells(seen, truth), weights), mean_of),
        ]
    if count > 2:
        found = drift.ellipses(seen, truth)
        for probability in CAPTURED:
            quantile = drift.ellipse_quantile(probability, count)
            inside = weights * (found.distance <= quantile)
            maps.append(ScoreMap(f"capture_{round(100 * probability)}", (inside, weights), mean_of))
        area = quantile * found.area * (DAY / KM) ** 2
        maps.append(
            ScoreMap(f"ellipse_area_{round(100 * probability)}", (weights * area, weights), mean_of)
        )
    return maps
