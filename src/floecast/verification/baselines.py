"""Forecasts that any system has to beat, as pure functions of given fields."""

import numpy as np
from numpy.typing import ArrayLike

from floecast.core.errors import InputError
from floecast.verification.weighting import Array


def persistence(initial: ArrayLike, lead_count: int) -> Array:
    """Keep the initial field at every lead.

    Parameters
    ----------
    initial : (..., y, x) field at the start.
    lead_count : number of leads.

    Returns
    -------
    (lead, ..., y, x) array
        The initial field, repeated.
    """
    return np.repeat(np.asarray(initial)[None], lead_count, axis=0)


def climatology(normal: ArrayLike, lead_count: int) -> Array:
    """Forecast the climatological mean.

    Parameters
    ----------
    normal : (y, x) mean for the season, or (lead, y, x) mean for the date of every lead. It must
        not contain the year that is forecast.
    lead_count : number of leads.

    Returns
    -------
    (lead, y, x) array
        The climatological mean at every lead.

    Raises
    ------
    InputError
        The lead axis of `normal` has another length.
    """
    normal = np.asarray(normal)
    if normal.ndim == 2:
        return persistence(normal, lead_count)
    if normal.ndim != 3 or normal.shape[0] != lead_count:
        raise InputError(
            f"normal: shape {normal.shape}; expected (y, x) or (lead, y, x) with {lead_count} leads"
        )
    return normal


def damped_anomaly_persistence(
    initial: ArrayLike,
    *,
    normal_start: ArrayLike,
    normal_leads: ArrayLike,
    correlation: ArrayLike,
    lower: float = -np.inf,
    upper: float = np.inf,
) -> Array:
    """Let the initial anomaly fade towards the climatological mean.

    Parameters
    ----------
    initial : (y, x) field at the start.
    normal_start : (y, x) climatological mean at the start, same unit.
    normal_leads : (lead, y, x) climatological mean at every lead, same unit.
    correlation : (lead,) or (lead, y, x) correlation of the anomalies at start and lead, 0 to 1,
        fitted on other years; 1 is plain anomaly persistence.
    lower, upper : bounds of the quantity.

    Returns
    -------
    (lead, y, x) array
        ``normal_leads + correlation (initial - normal_start)``, limited to the bounds.

    Raises
    ------
    InputError
        A correlation lies outside 0 to 1, or the leads disagree.
    """
    normal_leads, correlation = np.asarray(normal_leads), np.asarray(correlation)
    if correlation.shape[:1] != normal_leads.shape[:1]:
        raise InputError(
            f"correlation: shape {correlation.shape}; expected one value for each of the "
            f"{len(normal_leads)} leads of normal_leads"
        )
    if not np.all((correlation >= 0) & (correlation <= 1)):
        raise InputError(
            "correlation: values outside 0 to 1; expected damping factors, limit the fitted values"
        )
    if correlation.ndim == 1:
        correlation = correlation[:, None, None]
    anomaly = np.asarray(initial) - np.asarray(normal_start)
    return np.clip(normal_leads + correlation * anomaly[None], lower, upper)
