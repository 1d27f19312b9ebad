"""Synthetic observations: what the satellites would report of a true state."""

import jax
import numpy as np

from floecast.core.calendar import DAY
from floecast.core.errors import InputError
from floecast.core.keys import named_key

from .errors import SHARED_VARIANCE, block_group, concentration_error
from .footprint import LEAST_OCEAN_SHARE, containing_cell, footprints, grid_position
from .observations import observations
from .operators import observe

# CryoSat-2: inclination [degrees], orbital period and length of a sidereal day [s].
_INCLINATION = 92.0
_ORBIT = 5953.6
_SIDEREAL_DAY = 86164.1
# Speed of the point below the satellite [m/s], an upper bound.
_GROUND_SPEED = 6.8e3


def sample_concentration(key, truth, grid, time, *, footprint=50e3, every=1):
    """Daily passive-microwave concentration of a true state.

    Parameters
    ----------
    key : key
    truth : IceState
        One member.
    grid : Grid
    time : int
        Centre of the day [s since 2000-01-01].
    footprint : float
        Full width at half maximum of the sensor on the projected plane [m].
    every : int
        An observation in every n-th row and column of cells.

    Returns
    -------
    Observations
        At centres of ocean cells whose footprint is at least half over ocean.

    Raises
    ------
    InputError
        If `every` is not positive.

    Notes
    -----
    Gaussian noise with the standard deviation of `concentration_error` at the smeared truth, then
    clipped to 0..1 as products are. So the errors of full and of empty footprints are one-sided,
    with a bias of up to 0.02, and `error_std`, which follows from the reported value as a reader
    would take it, is too large there. Users of real products meet the same.
    """
    if every < 1:
        raise InputError(f"observations in every {every}-th cell make no sense; use 1 or more")
    offset = every // 2
    rows, columns = np.meshgrid(*(np.arange(offset, n, every) for n in grid.shape), indexing="ij")
    sea = grid.mask_t[rows, columns]
    x, y = grid.x[columns[sea]], grid.y[rows[sea]]
    seen = footprints(grid, x, y, footprint)
    keep = seen.ocean_share >= LEAST_OCEAN_SHARE
    sampled = observations(
        "concentration",
        np.zeros(keep.sum()),
        1.0,
        x[keep],
        y[keep],
        time,
        seen.cell[keep],
        seen.weight[keep],
        span=DAY,
    )
    true = np.asarray(observe(truth, sampled))
    noise = np.asarray(jax.random.normal(key, true.shape))
    value = np.clip(true + concentration_error(true) * noise, 0.0, 1.0)
    assumed = np.ones(value.shape, bool)
    return sampled.replace(value=value, error_std=concentration_error(value), assumed=assumed)


def sample_thickness(
    key, truth, grid, time, *, days=7, error=0.3, shared=SHARED_VARIANCE, least_concentration=0.7
):
    """CryoSat-2-like thickness of a true state: the cells under the tracks of some days, merged.

    Parameters
    ----------
    key : key
    truth : IceState
        One member.
    grid : Grid
        A preset.
    time : int
        Centre of the span [s since 2000-01-01].
    days : int
        Length of the span: 7 for the weekly, about 30 for the monthly product.
    error : float
        Total standard error of a cell [m].
    shared : float
        Part of the error variance common to the observations of one group, a block of 100 km.
    least_concentration : float
        Cells with less ice have no retrieval [1].

    Returns
    -------
    Observations
        One for each cell seen; none where there is not enough ice. Negative retrievals are kept.

    Raises
    ------
    InputError
        If `days` or `error` is not positive or `shared` outside of 0..1.

    Notes
    -----
    Circular orbits of inclination 92 degrees, so there is nothing north of 88 N. The phase of the
    first orbit is random. Real products exist from mid October to mid April only.
    """
    if days < 1 or not error > 0 or not 0 <= shared <= 1:
        raise InputError(
            "thickness needs days >= 1, error > 0 and shared in 0..1, "
            f"not {days}, {error} and {shared}"
        )
    phase = float(jax.random.uniform(named_key(key, "phase")))
    x, y = grid_position(grid, *tracks(phase, days, grid.spacing / 3))
    cell, ocean = containing_cell(grid, x, y)
    cell = np.unique(cell[ocean])
    rows, columns = np.divmod(cell, grid.shape[1])
    x, y = grid.x[columns], grid.y[rows]
    sampled = observations(
        "thickness",
        np.zeros(cell.size),
        error,
        x,
        y,
        time,
        cell[:, None],
        np.ones((cell.size, 1)),
        span=days * DAY,
        group=block_group(x, y, time // (days * DAY)),
    )
    groups, member = np.unique(sampled.group, return_inverse=True)
    common = np.asarray(jax.random.normal(named_key(key, "shared"), groups.shape))[member]
    own = np.asarray(jax.random.normal(named_key(key, "own"), cell.shape))
    noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    value = np.asarray(observe(truth, sampled)) + error * noise
    enough = np.asarray(truth.concentration).reshape(-1)[cell] > least_concentration
    return sampled.replace(value=value).select(enough)


def tracks(phase, days, step):
    """Points below a satellite on the orbit of CryoSat-2, north of 40 N.

    Parameters
    ----------
    phase : float
        Longitude of the first ascending node, in turns.
    days : int
    step : float
        Largest distance between points [m].

    Returns
    -------
    latitude, longitude : (n,) array
        [degrees], on a sphere.
    """
    seconds = np.arange(0.0, days * DAY, step / _GROUND_SPEED)
    along = 2 * np.pi * (seconds / _ORBIT % 1.0)
    inclination = np.radians(_INCLINATION)
    north = np.arcsin(np.sin(inclination) * np.sin(along))
    east = np.arctan2(np.cos(inclination) * np.sin(along), np.cos(along))
    turned = 360.0 * (phase - seconds / _SIDEREAL_DAY)
    arctic = north > np.radians(40.0)
    return np.degrees(north[arctic]), (np.degrees(east) + turned)[arctic]
