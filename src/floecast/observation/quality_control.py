"""Quality control: doubtful observations are flagged, none is dropped."""

import numpy as np

from floecast.core.calendar import iso
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
    return flagged(observations, ~((value >= lower) & (value <= upper)), "out_of_range")


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
    land = np.zeros_like(wide)
    for row in range(-cells, cells + 1):
        for column in range(-cells, cells + 1):
            land |= np.roll(wide, (row, column), axis=(0, 1))
    on_land = land[_cell(observations, grid, wide.shape, cells + 1)]
    checked = np.isin(np.asarray(observations.kind), [KINDS.index(kind) for kind in kinds])
    return flagged(observations, on_land & checked, "near_coast")


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
    return flagged(observations, ~(near & (finite.sum(axis=0) > 1)), "failed_gross_check")


def check_duplicates(observations):
    """Flag observations that repeat another.

    Parameters
    ----------
    observations : Observations

    Returns
    -------
    Observations
        With ``duplicate`` set for all but one of those of the same kind, time, span and value whose
        centres agree to a metre; one without a flag stays if there is one, and the first of those.
    """
    flag = np.asarray(observations.flag)
    order = np.argsort(flag != 0, kind="stable")
    fields = (observations.kind, observations.time, observations.span, observations.value)
    place = np.round(np.stack([observations.x, observations.y]))
    keys = np.concatenate([np.stack([np.asarray(field, float) for field in fields]), place])
    _, first = np.unique(keys[:, order], axis=1, return_index=True)
    repeated = np.ones(observations.size, bool)
    repeated[order[first]] = False
    return flagged(observations, repeated, "duplicate")


def check_mask(observations, grid, mask, *, reason="masked", kinds=KINDS):
    """Flag observations in cells of a mask, such as those of an ice type that a sensor cannot see.

    Parameters
    ----------
    observations : Observations
    grid : Grid
    mask : (y, x) bool array
        True where observations are not to be used.
    reason : str
        One of `FLAGS`.
    kinds : sequence of str
        Kinds to check.

    Returns
    -------
    Observations
        With `reason` set where the cell that holds the centre is in the mask; what lies outside of
        the grid is left to `check_coast`.

    Raises
    ------
    InputError
        If the mask is not a bool array on the grid, or the reason not one of `FLAGS`.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != grid.shape:
        raise InputError(
            f"the mask is {mask.dtype} of shape {mask.shape}; expected bool of shape {grid.shape}"
        )
    if reason not in FLAGS:
        raise InputError(f"no flag {reason!r}; there are {', '.join(FLAGS)}")
    wide = np.pad(mask, 1)
    checked = np.isin(np.asarray(observations.kind), [KINDS.index(kind) for kind in kinds])
    return flagged(observations, wide[_cell(observations, grid, wide.shape, 1)] & checked, reason)


def rejected(observations):
    """Which observations were not used, and why.

    Parameters
    ----------
    observations : Observations

    Returns
    -------
    list of dict
        One row for each with a flag, in their order: ``kind``, ``time`` (ISO, UTC), ``x``, ``y``
        [m], ``value`` and ``error`` in the unit of the kind, and ``reasons``, the names of its
        `FLAGS` with blanks between.
    """
    return [
        {
            "kind": KINDS[int(observations.kind[number])],
            "time": iso(observations.time[number]),
            "x": float(observations.x[number]),
            "y": float(observations.y[number]),
            "value": float(observations.value[number]),
            "error": float(observations.error_std[number]),
            "reasons": " ".join(
                reason for reason, bit in FLAGS.items() if int(observations.flag[number]) & bit
            ),
        }
        for number in np.flatnonzero(np.asarray(observations.flag))
    ]


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


def _cell(observations, grid, shape, rim):
    """Row and column of each centre in a field of the grid with a rim around."""
    place = []
    for centre, axis, count in zip(
        (observations.y, observations.x), (grid.y, grid.x), shape, strict=True
    ):
        number = np.floor((np.asarray(centre) - axis[0]) / grid.spacing + 0.5).astype(int)
        place.append(np.clip(number + rim, 0, count - 1))
    return tuple(place)


def flagged(observations, bad, reason):
    """Observations with one of `FLAGS` set where `bad`, ``(p,)``, says so."""
    flag = np.asarray(observations.flag)
    return observations.replace(flag=np.where(bad, flag | FLAGS[reason], flag))
