"""Where the ice edge is, and how far from there it may be."""

from typing import NamedTuple

import numpy as np
from contourpy import contour_generator

from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE

from .probability import quantiles

_ROWS = 256  # points whose distances are computed at once


class IceEdge(NamedTuple):
    """The median edge as points along lines; arrays ``(point,)``.

    Attributes
    ----------
    x, y : position on the projected plane [m].
    line : number of the line, from 0; points of a line follow each other.
    length : true length of the edge that a point stands for [m].
    inner, outer : true distance to the nearest point of the edge that the upper and the lower
        probability give, which are those deep in the ice and far out [m]; NaN where there is none.
    """

    x: np.ndarray
    y: np.ndarray
    line: np.ndarray
    length: np.ndarray
    inner: np.ndarray
    outer: np.ndarray

    @property
    def width(self):
        """Mean along the edge of the distance between inner and outer edge [m]; NaN for none."""
        known = np.isfinite(self.inner + self.outer)
        total = self.length[known].sum()
        if not total > 0:
            return np.nan
        return float(np.sum((self.length * (self.inner + self.outer))[known]) / total)


def ice_edge(concentration, grid, *, inside=0.9, outside=0.1):
    """The median ice edge of an ensemble and its uncertainty.

    Parameters
    ----------
    concentration : (member, y, x) array
        T points [1].
    grid : Grid
    inside, outside : float
        Probabilities of ice of the inner and outer edge [1].

    Returns
    -------
    IceEdge

    Notes
    -----
    The edge of probability p is the line on which concentration exceeds 15 % with probability p.
    It is drawn where the quantile ``1 - p`` of concentration is 15 %, linear between cells. That is
    the same line in the cells, but it has the position within the cell that the concentrations
    tell: members that agree have no distance between their edges, while contours of the
    probability itself would lie 0.8 cells apart. The median edge is that of ``p = 0.5``. A coast is
    no edge.

    References
    ----------
    Goessling, H. F. and T. Jung (2018): A probabilistic verification score for contours.
    Q. J. R. Meteorol. Soc. 144, 735-743, doi:10.1002/qj.3242 (median edge).
    Melsom, A., C. Palerme and M. Mueller (2019): Validation metrics for ice edge position
    forecasts. Ocean Sci. 15, 615-630, doi:10.5194/os-15-615-2019 (distances between edges).
    """
    levels = quantiles(concentration, [1 - inside, 0.5, 1 - outside])
    inner, median, outer = (_lines(level, grid) for level in levels)
    points = _joined(median)
    scale = np.ones(len(points))
    if grid.epsg is not None:
        scale = EPSG_3413.scale(EPSG_3413.inverse(*points.T)[0])
    line = np.repeat(np.arange(len(median)), [len(one) for one in median])
    length = np.concatenate([np.zeros(0), *map(_shares, median)]) / scale
    distances = (_distances(points, other) / scale for other in (inner, outer))
    return IceEdge(points[:, 0], points[:, 1], line, length, *distances)


def _lines(concentration, grid):
    """Lines along which a field is that of the edge, ``(point, 2)`` each."""
    sea = np.ma.masked_array(np.asarray(concentration, np.float64), ~grid.mask_t)
    if min(grid.shape) < 2:
        return []
    drawn = contour_generator(grid.x, grid.y, sea, corner_mask=True).lines(ICE_EDGE)
    return [line for line in drawn if len(line) > 1]


def _joined(lines):
    return np.concatenate([np.zeros((0, 2)), *lines])


def _shares(line):
    """Length of a line that each of its points stands for, on the map."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    return (np.append(0, steps) + np.append(steps, 0)) / 2


def _distances(points, lines):
    """Distance of each point to the nearest point of some lines, on the map; NaN if none."""
    if not lines:
        return np.full(len(points), np.nan)
    begin = np.concatenate([line[:-1] for line in lines])
    step = np.concatenate([np.diff(line, axis=0) for line in lines])
    squared = np.maximum(np.sum(step**2, axis=1), np.finfo(float).tiny)
    found = []
    for first in range(0, len(points), _ROWS):
        apart = points[first : first + _ROWS, None] - begin
        share = np.clip(np.sum(apart * step, axis=2) / squared, 0, 1)[..., None]
        found.append(np.linalg.norm(apart - share * step, axis=2).min(axis=1))
    return np.concatenate([np.zeros(0), *found])
