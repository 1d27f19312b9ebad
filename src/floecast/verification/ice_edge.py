"""Scores of the position of the ice edge.

A cell is ice where its concentration exceeds the threshold. `weights` is cell area times
mask [m2]; the side of a cell is the square root of its area, which is exact on a conformal grid.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from floecast.core.variables import ICE_EDGE
from floecast.verification.probabilistic import brier_cells
from floecast.verification.weighting import Array, prepare, ratio, weighted_sum


class IceEdgeError(NamedTuple):
    """Areas of wrong ice cover [m2].

    Attributes
    ----------
    overestimate : area with ice in the forecast only.
    underestimate : area with ice in the truth only.
    """

    overestimate: Array
    underestimate: Array

    @property
    def iiee(self) -> Array:
        """Integrated ice-edge error [m2]."""
        return self.overestimate + self.underestimate

    @property
    def absolute_extent_error(self) -> Array:
        """Absolute difference of the two extents [m2]."""
        return np.abs(self.overestimate - self.underestimate)

    @property
    def misplacement(self) -> Array:
        """Area in which ice is put in the wrong place [m2]."""
        return 2 * np.minimum(self.overestimate, self.underestimate)


class EdgeDistances(NamedTuple):
    """Distances between two edges, in the unit of the coordinates.

    Attributes
    ----------
    mean : mean of the two directed mean distances (D_AVG).
    rms : root mean square of all nearest distances in both directions (D_RMS).
    modified_hausdorff : larger of the two directed mean distances.
    """

    mean: float
    rms: float
    modified_hausdorff: float


def iiee(
    forecast: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float = ICE_EDGE,
) -> IceEdgeError:
    """Integrated ice-edge error and its parts.

    Parameters
    ----------
    forecast, truth : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    IceEdgeError
        Over- and underestimate, with `iiee`, `absolute_extent_error` and `misplacement`.

    Notes
    -----
    ``IIEE = O + U = |O - U| + 2 min(O, U)``. It grows with the length of the edge: do not
    compare seasons by it, use `displacement`.

    References
    ----------
    Goessling, H. F., et al. (2016): Predictability of the Arctic sea ice edge. Geophys. Res.
    Lett. 43, 1642-1650.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    forecast_ice, true_ice = forecast > threshold, truth > threshold
    return IceEdgeError(
        weighted_sum(forecast_ice & ~true_ice, weights),
        weighted_sum(true_ice & ~forecast_ice, weights),
    )


def sps(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float = ICE_EDGE,
    fair: bool = False,
) -> Array:
    """Spatial probability score of the ice edge.

    Parameters
    ----------
    ensemble : (member, ..., y, x) ice concentration of the members [1].
    truth : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].
    fair : use the estimator that is unbiased in the number of members.

    Returns
    -------
    (...) array or scalar
        Score [m2]; of one member it is the integrated ice-edge error.

    Raises
    ------
    InputError
        `fair` with fewer than two members.

    References
    ----------
    Goessling, H. F. and T. Jung (2018): A probabilistic verification score for contours.
    Q. J. R. Meteorol. Soc. 144, 735-743, doi:10.1002/qj.3242.
    """
    weights, ensemble, truth = prepare(weights, ensemble=ensemble, truth=truth)
    return weighted_sum(brier_cells(ensemble, truth, threshold=threshold, fair=fair), weights)


def sps_per_length(
    ensemble: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float = ICE_EDGE,
    fair: bool = False,
) -> Array:
    """Spatial probability score over the length of the true edge, which seasons can be compared by.

    Parameters
    ----------
    ensemble : (member, ..., y, x) ice concentration of the members [1].
    truth : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].
    fair : use the estimator that is unbiased in the number of members.

    Returns
    -------
    (...) array or scalar
        Score [m]; NaN where the truth has no edge.

    Raises
    ------
    InputError
        `fair` with fewer than two members.

    References
    ----------
    Palerme, C., M. Mueller and A. Melsom (2019): An intercomparison of verification scores for
    evaluating the sea ice edge position in seasonal forecasts. Geophys. Res. Lett. 46, 4757-4763,
    doi:10.1029/2019GL082482.
    """
    score = sps(ensemble, truth, weights=weights, threshold=threshold, fair=fair)
    return ratio(score, edge_length(truth, weights=weights, threshold=threshold))


def median_edge(ensemble: ArrayLike, *, threshold: float = ICE_EDGE) -> NDArray[np.bool_]:
    """Ice cover within the median edge of an ensemble.

    Parameters
    ----------
    ensemble : (member, ..., y, x) ice concentration of the members [1].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (..., y, x) bool
        True where more than half of the members have ice. It serves as a concentration of 0 and 1.
    """
    return (np.asarray(ensemble) > threshold).mean(axis=0) > 0.5


def _neighbours(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of true cells among the four neighbours; there is nothing beyond the domain."""
    padded = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(1, 1), (1, 1)])
    return (
        padded[..., :-2, 1:-1].astype(int)
        + padded[..., 2:, 1:-1]
        + padded[..., 1:-1, :-2]
        + padded[..., 1:-1, 2:]
    )


def edge_cells(
    concentration: ArrayLike, *, weights: ArrayLike, threshold: float = ICE_EDGE
) -> NDArray[np.bool_]:
    """Ice cells that touch open water.

    Parameters
    ----------
    concentration : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (..., y, x) bool
        Ice cells with at least one of four neighbours ice-free and inside the mask: a coast is
        no edge.
    """
    weights, concentration = prepare(weights, concentration=concentration)
    ice = concentration > threshold
    return ice & (_neighbours((weights > 0) & ~ice) > 0)


def edge_length_cells(edge: NDArray[np.bool_], weights: ArrayLike) -> Array:
    """Length of the edge in every cell.

    Parameters
    ----------
    edge : (..., y, x) edge cells.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (..., y, x) array
        Length [m]: the side of the cell times sqrt(2), (1 + sqrt(2)) / 2 or 1 for none, one or
        more edge cells among the four neighbours; 0 off the edge.
    """
    factor = np.array([np.sqrt(2), (1 + np.sqrt(2)) / 2, 1.0, 1.0, 1.0])[_neighbours(edge)]
    return np.where(edge, factor * np.sqrt(np.where(edge, weights, 0.0)), 0.0)


def edge_length(
    concentration: ArrayLike, *, weights: ArrayLike, threshold: float = ICE_EDGE
) -> Array:
    """Length of the ice edge.

    Parameters
    ----------
    concentration : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (...) array or scalar
        Length [m].

    References
    ----------
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630.
    """
    edge = edge_cells(concentration, weights=weights, threshold=threshold)
    return edge_length_cells(edge, weights).sum(axis=(-2, -1))


def displacement(
    forecast: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float = ICE_EDGE,
) -> Array:
    """Mean displacement of the edge by area: the ice-edge error over the mean edge length.

    Parameters
    ----------
    forecast, truth : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (...) array or scalar
        ``D_IIEE = 2 IIEE / (L_truth + L_forecast)`` [m]; NaN where there is no edge.

    References
    ----------
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630.
    """
    error = iiee(forecast, truth, weights=weights, threshold=threshold)
    return ratio(2 * error.iiee, _both_lengths(forecast, truth, weights, threshold))


def signed_displacement(
    forecast: ArrayLike,
    truth: ArrayLike,
    *,
    weights: ArrayLike,
    threshold: float = ICE_EDGE,
) -> Array:
    """Mean displacement of the edge by area towards the open water.

    Parameters
    ----------
    forecast, truth : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (...) array or scalar
        ``2 (O - U) / (L_truth + L_forecast)`` [m], positive where the forecast has too much ice;
        NaN where there is no edge.

    References
    ----------
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630.
    """
    error = iiee(forecast, truth, weights=weights, threshold=threshold)
    excess = error.overestimate - error.underestimate
    return ratio(2 * excess, _both_lengths(forecast, truth, weights, threshold))


def _both_lengths(
    forecast: ArrayLike, truth: ArrayLike, weights: ArrayLike, threshold: float
) -> Array:
    lengths = [
        edge_length(field, weights=weights, threshold=threshold) for field in (forecast, truth)
    ]
    return lengths[0] + lengths[1]


def edge_distances(forecast: ArrayLike, truth: ArrayLike) -> EdgeDistances:
    """Distances between the edge cells of two fields.

    Parameters
    ----------
    forecast, truth : (n, 2) or (n, 3) coordinates of the edge cells: projected [m], or Cartesian
        on the sphere where the scale of the projection matters.

    Returns
    -------
    EdgeDistances
        In the unit of the coordinates; all NaN where an edge is empty.

    References
    ----------
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630.
    Dubuisson, M.-P. and A. K. Jain (1994): A modified Hausdorff distance for object matching.
    Proc. 12th Int. Conf. Pattern Recognition, 566-568.
    """
    forecast, truth = np.asarray(forecast, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if len(forecast) == 0 or len(truth) == 0:
        return EdgeDistances(np.nan, np.nan, np.nan)
    to_truth, to_forecast = KDTree(truth).query(forecast)[0], KDTree(forecast).query(truth)[0]
    directed = float(to_truth.mean()), float(to_forecast.mean())
    pooled = np.concatenate([to_truth, to_forecast])
    return EdgeDistances(sum(directed) / 2, float(np.sqrt(np.mean(pooled**2))), max(directed))
