"""Fractions skill score: on which scale ice or its edge stands in the right place."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter

from floecast.core.errors import InputError
from floecast.verification.weighting import Array, prepare, ratio, weighted_sum


def window_fractions(field: Array, weights: Array, window: int) -> Array:
    """Weighted mean of a field in the square window around every cell.

    Parameters
    ----------
    field : (..., y, x) values, 0 where the weight is 0.
    weights : (..., y, x) cell area times mask [m2].
    window : side of the window [cells], odd.

    Returns
    -------
    (..., y, x) array
        Mean over the cells of the window that count; 0 at cells that do not.
    """
    shares = np.broadcast_to(weights / max(weights.max(), 1e-300), field.shape)
    size = (*(1,) * (field.ndim - 2), window, window)
    inside = uniform_filter(shares, size, mode="constant")
    held = uniform_filter(shares * field, size, mode="constant")
    # A running sum leaves round-off behind, so that zero over zero is looked for in the weights.
    return np.divide(held, inside, out=np.zeros(field.shape), where=shares > 0)


def fraction_cells(
    forecast: Array, truth: Array, weights: Array, window: int
) -> tuple[Array, Array]:
    """What every cell adds to the error of the fractions and to the largest error there could be.

    Parameters
    ----------
    forecast, truth : (..., y, x) events, or their probabilities, 0 where the weight is 0.
    weights : (..., y, x) cell area times mask [m2].
    window : side of the window [cells], odd.

    Returns
    -------
    tuple of (..., y, x) arrays
        ``w (P_f - P_o)^2`` and ``w (P_f^2 + P_o^2)``.
    """
    first = window_fractions(forecast, weights, window)
    second = window_fractions(truth, weights, window)
    return weights * (first - second) ** 2, weights * (first**2 + second**2)


def fractions_skill_score(
    forecast: ArrayLike, truth: ArrayLike, *, weights: ArrayLike, window: int
) -> Array:
    """Agreement of the fraction of an event in square windows.

    Parameters
    ----------
    forecast, truth : (..., y, x) events as bool or 0 and 1, such as ice (concentration above a
        threshold) or edge cells; the forecast may be a probability, the share of members.
    weights : (..., y, x) cell area times mask [m2].
    window : side of the window [cells], odd.

    Returns
    -------
    (...) array or scalar
        1 for equal fields, 0 without any overlap; NaN where neither field has an event.

    Raises
    ------
    InputError
        The window is not odd.

    Notes
    -----
    ``1 - sum (P_f - P_o)^2 / (sum P_f^2 + sum P_o^2)``. Fractions are those of the cells that
    count: next to a coast or the border a window holds fewer.

    References
    ----------
    Roberts, N. M. and H. W. Lean (2008): Scale-selective verification of rainfall accumulations
    from high-resolution forecasts of convective events. Mon. Weather Rev. 136, 78-97.
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"window: {window}; expected an odd number of cells")
    weights, forecast, truth = prepare(weights, forecast=forecast, truth=truth)
    error, largest = fraction_cells(forecast, truth, weights, window)
    ones = np.ones(error.shape)
    return 1 - ratio(weighted_sum(error, ones), weighted_sum(largest, ones))


def useful_scale(scores: ArrayLike, windows: ArrayLike, base_rate: ArrayLike) -> Array:
    """Smallest window from which on a forecast is of use.

    Parameters
    ----------
    scores : (window, ...) fractions skill scores.
    windows : (window,) sides of the windows, ascending, in cells or metres.
    base_rate : (...) fraction of the area in which the truth has the event.

    Returns
    -------
    (...) array or scalar
        Window whose score, and that of all larger ones, is ``1/2 + base_rate / 2`` or more; NaN
        if that of the largest is not.
    """
    reached = np.asarray(scores) >= 0.5 + np.asarray(base_rate) / 2
    onward = np.logical_and.accumulate(reached[::-1], axis=0)[::-1]
    # The first window of use is the one before which none is; the last entry stands for "none".
    choices = np.append(np.asarray(windows, np.float64), np.nan)
    return choices[len(choices) - 1 - onward.sum(axis=0)]
