"""Footprints: which grid cells a sensor sees, and with what weight."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from floecast.core.errors import InputError
from floecast.core.projection import EPSG_3413

LEAST_OCEAN_SHARE = 0.5
"""A footprint with less of its weight over the ocean of the grid does not see the sea [1]."""

# Standard deviation of a Gaussian whose full width at half maximum is one.
_SIGMA = 1.0 / np.sqrt(8.0 * np.log(2.0))
# Cells with less, relative to the one seen best, are left out.
_LEAST_WEIGHT = 5e-3


class Footprints(NamedTuple):
    """Footprints of p observations over k grid cells.

    Parameters
    ----------
    cell : (p, k) int array
        Flat index ``j * nx + i``; places that are not needed repeat the first cell.
    weight : (p, k) array
        Over ocean cells, with sum 1; 0 where a footprint sees no ocean at all.
    ocean_share : (p,) array
        Part of the footprint that lies over ocean cells of the grid [1].
    """

    cell: np.ndarray
    weight: np.ndarray
    ocean_share: np.ndarray


def footprints(grid, x, y, size, *, shape="gaussian"):
    """Cells and weights seen by observations.

    Parameters
    ----------
    grid : Grid
    x, y : (p,) array
        Centres on the projected plane [m].
    size : float
        Full width at half maximum of the Gaussian, or side of the box, on the projected plane [m].
    shape : {"gaussian", "box"}

    Returns
    -------
    Footprints
        The weights are spread anew over the ocean. It is for the caller to drop or flag what has
        an `ocean_share` below `LEAST_OCEAN_SHARE`.

    Raises
    ------
    InputError
        If the size is not positive or the shape unknown.

    Notes
    -----
    Exact integrals of the kernel over each cell. The Gaussian ends one full width from its centre
    along each axis, where 98 % of it are inside.
    """
    if not size > 0:
        raise InputError(f"a footprint needs a positive size, not {size}")
    if shape not in ("gaussian", "box"):
        raise InputError(f"a footprint is 'gaussian' or 'box', not {shape!r}")
    edges_x, edges_y = grid.edges()
    column, weight_x = _along_axis(np.asarray(x, float), edges_x, grid.spacing, size, shape)
    row, weight_y = _along_axis(np.asarray(y, float), edges_y, grid.spacing, size, shape)
    ny, nx = grid.shape
    inside = ((row >= 0) & (row < ny))[:, :, None] & ((column >= 0) & (column < nx))[:, None, :]
    cell = np.clip(row, 0, ny - 1)[:, :, None] * nx + np.clip(column, 0, nx - 1)[:, None, :]
    weight = weight_y[:, :, None] * weight_x[:, None, :]
    weight = np.where(inside & grid.mask_t.reshape(-1)[cell], weight, 0.0)
    return _trimmed(cell.reshape(len(cell), -1), weight.reshape(len(cell), -1))


def grid_position(grid, latitude, longitude):
    """Position of places on the plane of a grid.

    Parameters
    ----------
    grid : Grid
    latitude, longitude : array
        [degrees].

    Returns
    -------
    x, y : array
        [m].

    Raises
    ------
    InputError
        If the grid is a box, which lies nowhere on the Earth.
    """
    if grid.epsg != 3413:
        raise InputError(
            f"the grid {grid.name!r} lies nowhere on the Earth; use a preset such as arctic50"
        )
    return EPSG_3413.forward(latitude, longitude)


def containing_cell(grid, x, y):
    """Flat index of the cell that contains each place, and whether that is an ocean cell.

    Parameters
    ----------
    grid : Grid
    x, y : array
        On the projected plane [m].

    Returns
    -------
    cell : int array
        ``j * nx + i``; of the nearest border cell for places outside of the grid.
    ocean : bool array
        False outside of the grid.
    """
    column = np.floor((np.asarray(x) - grid.x[0]) / grid.spacing + 0.5).astype(int)
    row = np.floor((np.asarray(y) - grid.y[0]) / grid.spacing + 0.5).astype(int)
    ny, nx = grid.shape
    inside = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    cell = np.clip(row, 0, ny - 1) * nx + np.clip(column, 0, nx - 1)
    return cell, inside & grid.mask_t.reshape(-1)[cell]


def _along_axis(centre, edges, spacing, size, shape):
    """Indices ``(p, n)`` of the cells along one axis and the part of the kernel over each."""
    half = size if shape == "gaussian" else size / 2
    count = int(2 * half // spacing) + 2
    first = np.floor((centre - half - edges[0]) / spacing).astype(int)
    index = first[:, None] + np.arange(count)
    low = edges[0] + index * spacing - centre[:, None]
    low, high = np.clip(low, -half, half), np.clip(low + spacing, -half, half)
    if shape == "box":
        return index, (high - low) / size
    total = 1.0 - 2.0 * ndtr(-half / (_SIGMA * size))
    return index, (ndtr(high / (_SIGMA * size)) - ndtr(low / (_SIGMA * size))) / total


def _trimmed(cell, weight):
    """Largest weights first, without the columns that no observation needs."""
    ocean_share = weight.sum(axis=1)
    best = weight.max(axis=1, keepdims=True)
    weight = np.where(weight >= _LEAST_WEIGHT * best, weight, 0.0)
    width = max(1, int((weight > 0).sum(axis=1).max(initial=1)))
    order = np.argsort(-weight, axis=1, kind="stable")[:, :width]
    cell, weight = np.take_along_axis(cell, order, 1), np.take_along_axis(weight, order, 1)
    total = weight.sum(axis=1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return Footprints(np.where(weight > 0, cell, cell[:, :1]), weight, ocean_share)
