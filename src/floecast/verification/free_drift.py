"""Ice that follows the wind: a baseline for drift and, carried by it, for concentration."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion, map_coordinates

from floecast.core.calendar import DAY
from floecast.core.errors import InputError
from floecast.verification.weighting import Array, prepare

PACK_KEPT = 0.85
"""Concentration above which ice stays as it is: leads that drift opens there freeze over [1]."""

COAST = 2
"""Cells from the coast in which ice stays as it is."""

_LONGEST_STEP = DAY // 4


class WindFactor(NamedTuple):
    """Rule of the drift of free ice.

    Attributes
    ----------
    factor : speed of the ice over that of the 10 m wind [1].
    turning : angle from wind to drift, counter-clockwise; below 0 to the right [degrees].
    """

    factor: float = 0.0174
    turning: float = -25.0

    def drift(self, wind_u: ArrayLike, wind_v: ArrayLike) -> tuple[Array, Array]:
        """Drift under a wind.

        Parameters
        ----------
        wind_u, wind_v : (...) components of the 10 m wind along the axes of the grid [m/s].

        Returns
        -------
        tuple of (...) arrays
            Components of the drift [m/s].
        """
        turn = self.factor * np.exp(1j * np.radians(self.turning))
        drift = turn * (np.asarray(wind_u) + 1j * np.asarray(wind_v))
        return drift.real, drift.imag


def fit_wind_factor(drift: ArrayLike, wind: ArrayLike, *, weights: ArrayLike) -> WindFactor:
    """Wind factor and turning angle that fit drift best in the mean square.

    Parameters
    ----------
    drift, wind : (2, ..., y, x) components at the same points and times [m/s]; of other dates than
        those that the baseline is to forecast.
    weights : (..., y, x) weights, zero where a cell does not count.

    Returns
    -------
    WindFactor

    Raises
    ------
    InputError
        There is no wind where a cell counts.

    Notes
    -----
    ``a = <wind* drift> / <|wind|^2>`` with both as complex numbers.
    """
    weights, drift, wind = prepare(weights, drift=drift, wind=wind)
    drift, wind = drift[0] + 1j * drift[1], wind[0] + 1j * wind[1]
    power = np.sum(weights * np.abs(wind) ** 2)
    if not power > 0:
        raise InputError("wind: none where a cell counts; a wind factor needs some")
    factor = np.sum(weights * np.conj(wind) * drift) / power
    return WindFactor(float(np.abs(factor)), float(np.degrees(np.angle(factor))))


def carried(
    field: ArrayLike,
    u: ArrayLike,
    v: ArrayLike,
    *,
    side: ArrayLike,
    mask: ArrayLike,
    seconds: ArrayLike,
) -> Array:
    """A field after it was carried along by drift.

    Parameters
    ----------
    field : (y, x) values.
    u, v : (span, y, x) components of the drift at the cell centres in spans one after the other,
        steady within each [m/s].
    side : (y, x) true side of the cells [m].
    mask : (y, x) bool, True in the ocean.
    seconds : (span,) length of each [s].

    Returns
    -------
    (y, x) array
        Within the bounds of the field; as it was on land.

    Notes
    -----
    Semi-Lagrangian: every cell takes the value of the place that it came from, traced back by
    midpoint steps of at most six hours and interpolated once, between the ocean cells around it.
    Nothing is conserved.
    """
    field, mask, side = np.asarray(field, np.float64), np.asarray(mask, bool), np.asarray(side)
    place = np.indices(mask.shape).astype(np.float64)
    for part_u, part_v, span in list(zip(u, v, np.asarray(seconds), strict=True))[::-1]:
        speed = [np.where(mask, np.asarray(part) / side, 0.0) for part in (part_v, part_u)]
        steps = int(np.ceil(span / _LONGEST_STEP))
        for _ in range(steps):
            half = place - span / steps / 2 * np.stack([_at(part, place) for part in speed])
            place = place - span / steps * np.stack([_at(part, half) for part in speed])
    share = _at(mask.astype(np.float64), place)
    moved = _at(np.where(mask, field, 0.0), place) / np.maximum(share, 1e-12)
    return np.where(mask & (share > 1e-6), moved, field)


def _at(field: Array, places: Array) -> Array:
    """Bilinear interpolation at fractional indices; the border goes on beyond it."""
    return map_coordinates(field, places, order=1, mode="nearest")


def free_drift_concentration(
    initial: ArrayLike,
    u: ArrayLike,
    v: ArrayLike,
    *,
    side: ArrayLike,
    mask: ArrayLike,
    lead_seconds: ArrayLike,
) -> Array:
    """Concentration carried by the drift, where the ice is loose.

    Parameters
    ----------
    initial : (y, x) concentration at the start, finite in the ocean [1].
    u, v : (lead, y, x) drift that rules from the lead before to each lead [m/s].
    side : (y, x) true side of the cells [m].
    mask : (y, x) bool, True in the ocean.
    lead_seconds : (lead,) lead times, ascending from 0 or later [s].

    Returns
    -------
    (lead, y, x) array
        Concentration [1].

    Notes
    -----
    Ice denser than `PACK_KEPT` and that within `COAST` cells of land stays as it is: carried
    without refreezing, the pack opens and the forecast loses to persistence. The weather that
    makes the drift must be a forecast too, or the score be told as one under known weather.
    """
    initial, mask = np.asarray(initial, np.float64), np.asarray(mask, bool)
    inner: NDArray[np.bool_] = binary_erosion(
        mask, structure=np.ones((3, 3)), iterations=COAST, border_value=1
    )
    free = inner & (initial <= PACK_KEPT)
    spans = np.diff(np.asarray(lead_seconds, np.float64), prepend=0.0)
    if np.any(spans < 0):
        raise InputError("lead_seconds: expected ascending lead times from 0 or later")
    found = []
    for count in range(1, len(spans) + 1):
        moved = carried(initial, u[:count], v[:count], side=side, mask=mask, seconds=spans[:count])
        found.append(np.where(free, moved, initial))
    return np.stack(found)
