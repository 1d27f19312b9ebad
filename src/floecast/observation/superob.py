"""Superobservations: the observations within a grid cell joined to one."""

import numpy as np
from scipy.sparse import csr_array

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
        At the cell centres, sorted by kind, time and cell, with the mean of the footprints and
        the smallest group number that took part.

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
    seen, weight = _mean_footprints(good, member, count, grid.mask_t.size)
    return Observations(
        value=total(good.value) / count,
        error_std=np.sqrt(variance) / count,
        kind=kind.astype(np.int32),
        group=group,
        x=grid.x[column],
        y=grid.y[row],
        time=time,
        span=span,
        cell=seen,
        weight=weight,
        flag=np.zeros(cell.size, np.int32),
        assumed=total(good.assumed) > 0,
    )


def _mean_footprints(observations, member, count, cells):
    """Cells and weights ``(superobservation, k)`` of the mean of the footprints of each."""
    width = observations.cell.shape[1]
    rows = np.repeat(member, width)
    share = (observations.weight / count[member][:, None]).ravel()
    shape = (count.size, cells)
    mean = csr_array((share, (rows, observations.cell.ravel())), shape=shape, dtype=float)
    mean.sum_duplicates()
    mean.eliminate_zeros()
    number = np.diff(mean.indptr)
    place = np.arange(mean.nnz) - np.repeat(mean.indptr[:-1], number)
    row = np.repeat(np.arange(number.size), number)
    cell = np.zeros((number.size, number.max(initial=1)), np.int32)
    weight = np.zeros(cell.shape)
    cell[row, place], weight[row, place] = mean.indices, mean.data
    return cell, weight
