"""Superobservations: the observations within a grid cell joined to one."""

import numpy as np

from floecast.core.errors import InputError

from .footprint import containing_cell
from .observations import Observations


def superobservations(observations, grid, *, correlation=0.5):
    """Mean of the good observations of one kind and time within each ocean cell.

    Parameters
    ----------
    observations : Observations
        Those with a flag are left out, and those whose centre is not in an ocean cell.
    grid : Grid
    correlation : float
        Of the errors of two observations in one cell, between 0 and 1. Neighbouring cells of a
        passive-microwave grid are resampled from overlapping footprints.

    Returns
    -------
    Observations
        At the cell centres, sorted by kind, time and cell, with the cell as footprint and the
        smallest group number that took part.

    Raises
    ------
    InputError
        If the correlation is outside of 0..1.

    Notes
    -----
    The mean of n observations with errors s_i has the variance
    ((1 - r) sum s_i^2 + r (sum s_i)^2) / n^2.
    """
    if not 0.0 <= correlation <= 1.0:
        raise InputError(f"the error correlation must lie in 0..1, not {correlation}")
    good = observations.good()
    cell, ocean = containing_cell(grid, good.x, good.y)
    good, cell = good.select(ocean), cell[ocean]
    keys = np.stack([good.kind, good.time, good.span, cell])
    (kind, time, span, cell), member = np.unique(keys, axis=1, return_inverse=True)
    member = member.reshape(-1)
    count = np.bincount(member, minlength=cell.size)

    def total(values):
        return np.bincount(member, weights=values, minlength=cell.size)

    own, common = total(good.error_std**2), total(good.error_std) ** 2
    variance = (1 - correlation) * own + correlation * common
    group = np.full(cell.size, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(group, member, good.group)
    row, column = np.divmod(cell, grid.shape[1])
    return Observations(
        value=total(good.value) / count,
        error_std=np.sqrt(variance) / count,
        kind=kind.astype(np.int32),
        group=group,
        x=grid.x[column],
        y=grid.y[row],
        time=time,
        span=span,
        cell=cell[:, None].astype(np.int32),
        weight=np.ones((cell.size, 1)),
        flag=np.zeros(cell.size, np.int32),
    )
