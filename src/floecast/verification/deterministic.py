"""Scores of one field against one field, and the ice-covered extent, area and volume.

All fields have trailing axes (y, x); leading axes (leads, dates) are kept. `weights` is cell
area times mask, so that cells outside the mask never matter. To join dates, average squared
errors and take the root last.
"""

import numpy as np
from numpy.typing import ArrayLike

from floecast.core.variables import ICE_EDGE
from floecast.verification.weighting import Array, prepare, ratio, weighted_mean, weighted_sum

# A field whose relative variance lies below this is constant to round-off.
_CONSTANT = 1e-10


def bias(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> Array:
    """Area-weighted mean error, forecast minus truth.

    Parameters
    ----------
    forecast, truth : (..., y, x) fields of one unit.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Mean error in the unit of the fields; NaN where no cell counts.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    return weighted_mean(forecast - truth, weights)


def mean_absolute_error(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> Array:
    """Area-weighted mean absolute error.

    Parameters
    ----------
    forecast, truth : (..., y, x) fields of one unit.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Mean absolute error in the unit of the fields; NaN where no cell counts.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    return weighted_mean(np.abs(forecast - truth), weights)


def rmse(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> Array:
    """Area-weighted root-mean-square error.

    Parameters
    ----------
    forecast, truth : (..., y, x) fields of one unit.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Root-mean-square error in the unit of the fields; NaN where no cell counts.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    return np.sqrt(weighted_mean((forecast - truth) ** 2, weights))


def centred_rmse(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> Array:
    """Root-mean-square error after the mean error is taken out.

    Parameters
    ----------
    forecast, truth : (..., y, x) fields of one unit.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Error of the pattern in the unit of the fields; NaN where no cell counts.

    Notes
    -----
    ``rmse**2 = bias**2 + centred_rmse**2``.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    error = forecast - truth
    centred = error - np.asarray(weighted_mean(error, weights))[..., None, None]
    return np.sqrt(weighted_mean(centred**2, weights))


def correlation(forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike) -> Array:
    """Area-weighted pattern correlation.

    Parameters
    ----------
    forecast, truth : (..., y, x) fields.
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Correlation; NaN where one of the fields is constant.
    """
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    products = (forecast, truth, forecast**2, truth**2, forecast * truth)
    return correlation_of_means(*(weighted_mean(product, weights) for product in products))


def correlation_of_means(
    forecast: Array, truth: Array, forecast_square: Array, truth_square: Array, product: Array
) -> Array:
    """Correlation from the means of both fields, of their squares and of their product.

    Parameters
    ----------
    forecast, truth : (...) means of the two fields.
    forecast_square, truth_square : (...) means of their squares.
    product : (...) mean of their product.

    Returns
    -------
    (...) array or scalar
        Correlation; NaN where one of the fields is constant.
    """
    deviations = []
    for mean, square in ((forecast, forecast_square), (truth, truth_square)):
        variance = square - mean**2
        deviations.append(np.sqrt(np.where(variance > _CONSTANT * square, variance, 0.0)))
    return ratio(product - forecast * truth, deviations[0] * deviations[1])


def sea_ice_extent(
    concentration: ArrayLike, *, weights: ArrayLike, threshold: float = ICE_EDGE
) -> Array:
    """Area of the cells whose concentration exceeds the threshold.

    Parameters
    ----------
    concentration : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].
    threshold : concentration above which a cell counts as ice [1].

    Returns
    -------
    (...) array or scalar
        Extent [m2].
    """
    weights, concentration = prepare(weights, concentration=concentration)
    return weighted_sum(concentration > threshold, weights)


def sea_ice_area(concentration: ArrayLike, *, weights: ArrayLike) -> Array:
    """Area covered by ice.

    Parameters
    ----------
    concentration : (..., y, x) ice concentration [1].
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Ice area [m2].
    """
    weights, concentration = prepare(weights, concentration=concentration)
    return weighted_sum(concentration, weights)


def sea_ice_volume(ice_volume: ArrayLike, *, weights: ArrayLike) -> Array:
    """Volume of ice.

    Parameters
    ----------
    ice_volume : (..., y, x) ice volume per cell area [m].
    weights : (..., y, x) cell area times mask [m2].

    Returns
    -------
    (...) array or scalar
        Ice volume [m3].
    """
    weights, ice_volume = prepare(weights, ice_volume=ice_volume)
    return weighted_sum(ice_volume, weights)
