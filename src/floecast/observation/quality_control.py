"""Quality control: doubtful observations are flagged, none is dropped."""

import numpy as np

from floecast.core.errors import InputError

from .observations import FLAGS, KINDS

PLAUSIBLE = {
    "concentration": (-0.3, 1.3),
    "thickness": (-1.5, 15.0),
    "drift_u": (-1.5, 1.5),
    "drift_v": (-1.5, 1.5),
    "freeboard": (-0.6, 2.5),
    "laser_freeboard": (-0.3, 4.0),
    "snow_depth": (-0.3, 2.5),
}
"""Least and greatest value of each kind, with room for the noise of retrievals that are not cut
off at their bounds; units as in `KINDS`."""


def check_range(observations, limits=None):
    """Flag values that no sensor should give.

    Parameters
    ----------
    observations : Observations
    limits : mapping of str to (float, float), optional
        Limits of some kinds in place of those of `PLAUSIBLE`.

    Returns
    -------
    Observations
        With ``out_of_range`` set.

    Raises
    ------
    InputError
        If `limits` names an unknown kind.
    """
    limits = PLAUSIBLE | dict(limits or {})
    unknown = sorted(set(limits) - set(KINDS))
    if unknown:
        raise InputError(f"limits name {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    lower, upper = np.array([limits[kind] for kind in KINDS])[np.asarray(observations.kind)].T
    value = np.asarray(observations.value)
    return _flagged(observations, ~((value >= lower) & (value <= upper)), "out_of_range")


def check_coast(observations, grid, *, cells=0, kinds=KINDS):
    """Flag observations on land or close to it.

    Parameters
    ----------
    observations : Observations
    grid : Grid
    cells : int
        Land within so many cells of the cell that holds the centre counts, diagonals included; 0
        is this cell alone. Outside the grid counts as land.
    kinds : sequence of str
        Kinds to check.

    Returns
    -------
    Observations
        With ``near_coast`` set.
    """
    wide = np.pad(~grid.mask_t, cells + 1, constant_values=True)
    ny, nx = wide.shape
    land = np.zeros_like(wide)
    for row in range(-cells, cells + 1):
        for column in range(-cells, cells + 1):
            land |= np.roll(wide, (row, column), axis=(0, 1))
    j = np.floor((np.asarray(observations.y) - grid.y[0]) / grid.spacing + 0.5).astype(int)
    i = np.floor((np.asarray(observations.x) - grid.x[0]) / grid.spacing + 0.5).astype(int)
    on_land = land[np.clip(j + cells + 1, 0, ny - 1), np.clip(i + cells + 1, 0, nx - 1)]
    checked = np.isin(np.asarray(observations.kind), [KINDS.index(kind) for kind in kinds])
    return _flagged(observations, on_land & checked, "near_coast")


def check_departure(observations, equivalents, *, factor=4.0):
    """Flag observations too far from the background for its spread and their error.

    Parameters
    ----------
    observations : Observations
    equivalents : (member, p) array
        Background members as observed; values that are not finite are left out.
    factor : float
        Greatest departure from the ensemble mean, in standard deviations of spread and error.

    Returns
    -------
    Observations
        With ``failed_gross_check`` set, also where fewer than two members have an equivalent.

    Raises
    ------
    InputError
        If the equivalents are not one for each observation.
    """
    equivalents = np.asarray(equivalents, float)
    if equivalents.shape[1:] != (observations.size,):
        raise InputError(
            f"equivalents have shape {equivalents.shape}; expected one for each of "
            f"{observations.size} observations"
        )
    finite = np.isfinite(equivalents)
    count = np.maximum(finite.sum(axis=0), 2)
    mean = np.where(finite, equivalents, 0.0).sum(axis=0) / count
    square = np.where(finite, equivalents - mean, 0.0) ** 2
    expected = np.hypot(
        np.sqrt(square.sum(axis=0) / (count - 1)), np.asarray(observations.error_std)
    )
    near = np.abs(np.asarray(observations.value) - mean) <= factor * expected
    return _flagged(observations, ~(near & (finite.sum(axis=0) > 1)), "failed_gross_check")


def summary(observations):
    """How many observations of each kind were kept, and why the others were not.

    Parameters
    ----------
    observations : Observations

    Returns
    -------
    list of dict
        One row for each kind that occurs: ``kind``, ``total``, ``good``, and the count of each of
        `FLAGS`; an observation with several flags counts in each.
    """
    rows = []
    for kind, name in enumerate(KINDS):
        flag = np.asarray(observations.flag)[np.asarray(observations.kind) == kind]
        if flag.size:
            counts = {reason: int(np.sum((flag & bit) > 0)) for reason, bit in FLAGS.items()}
            good = int(np.sum(flag == 0))
            rows.append({"kind": name, "total": flag.size, "good": good, **counts})
    return rows


def _flagged(observations, bad, reason):
    flag = np.asarray(observations.flag)
    return observations.replace(flag=np.where(bad, flag | FLAGS[reason], flag))
