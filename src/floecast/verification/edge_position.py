"""How far two ice edges lie apart, with a sign: the distances of `ice_edge`, on fields.

Positions of the cells are Cartesian, so that distances need no projection: on the sphere chords
are turned into arcs of great circles.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from floecast.core.grid import Grid
from floecast.core.variables import ICE_EDGE
from floecast.verification.ice_edge import edge_cells
from floecast.verification.weighting import Array, prepare, ratio

EARTH_RADIUS = 6371e3
"""Mean radius of the Earth [m]."""


class EdgePosition(NamedTuple):
    """Distances between the edges of a forecast and of the truth [m].

    Attributes
    ----------
    mean : mean of the two directed mean distances (D_AVG).
    rms : root mean square of all nearest distances in both directions (D_RMS).
    bias : as `mean`, but distances count as negative where the forecast has too little ice.
    modified_hausdorff : larger of the two directed mean distances.
    """

    mean: Array
    rms: Array
    bias: Array
    modified_hausdorff: Array


def cell_positions(grid: Grid) -> Array:
    """Cartesian positions of the cell centres.

    Parameters
    ----------
    grid : Grid

    Returns
    -------
    (y, x, 3) or (y, x, 2) array
        On a sphere of the mean radius of the Earth, or in the plane of a flat box [m].
    """
    if grid.epsg is None:
        return np.stack(np.meshgrid(grid.x, grid.y), axis=-1)
    return positions_on_sphere(grid.latitude, grid.longitude)


def positions_on_sphere(latitude: ArrayLike, longitude: ArrayLike) -> Array:
    """Cartesian positions of places on the sphere.

    Parameters
    ----------
    latitude, longitude : (...) arrays [degrees].

    Returns
    -------
    (..., 3) array
        [m].
    """
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    across = np.cos(latitude)
    parts = (across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude))
    return EARTH_RADIUS * np.stack(parts, axis=-1)


def _nearest(places: Array, targets: Array) -> Array:
    """Distance of every place to the nearest target, along the sphere in three dimensions."""
    chord = KDTree(targets).query(places)[0]
    if places.shape[-1] == 2:
        return chord
    return 2 * EARTH_RADIUS * np.arcsin(np.minimum(chord / (2 * EARTH_RADIUS), 1.0))


def edge_position_cells(
    forecast_ice: NDArray[np.bool_],
    true_ice: NDArray[np.bool_],
    weights: Array,
    positions: Array,
) -> Array:
    """What every cell adds to the distances between two edges.

    Parameters
    ----------
    forecast_ice, true_ice : (y, x) bool
    weights : (y, x) cell area times mask [m2].
    positions : (y, x, 2 or 3) Cartesian positions of the cells [m].

    Returns
    -------
    (8, y, x) array
        On the edge of the forecast 1, the distance to the true edge, its square and the distance
        with its sign; on the true edge the same the other way round. Zeros where one of the edges
        is empty.
    """
    edges = [edge_cells(ice, weights=weights, threshold=0.5) for ice in (forecast_ice, true_ice)]
    parts = np.zeros((8, *forecast_ice.shape))
    if not (edges[0].any() and edges[1].any()):
        return parts
    # The forecast has too much ice where its edge lies in true water, or the true edge in its ice.
    beyond = (~true_ice, forecast_ice)
    for first, edge, other, out in zip((0, 4), edges, edges[::-1], beyond, strict=True):
        distance = _nearest(positions[edge], positions[other])
        signed = np.where(out[edge], distance, -distance)
        for part, values in enumerate((1.0, distance, distance**2, signed), first):
            parts[part][edge] = values
    return parts


def mean_distance(sums: Array) -> Array:
    """D_AVG of sums (8, ...) of `edge_position_cells` [m]; NaN without both edges."""
    return (ratio(sums[1], sums[0]) + ratio(sums[5], sums[4])) / 2


def rms_distance(sums: Array) -> Array:
    """D_RMS of sums (8, ...) of `edge_position_cells` [m]; NaN without an edge."""
    return np.sqrt(ratio(sums[2] + sums[6], sums[0] + sums[4]))


def distance_bias(sums: Array) -> Array:
    """Signed mean distance of sums (8, ...) of `edge_position_cells` [m]; NaN as above."""
    return (ratio(sums[3], sums[0]) + ratio(sums[7], sums[4])) / 2


def modified_hausdorff(sums: Array) -> Array:
    """Modified Hausdorff distance of sums (8, ...) of `edge_position_cells` [m]; NaN as above."""
    return np.maximum(ratio(sums[1], sums[0]), ratio(sums[5], sums[4]))


def edge_position_errors(
    forecast: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    positions: ArrayLike,
    threshold: float = ICE_EDGE,
) -> EdgePosition:
    """Distances between the ice edges of two fields.

    Parameters
    ----------
    forecast, truth : (y, x) ice concentration [1].
    weights : (y, x) cell area times mask [m2].
    positions : (y, x, 2 or 3) Cartesian positions of the cells, see `cell_positions` [m].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    EdgePosition
        All NaN where one of the fields has no edge: no distance is defined then, least of all 0.

    References
    ----------
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630.
    Dukhovskoy, D. S., et al. (2015): Skill metrics for evaluation and comparison of sea ice
    models. J. Geophys. Res. Oceans 120, 5910-5931, doi:10.1002/2015JC010989.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    cells = edge_position_cells(
        forecast > threshold, truth > threshold, weights, np.asarray(positions, np.float64)
    )
    sums = cells.sum(axis=(1, 2))
    return EdgePosition(
        mean_distance(sums), rms_distance(sums), distance_bias(sums), modified_hausdorff(sums)
    )
