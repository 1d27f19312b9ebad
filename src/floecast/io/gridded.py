"""From the cells of a gridded product to observations, and to the cells of a preset."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from floecast.observation.footprint import LEAST_OCEAN_SHARE, footprints
from floecast.observation.observations import FLAGS, observations

from .native_grid import NativeGrid
from .regrid import regrid

# Cells whose footprints are worked out at a time, to bound memory.
_AT_A_TIME = 50_000
_NOT_MEASURED = FLAGS["suspect"] | FLAGS["masked"] | FLAGS["pole_hole"]


@dataclass(frozen=True, eq=False)
class GriddedValues:
    """What a product holds, on its own cells.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    cells : NativeGrid
    value, error : (record, y, x) array
        NaN where there is no observation [unit of the kind].
    flag : (record, y, x) int array
        Bits of `FLAGS`.
    time, span : (record,) int array
        Centre [s since 2000-01-01] and length of what a record is a mean over [s].
    footprint : float
        Full width at half maximum of the Gaussian, or side of the box [m].
    shape : {"gaussian", "box"}
    group : function of (x, y, record) or None
        Gives the groups that share an error; None if none do.
    assumed : (record, y, x) bool array or bool
        Whether errors follow from the values, as in `Observations`.
    """

    kind: str
    cells: NativeGrid
    value: np.ndarray
    error: np.ndarray
    flag: np.ndarray
    time: np.ndarray
    span: np.ndarray
    footprint: float
    shape: str = "gaussian"
    group: Callable | None = None
    assumed: np.ndarray | bool = False


def to_observations(source, values, grid):
    """Observations at the native cells over the ocean of a grid.

    Parameters
    ----------
    source : Source
    values : GriddedValues
    grid : Grid
        A preset.

    Returns
    -------
    Observations
        Cells whose footprint is at least half over ocean of the grid.

    Raises
    ------
    InputError
        If none is.
    """
    x, y = (axis.ravel() for axis in values.cells.on(grid))
    there = np.isfinite(values.value).any(axis=0).ravel()
    (west, east), (south, north) = (edges[[0, -1]] for edges in grid.edges())
    with np.errstate(invalid="ignore"):
        inside = there & (x > west) & (x < east) & (y > south) & (y < north)
    place, cell, weight = _seen(grid, x, y, np.flatnonzero(inside), values)
    shape = (len(values.time), -1)
    assumed = np.broadcast_to(values.assumed, values.value.shape)
    value, error, flag, assumed = (
        array.reshape(shape)[:, place]
        for array in (values.value, values.error, values.flag, assumed)
    )
    record, column = np.nonzero(np.isfinite(value))
    if not record.size:
        source.refuse(f"no value lies over the ocean of {grid.name}, expected some")
    group = 0
    if values.group is not None:
        group = values.group(x[place[column]], y[place[column]], record)
    return observations(
        values.kind,
        value[record, column],
        error[record, column],
        x[place[column]],
        y[place[column]],
        values.time[record],
        cell[column],
        weight[column],
        span=values.span[record],
        group=group,
        flag=flag[record, column],
        assumed=assumed[record, column],
    )


def to_field(values, grid):
    """Mean of the good values of the only record in the cells of a grid.

    Parameters
    ----------
    values : GriddedValues
    grid : Grid
        A preset.

    Returns
    -------
    (y, x) array
        NaN on land and where less than half of the cell was observed. Concentration is brought
        between 0 and 1 before.

    Notes
    -----
    Conservative mean, or linear interpolation on a grid that is finer than the product. Flagged
    values, such as those near a coast or interpolated ones, are used only where the others cover
    less than half of a cell; suspect and masked ones never.
    """
    value, flag = values.value[0], values.flag[0]
    if values.kind == "concentration":
        value = np.clip(value, 0, 1)
    native = values.cells.definition
    method = "conservative" if grid.spacing >= 0.99 * values.cells.spacing else "bilinear"
    best, some = (
        regrid(np.where(mask, value, np.nan), native, grid, method=method)
        for mask in (flag == 0, flag & _NOT_MEASURED == 0)
    )
    field = np.where(np.isfinite(best), best, some)
    return np.where(grid.mask_t, field, np.nan)


def beside(mask):
    """Whether one of the eight cells around is in a mask, along the last two axes."""
    rows, columns = mask.shape[-2:]
    padded = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(1, 1), (1, 1)])
    found = np.zeros(mask.shape, bool)
    for row in range(3):
        for column in range(3):
            if (row, column) != (1, 1):
                found |= padded[..., row : row + rows, column : column + columns]
    return found


def _seen(grid, x, y, chosen, values):
    """Native cells that see the ocean, with the grid cells they see and the weights of these."""
    places, cells, weights = [], [], []
    for first in range(0, chosen.size, _AT_A_TIME):
        part = chosen[first : first + _AT_A_TIME]
        seen = footprints(grid, x[part], y[part], values.footprint, shape=values.shape)
        kept = seen.ocean_share >= LEAST_OCEAN_SHARE
        places.append(part[kept])
        cells.append(seen.cell[kept].astype(np.int32))
        weights.append(seen.weight[kept])
    width = max((part.shape[1] for part in cells), default=1)

    def joined(parts):
        if not parts:
            return np.zeros((0, 1))
        return np.concatenate(
            [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
        )

    empty = np.zeros(0, int)
    return np.concatenate([empty, *places]), joined(cells).astype(np.int32), joined(weights)
